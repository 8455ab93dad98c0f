import { afterEach, describe, expect, it } from 'vitest';
import { askModel, bookedTwice, bookTool, createModel, failureOf } from '../../../test/support/ask-model.js';
import { startFakeAnthropic, type AnthropicRequest } from '../../../test/support/fakes/anthropic.js';
import type { ScriptedModel, ScriptedModelOptions } from '../../../test/support/fakes/scripted-model.js';
import { anthropic } from './anthropic.js';

let fake: ScriptedModel<AnthropicRequest> | undefined;
afterEach(() => fake?.close());
async function start(options: ScriptedModelOptions<AnthropicRequest> = {}) {
  fake = await startFakeAnthropic({ apiKey: 'test-key', ...options });
  return fake;
}

describe('the request', () => {
  it('carries the conversation, the tools and the limits', async () => {
    const server = await start();
    await askModel(createModel(anthropic, server.httpUrl), { messages: bookedTwice, tools: [bookTool] });
    expect(server.requests[0]!.path).toBe('/v1/messages');
    expect(server.requests[0]!.body).toEqual({
      model: 'claude-haiku-5-5',
      max_tokens: 77,
      stream: true,
      thinking: { type: 'disabled' },
      system: [{ type: 'text', text: 'Be kind.', cache_control: { type: 'ephemeral' } }],
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'A table at eight u3' }] },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'One moment.' },
            { type: 'tool_use', id: 'c1', name: 'book', input: { at: '20:00' } },
            // The API takes an object and nothing else.
            { type: 'tool_use', id: 'c2', name: 'book', input: { malformed: '{"at":' } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'c1', content: '{"ok":true}' },
            { type: 'tool_result', tool_use_id: 'c2', content: 'The arguments were not JSON.' },
          ],
        },
      ],
      tools: [{ name: 'book', description: 'Books a table', input_schema: bookTool.parameters }],
    });
  });

  it('leaves the cache alone where it is told to', async () => {
    const server = await start();
    await askModel(createModel(anthropic, server.httpUrl, { prompt_cache: false }), { messages: bookedTwice });
    expect(JSON.stringify(server.requests[0]!.body)).not.toContain('cache_control');
  });

  it('leaves out a temperature that the model refuses', async () => {
    const server = await start();
    await askModel(createModel(anthropic, server.httpUrl, { temperature: 0.5 }));
    await askModel(createModel(anthropic, server.httpUrl, { temperature: 0.5, model: 'claude-haiku-4-5' }));
    expect(server.requests.map((request) => request.body.temperature)).toEqual([undefined, 0.5]);
  });

  it.each([
    ['claude-haiku-5-5', { type: 'disabled' }],
    ['claude-sonnet-5', { type: 'disabled' }],
    ['claude-sonnet-5-5', { type: 'between_tools' }],
    ['claude-opus-5-5', undefined],
  ])('keeps %s from thinking as far as it can be', async (model, thinking) => {
    const server = await start();
    await askModel(createModel(anthropic, server.httpUrl, { model, effort: 'low' }));
    expect(server.requests[0]!.body).toMatchObject({ output_config: { effort: 'low' } });
    expect(server.requests[0]!.body.thinking).toEqual(thinking);
  });

  it('goes to a proxy with a path of its own', async () => {
    const server = await start();
    expect(await failureOf(askModel(createModel(anthropic, `${server.httpUrl}/proxy/v1`)))).toMatchObject({ details: { httpStatus: 404 } });
  });
});

it('takes a first event that is not the API’s for a broken protocol', async () => {
  const server = await start({ fault: () => ({ kind: 'stream-error', afterTokens: -1, error: { nonsense: true } }) });
  expect(await failureOf(askModel(createModel(anthropic, server.httpUrl)))).toMatchObject({ code: 'vendor-protocol' });
});
