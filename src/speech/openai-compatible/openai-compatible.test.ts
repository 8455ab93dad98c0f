import { afterEach, describe, expect, it } from 'vitest';
import { createCountingClock } from '../../../test/support/fakes/counting-clock.js';
import { startFakeOpenai, type FakeOpenai } from '../../../test/support/fakes/openai.js';
import { endpointUrl } from '../ai-sdk/endpoint-url.js';
import type { LanguageModelPart, LanguageModelRequest } from '../language-model.js';
import { openaiCompatible } from './openai-compatible.js';

let fake: FakeOpenai | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

async function start(): Promise<FakeOpenai> {
  fake = await startFakeOpenai({ apiKey: 'test-key' });
  return fake;
}

function create(baseUrl: string, settings: Record<string, unknown> = {}) {
  const leg = openaiCompatible.llm!;
  return leg.create(leg.settingsSchema.parse(settings), { clock: createCountingClock(), apiKey: 'test-key', baseUrl, fetch });
}

const request = (overrides: Partial<LanguageModelRequest> = {}): LanguageModelRequest => ({
  messages: [{ role: 'user', text: 'Hello u7' }],
  tools: [],
  signal: new AbortController().signal,
  maxOutputTokens: 100,
  ...overrides,
});

async function collect(parts: AsyncIterable<LanguageModelPart>): Promise<LanguageModelPart[]> {
  const all: LanguageModelPart[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

describe('the request', () => {
  it('carries the conversation, the tools and the limits', async () => {
    const server = await start();
    const tool = { name: 'book', description: 'Books a table', parameters: { type: 'object', properties: { at: { type: 'string' } }, required: ['at'] } };
    await collect(
      create(server.httpUrl, { temperature: 0.3 }).stream(
        request({
          messages: [
            { role: 'system', text: 'Be kind.' },
            { role: 'user', text: 'A table at eight u3' },
            { role: 'assistant', text: '', toolCalls: [{ id: 'c1', name: 'book', argumentsJson: '{"at":"20:00"}' }, { id: 'c2', name: 'book', argumentsJson: '{"at":' }] },
            { role: 'tool', toolCallId: 'c1', toolName: 'book', result: '{"ok":true}' },
            { role: 'tool', toolCallId: 'c2', toolName: 'book', result: 'The arguments were not JSON.' },
          ],
          tools: [tool],
          maxOutputTokens: 77,
        }),
      ),
    );
    expect(server.requests[0]).toMatchObject({ path: '/v1/chat/completions', authorization: 'Bearer test-key' });
    expect(server.requests[0]!.body).toEqual({
      model: 'gpt-4.1-mini',
      stream: true,
      stream_options: { include_usage: true },
      temperature: 0.3,
      max_tokens: 77,
      messages: [
        { role: 'system', content: 'Be kind.' },
        { role: 'user', content: 'A table at eight u3' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            { id: 'c1', type: 'function', function: { name: 'book', arguments: '{"at":"20:00"}' } },
            // A server refuses arguments that are not JSON: quoted, they are.
            { id: 'c2', type: 'function', function: { name: 'book', arguments: '"{\\"at\\":"' } },
          ],
        },
        { role: 'tool', tool_call_id: 'c1', content: '{"ok":true}' },
        { role: 'tool', tool_call_id: 'c2', content: 'The arguments were not JSON.' },
      ],
      tools: [{ type: 'function', function: tool }],
    });
  });

  it.each(['gpt-5-mini', 'o4-mini'])('names the limit of %s as reasoning models want it', async (model) => {
    const server = await start();
    await collect(create(server.httpUrl, { model }).stream(request()));
    expect(server.requests[0]!.body).toMatchObject({ max_completion_tokens: 100 });
    expect(server.requests[0]!.body.max_tokens).toBeUndefined();
  });

  it.each([
    ['https://api.openai.com', 'https://api.openai.com/v1'],
    ['https://api.openai.com/', 'https://api.openai.com/v1'],
    ['https://api.openai.com/v1', 'https://api.openai.com/v1'],
    ['https://api.openai.com/v1/', 'https://api.openai.com/v1'],
    ['http://127.0.0.1:11434', 'http://127.0.0.1:11434/v1'],
    ['https://api.groq.com/openai/v1', 'https://api.groq.com/openai/v1'],
  ])('takes the base URL %s', (base, expected) => {
    expect(endpointUrl(base, '/v1')).toBe(expected);
  });
});

it('names a base URL that is none', () => {
  expect(() => create('not a url')).toThrow(expect.objectContaining({ code: 'configuration-invalid' }));
});
