import { afterEach, describe, expect, it } from 'vitest';
import { createCountingClock } from '../../../test/support/fakes/counting-clock.js';
import { startFakeOpenai, type FakeOpenai, type FakeOpenaiOptions, type OpenaiFault } from '../../../test/support/fakes/openai.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { settle, until } from '../../../test/support/wait-for.js';
import type { Clock } from '../../base/clock.js';
import type { LanguageModelPart, LanguageModelRequest } from '../language-model.js';
import { openaiCompatible } from './openai-compatible.js';
import { apiBaseUrl } from '../ai-sdk/api-base-url.js';

let fake: FakeOpenai | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

async function start(options: FakeOpenaiOptions = {}): Promise<FakeOpenai> {
  fake = await startFakeOpenai({ apiKey: 'test-key', ...options });
  return fake;
}

function create(baseUrl: string, settings: Record<string, unknown> = {}, clock: Clock = createCountingClock(), apiKey = 'test-key') {
  const leg = openaiCompatible.llm!;
  return leg.create(leg.settingsSchema.parse(settings), { clock, apiKey, baseUrl, fetch });
}

const request = (overrides: Partial<LanguageModelRequest> = {}): LanguageModelRequest => ({
  messages: [{ role: 'user', text: 'Hello u7' }],
  tools: [],
  signal: new AbortController().signal,
  maxOutputTokens: 100,
  ...overrides,
});

async function collect(parts: AsyncIterable<LanguageModelPart>, into: LanguageModelPart[] = []): Promise<LanguageModelPart[]> {
  for await (const part of parts) into.push(part);
  return into;
}
const failureOf = (parts: AsyncIterable<LanguageModelPart>, into: LanguageModelPart[] = []) => collect(parts, into).then(() => undefined, (error: unknown) => error);
const textOf = (parts: readonly LanguageModelPart[]) => parts.map((part) => (part.type === 'text-delta' ? part.text : '')).join('');
const always = (fault: OpenaiFault) => () => fault;

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
    expect(apiBaseUrl(base, '/v1')).toBe(expected);
  });

  it.each([{ modl: 'x' }, { temperature: 3 }, { api_key: 'x' }])('refuses the settings %j', (settings) => {
    expect(openaiCompatible.llm!.settingsSchema.safeParse(settings).success).toBe(false);
  });
});

describe('the reply', () => {
  it('is streamed with its usage over one kept-alive connection', async () => {
    const server = await start();
    const llm = create(server.httpUrl);
    for (let i = 0; i < 3; i += 1) {
      const parts = await collect(llm.stream(request()));
      expect(textOf(parts)).toBe('I heard you u7. That is fine, thank you. What else can I do for you today?');
      expect(parts.at(-1)).toEqual({ type: 'finish', reason: 'stop', usage: { inputTokens: 20, outputTokens: 12 } });
      await settle(5);
    }
    expect(server.openSockets()).toBe(1);
  });

  it('may say something and call two tools, malformed arguments included', async () => {
    const toolCalls = [
      { id: 'a', name: 'one', argumentsJson: '{"x": "a longer argument, in pieces"}' },
      { id: 'b', name: 'two', argumentsJson: '{"x": broken' },
    ];
    const server = await start({ reply: () => ({ text: 'One moment.', toolCalls }) });
    const parts = await collect(create(server.httpUrl).stream(request()));
    expect(textOf(parts)).toBe('One moment.');
    expect(parts.flatMap((part) => (part.type === 'tool-call' ? [part.toolCall] : []))).toEqual(toolCalls);
    expect(parts.at(-1)).toMatchObject({ type: 'finish', reason: 'tool-calls' });
  });

  it('may be empty', async () => {
    const server = await start({ reply: () => ({ text: '' }) });
    expect(await collect(create(server.httpUrl).stream(request()))).toMatchObject([{ type: 'finish', reason: 'stop' }]);
  });

  it.each([
    ['length', 'length'],
    ['content_filter', 'other'],
  ] as const)('that ends by %s finishes as %s', async (finishReason, reason) => {
    const server = await start({ reply: () => ({ text: 'So', finishReason }) });
    expect((await collect(create(server.httpUrl).stream(request()))).at(-1)).toMatchObject({ type: 'finish', reason });
  });

  it('without end is cut by length, and the request is ended', async () => {
    const server = await start({ fault: always({ kind: 'endless' }) });
    const parts = await collect(create(server.httpUrl).stream(request()));
    expect(textOf(parts).length).toBeLessThanOrEqual(1000);
    expect(parts.at(-1)).toEqual({ type: 'finish', reason: 'length', usage: undefined });
    await until(() => server.requests[0]!.outcome === 'aborted');
  });

  it('survives an event that is not JSON', async () => {
    const server = await start({ fault: always({ kind: 'garbage' }) });
    expect(textOf(await collect(create(server.httpUrl).stream(request())))).toContain('u7');
  });
});

