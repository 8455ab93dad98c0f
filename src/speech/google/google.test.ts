import { afterEach, describe, expect, it } from 'vitest';
import { askModel, bookedTwice, bookTool, createModel, failureOf } from '../../../test/support/ask-model.js';
import { startFakeGoogle, type GeminiRequest } from '../../../test/support/fakes/google.js';
import type { ScriptedModel, ScriptedModelOptions } from '../../../test/support/fakes/scripted-model.js';
import { settle } from '../../../test/support/wait-for.js';
import { google } from './google.js';
import { thinkingConfigOf } from './settings.js';

let fake: ScriptedModel<GeminiRequest> | undefined;
afterEach(() => fake?.close());
async function start(options: ScriptedModelOptions<GeminiRequest> = {}) {
  fake = await startFakeGoogle({ apiKey: 'test-key', ...options });
  return fake;
}

describe('the request', () => {
  it('carries the conversation, the tools and the limits', async () => {
    const server = await start();
    await askModel(createModel(google, server.httpUrl, { temperature: 0.3 }), { messages: bookedTwice, tools: [bookTool] });
    expect(server.requests[0]!.path).toBe('/v1beta/models/gemini-3.5-flash-lite:streamGenerateContent?alt=sse');
    expect(server.requests[0]!.body).toMatchObject({
      systemInstruction: { parts: [{ text: 'Be kind.' }] },
      contents: [
        { role: 'user', parts: [{ text: 'A table at eight u3' }] },
        {
          role: 'model',
          parts: [
            { text: 'One moment.' },
            { functionCall: { name: 'book', args: { at: '20:00' } } },
            // The API takes an object and nothing else.
            { functionCall: { name: 'book', args: { malformed: '{"at":' } } },
          ],
        },
        {
          role: 'user',
          parts: [
            { functionResponse: { name: 'book', response: { content: '{"ok":true}' } } },
            { functionResponse: { name: 'book', response: { content: 'The arguments were not JSON.' } } },
          ],
        },
      ],
      tools: [{ functionDeclarations: [{ name: 'book', description: 'Books a table' }] }],
      generationConfig: { maxOutputTokens: 77, temperature: 0.3, thinkingConfig: { thinkingLevel: 'minimal' } },
    });
  });

  it('gives the model back the signature of its call', async () => {
    const server = await start({ reply: () => (server.requests.length === 1 ? { toolCalls: [{ id: 'c9', name: 'book', argumentsJson: '{"at":"19:00"}' }] } : undefined) });
    const model = createModel(google, server.httpUrl);
    const parts = await askModel(model, { tools: [bookTool] });
    await settle(5);
    const toolCalls = parts.flatMap((part) => (part.type === 'tool-call' ? [part.toolCall] : []));
    await askModel(model, {
      tools: [bookTool],
      messages: [
        { role: 'user', text: 'A table' },
        { role: 'assistant', text: '', toolCalls },
        { role: 'tool', toolCallId: toolCalls[0]!.id, toolName: 'book', result: 'done' },
      ],
    });
    expect(server.requests[1]!.body.contents![1]!.parts[0]).toMatchObject({ functionCall: { id: 'c9' }, thoughtSignature: 'signature-of-c9' });
  });

  it.each([
    ['gemini-3.5-flash-lite', undefined, { thinkingLevel: 'minimal' }],
    ['gemini-3-flash-preview', undefined, { thinkingLevel: 'minimal' }],
    ['gemini-3.6-flash', 'medium', { thinkingLevel: 'medium' }],
    ['gemini-3.8-flash', undefined, { thinkingLevel: 'low' }],
    ['gemini-3.1-pro-preview', undefined, { thinkingLevel: 'low' }],
    ['gemini-4-argon', undefined, { thinkingLevel: 'low' }],
    ['gemini-2.5-flash', undefined, { thinkingBudget: 0 }],
    ['gemini-2.5-flash', 'high', { thinkingBudget: 0 }],
    ['gemini-2.5-pro', undefined, { thinkingBudget: 128 }],
    ['gemini-2.0-flash', undefined, undefined],
    ['gemma-3-27b-it', undefined, undefined],
  ] as const)('lets %s, asked for %s, think as little as it can', async (model, level, expected) => {
    expect(thinkingConfigOf({ model, thinking_level: level })).toEqual(expected);
    const server = await start();
    await askModel(createModel(google, server.httpUrl, { model, ...(level === undefined ? {} : { thinking_level: level }) }));
    expect(server.requests[0]!.body.generationConfig!.thinkingConfig).toEqual(expected);
  });
});

it('takes a wrong key, a 400 to this API, for one', async () => {
  const server = await start({ apiKey: 'another' });
  expect(await failureOf(askModel(createModel(google, server.httpUrl)))).toMatchObject({ code: 'vendor-unauthorized', details: { httpStatus: 400 } });
});

it('waits as long as the body of a refusal asks for', async () => {
  const details = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34.5s' }];
  const body = { error: { code: 429, message: 'You exceeded your current quota.', status: 'RESOURCE_EXHAUSTED', details } };
  const server = await start({ fault: () => ({ kind: 'http', status: 429, body }) });
  expect(await failureOf(askModel(createModel(google, server.httpUrl)))).toMatchObject({ code: 'vendor-rate-limited', details: { httpStatus: 429, retryAfterMs: 34_500 } });
  expect(server.requests).toHaveLength(1);
});
