import { afterEach, describe, expect, it } from 'vitest';
import { askModel, bookedTwice, bookTool, createModel, failureOf } from '../../../test/support/ask-model.js';
import { startFakeGroq } from '../../../test/support/fakes/groq.js';
import type { ChatRequest } from '../../../test/support/fakes/openai.js';
import type { ScriptedModel, ScriptedModelOptions } from '../../../test/support/fakes/scripted-model.js';
import { groq } from './groq.js';

let fake: ScriptedModel<ChatRequest> | undefined;
afterEach(() => fake?.close());
async function start(options: ScriptedModelOptions<ChatRequest> = {}) {
  fake = await startFakeGroq({ apiKey: 'test-key', ...options });
  return fake;
}

describe('the request', () => {
  it('carries the conversation, the tools and the limits', async () => {
    const server = await start();
    await askModel(createModel(groq, server.httpUrl, { temperature: 0.3, service_tier: 'auto' }), { messages: bookedTwice, tools: [bookTool] });
    expect(server.requests[0]).toMatchObject({ path: '/openai/v1/chat/completions', authorization: 'Bearer test-key' });
    expect(server.requests[0]!.body).toEqual({
      model: 'openai/gpt-oss-120b',
      stream: true,
      max_tokens: 77,
      temperature: 0.3,
      reasoning_effort: 'low',
      service_tier: 'auto',
      messages: [
        { role: 'system', content: 'Be kind.' },
        { role: 'user', content: 'A table at eight u3' },
        {
          role: 'assistant',
          content: 'One moment.',
          tool_calls: [
            { id: 'c1', type: 'function', function: { name: 'book', arguments: '{"at":"20:00"}' } },
            { id: 'c2', type: 'function', function: { name: 'book', arguments: '{"malformed":"{\\"at\\":"}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'c1', content: '{"ok":true}' },
        { role: 'tool', tool_call_id: 'c2', content: 'The arguments were not JSON.' },
      ],
      tools: [{ type: 'function', function: bookTool }],
    });
  });

  it.each([
    ['openai/gpt-oss-20b', undefined, { reasoning_effort: 'low' }],
    ['openai/gpt-oss-20b', 'high', { reasoning_effort: 'high' }],
    ['qwen/qwen3.6-27b', undefined, { reasoning_effort: 'none', reasoning_format: 'parsed' }],
    ['qwen/qwen3-32b', 'default', { reasoning_effort: 'default', reasoning_format: 'parsed' }],
    ['moonshotai/kimi-k2-instruct-0905', undefined, {}],
  ])('lets %s, asked for %s, reason as little as it can', async (model, effort, expected) => {
    const server = await start();
    await askModel(createModel(groq, server.httpUrl, { model, ...(effort === undefined ? {} : { reasoning_effort: effort }) }));
    const fields = Object.entries(server.requests[0]!.body).filter(([name]) => name.startsWith('reasoning'));
    expect(Object.fromEntries(fields)).toEqual(expected);
  });
});

describe('failures', () => {
  it('of the model to call a function are tried again', async () => {
    const error = { message: "Failed to call a function. See 'failed_generation'.", type: 'invalid_request_error', code: 'tool_use_failed', failed_generation: '<function' };
    const server = await start({ fault: (index) => (index === 0 ? { kind: 'http', status: 400, body: { error } } : undefined) });
    expect((await askModel(createModel(groq, server.httpUrl))).at(-1)).toMatchObject({ type: 'finish', reason: 'stop' });
    expect(server.requests).toHaveLength(2);
  });

  it('of a tier without room are no fault of the request', async () => {
    const body = { error: { message: 'Flex tier capacity exceeded', type: 'capacity_exceeded' } };
    const server = await start({ fault: () => ({ kind: 'http', status: 498, body }) });
    expect(await failureOf(askModel(createModel(groq, server.httpUrl)))).toMatchObject({ code: 'vendor-unreachable', retryable: true, details: { httpStatus: 498 } });
  });
});