describe('failures', () => {
  it.each([
    [400, {}, 'vendor-rejected', undefined, 1],
    [401, {}, 'vendor-unauthorized', undefined, 1],
    [403, {}, 'vendor-unauthorized', undefined, 1],
    [404, {}, 'vendor-rejected', undefined, 1],
    [429, { 'retry-after': '20' }, 'vendor-rate-limited', 20_000, 1],
    [429, {}, 'vendor-rate-limited', undefined, 2],
    [500, {}, 'vendor-unreachable', undefined, 2],
    [503, {}, 'vendor-unreachable', undefined, 2],
  ] as const)('with status %i %j are %s', async (status, headers, code, retryAfterMs, tries) => {
    const server = await start({ fault: always({ kind: 'http', status, headers }) });
    const error = await failureOf(create(server.httpUrl).stream(request()));
    expect(error).toMatchObject({ code, details: { httpStatus: status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } });
    expect(server.requests).toHaveLength(tries);
    // The request is the conversation: an error that is logged must not carry it.
    expect(JSON.stringify(Object.entries(error as object))).not.toContain('Hello');
  });

  it('of a first try are made good by a second one', async () => {
    const server = await start({ fault: (index) => (index === 0 ? { kind: 'reset' } : undefined) });
    expect(textOf(await collect(create(server.httpUrl).stream(request())))).toContain('u7');
    expect(server.requests).toHaveLength(2);
  });

  it.each([
    [{ kind: 'cut', afterTokens: 3 }, 'vendor-unreachable'],
    [{ kind: 'unfinished', afterTokens: 3 }, 'vendor-unreachable'],
    [{ kind: 'stream-error', afterTokens: 3, error: { message: 'Overloaded', type: 'server_error', code: null } }, 'vendor-unreachable'],
    [{ kind: 'stream-error', afterTokens: 3, error: { message: 'Slow down', type: 'requests', code: 'rate_limit_exceeded' } }, 'vendor-rate-limited'],
    [{ kind: 'stream-error', afterTokens: 3, error: { message: 'Too long', type: 'invalid_request_error', code: 'context_length_exceeded' } }, 'vendor-rejected'],
  ] satisfies [OpenaiFault, string][])('in the middle (%j) come after what was said, and are not tried again', async (fault, code) => {
    const server = await start({ fault: always(fault), interTokenMs: 5 });
    const parts: LanguageModelPart[] = [];
    expect(await failureOf(create(server.httpUrl).stream(request()), parts)).toMatchObject({ code });
    expect(textOf(parts)).toBe('I heard you');
    expect(server.requests).toHaveLength(1);
  });

  it('by a model that never says a first word come after the limit', async () => {
    const clock = createVirtualClock();
    const server = await start({ fault: always({ kind: 'no-first-token' }) });
    const outcome = failureOf(create(server.httpUrl, {}, clock).stream(request()));
    await until(() => server.requests.length === 1);
    await clock.advance(7999);
    expect(server.requests[0]!.outcome).toBeNull();
    await clock.advance(2);
    expect(await outcome).toMatchObject({ code: 'vendor-unreachable', retryable: true });
    await until(() => server.requests[0]!.outcome === 'aborted');
    expect(clock.pendingTimers()).toBe(0);
  });

  it('name a base URL that is none', () => {
    expect(() => create('not a url')).toThrow(expect.objectContaining({ code: 'configuration-invalid' }));
  });
});

describe('prewarm', () => {
  it('leaves an open connection that the next request uses', async () => {
    const server = await start();
    const clock = createCountingClock();
    const llm = create(server.httpUrl, {}, clock);
    llm.prewarm!();
    await until(() => server.openSockets() === 1 && clock.pendingTimers() === 0);
    await settle(20);
    await collect(llm.stream(request()));
    expect(server.openSockets()).toBe(1);
  });
});
