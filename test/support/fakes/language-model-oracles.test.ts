import Anthropic from '@anthropic-ai/sdk';
import { ApiError, GoogleGenAI, type Content } from '@google/genai';
import Groq from 'groq-sdk';
import { afterEach, describe, expect, it } from 'vitest';
import { startFakeAnthropic } from './anthropic.js';
import { startFakeGoogle } from './google.js';
import { startFakeGroq } from './groq.js';
import type { VendorServer } from './vendor-server.js';

const parameters = { type: 'object', properties: { city: { type: 'string' } } } as const;
const toolCalls = [
  { id: 'call_7', name: 'weather', argumentsJson: '{"city":"Porto"}' },
  { id: 'call_8', name: 'weather', argumentsJson: '{"city":"Faro"}' },
];
const scripted = (isAsked: boolean) => (isAsked ? { text: 'Let me see.', toolCalls } : { text: 'It is sunny. Goodbye.' });
const limited = (request: number) => (request === 3 ? ({ kind: 'http', status: 429 } as const) : undefined);

/** The vendors’ own SDKs talk with the fakes, so that a fake and its adapter cannot share a misreading of the protocol. */
describe('the language models’ fakes, as the vendors’ own SDKs see them', () => {
  const running: VendorServer[] = [];
  afterEach(async () => {
    for (const server of running.splice(0)) await server.close();
  });
  const keep = <Server extends VendorServer>(server: Server): Server => {
    running.push(server);
    return server;
  };

  it('@anthropic-ai/sdk: a stream with two calls, their results, a whole answer, and errors', async () => {
    const fake = keep(await startFakeAnthropic({ apiKey: 'test-key', reply: (body) => scripted(body.messages.length === 1 && body.tools !== undefined), fault: limited }));
    const client = new Anthropic({ apiKey: 'test-key', baseURL: fake.httpUrl, maxRetries: 0 });
    const options = { model: 'claude-haiku-5-5', max_tokens: 100 } as const;
    const tools = [{ name: 'weather', description: 'The weather', input_schema: parameters }];
    const question: Anthropic.MessageParam = { role: 'user', content: 'How is the weather in Porto and Faro?' };

    const first = await client.messages.stream({ ...options, messages: [question], tools }).finalMessage();
    expect(first).toMatchObject({ stop_reason: 'tool_use', usage: { input_tokens: 20, output_tokens: 12 } });
    expect(first.content).toMatchObject([
      { type: 'text', text: 'Let me see.' },
      { type: 'tool_use', id: 'call_7', name: 'weather', input: { city: 'Porto' } },
      { type: 'tool_use', id: 'call_8', name: 'weather', input: { city: 'Faro' } },
    ]);
    const results: Anthropic.MessageParam = {
      role: 'user',
      content: ['call_7', 'call_8'].map((id) => ({ type: 'tool_result', tool_use_id: id, content: 'sunny' })),
    };
    const answer: Anthropic.MessageParam = { role: 'assistant', content: first.content };
    expect(await client.messages.stream({ ...options, messages: [question, answer, results], tools }).finalText()).toBe('It is sunny. Goodbye.');
    expect(await client.messages.create({ ...options, messages: [question] })).toMatchObject({ stop_reason: 'end_turn', content: [{ text: 'It is sunny. Goodbye.' }] });
    await expect(client.messages.create({ ...options, messages: [question] })).rejects.toThrow(Anthropic.RateLimitError);

    const half: Anthropic.MessageParam = { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_7', content: 'sunny' }] };
    const refused: readonly (readonly [Anthropic.MessageParam[], string])[] = [
      [[answer, results], 'first message must use the'],
      [[question, question], 'roles must alternate'],
      [[question, answer, half], 'were found without `tool_result` blocks immediately after'],
      [[question, { role: 'assistant', content: 'Well.' }, results], 'unexpected `tool_use_id`'],
      [[{ role: 'user', content: ' ' }], 'non-whitespace'],
      [[question, { role: 'assistant', content: 'Well.' }], 'must end with a user message'],
    ];
    for (const [messages, message] of refused) {
      const outcome = client.messages.create({ ...options, messages }).catch((error: unknown) => error);
      expect(await outcome).toBeInstanceOf(Anthropic.BadRequestError);
      expect(String(await outcome)).toContain(message);
    }
    const stranger = new Anthropic({ apiKey: 'wrong', baseURL: fake.httpUrl, maxRetries: 0 });
    await expect(stranger.messages.create({ ...options, messages: [question] })).rejects.toThrow(Anthropic.AuthenticationError);
  });

  it('@google/genai: a stream with two calls, their results, a whole answer, and errors', async () => {
    const fake = keep(await startFakeGoogle({ apiKey: 'test-key', reply: (body) => scripted(body.contents!.length === 1 && body.tools !== undefined), fault: limited }));
    const httpOptions = { baseUrl: fake.httpUrl };
    const client = new GoogleGenAI({ apiKey: 'test-key', httpOptions });
    const model = 'gemini-3.5-flash-lite';
    const config = { tools: [{ functionDeclarations: [{ name: 'weather', description: 'The weather', parametersJsonSchema: parameters }] }] };
    const question: Content = { role: 'user', parts: [{ text: 'How is the weather in Porto and Faro?' }] };

    let text = '';
    const answer: Content = { role: 'model', parts: [] };
    let last;
    for await (const chunk of await client.models.generateContentStream({ model, contents: [question], config })) {
      const parts = chunk.candidates?.[0]?.content?.parts ?? [];
      text += parts.map((part) => part.text ?? '').join('');
      answer.parts!.push(...parts.filter((part) => part.text !== ''));
      last = chunk;
    }
    expect(text).toBe('Let me see.');
    expect(last).toMatchObject({ candidates: [{ finishReason: 'STOP' }], usageMetadata: { promptTokenCount: 20, candidatesTokenCount: 12 } });
    const calls = answer.parts!.flatMap((part) => (part.functionCall === undefined ? [] : [part.functionCall]));
    expect(calls).toMatchObject([{ id: 'call_7', name: 'weather', args: { city: 'Porto' } }, { id: 'call_8', args: { city: 'Faro' } }]);

    const results: Content = { role: 'user', parts: calls.map(({ id }) => ({ functionResponse: { id: id!, name: 'weather', response: { output: 'sunny' } } })) };
    text = '';
    for await (const chunk of await client.models.generateContentStream({ model, contents: [question, answer, results], config })) text += chunk.text ?? '';
    expect(text).toBe('It is sunny. Goodbye.');
    expect((await client.models.generateContent({ model, contents: [question] })).text).toBe('It is sunny. Goodbye.');
    expect(await client.models.generateContent({ model, contents: [question] }).catch((error: unknown) => error)).toMatchObject({ status: 429 });

    const unsigned: Content = { role: 'model', parts: answer.parts!.map(({ thoughtSignature: _, ...part }) => part) };
    const refused: readonly (readonly [Content[], string])[] = [
      [[answer, results], 'begin with a user role'],
      [[question, answer], 'end with a user role'],
      [[question, answer, { role: 'user', parts: results.parts!.slice(0, 1) }], 'number of function response parts is equal'],
      [[question, answer, question], 'number of function response parts is equal'],
      [[question, unsigned, results], 'missing a thought_signature'],
      [[question, { role: 'model', parts: [{ text: 'Well.' }] }, results], 'immediately after a function call turn'],
      [[question, { role: 'model', parts: [{ text: 'Well.' }] }, answer, results], 'immediately after a user turn'],
      [[{ role: 'user', parts: [] }], 'must not be empty'],
    ];
    for (const [contents, message] of refused) {
      const error: unknown = await client.models.generateContent({ model, contents }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ status: 400 });
      expect(String(error)).toContain(message);
    }
    const stranger = new GoogleGenAI({ apiKey: 'wrong', httpOptions });
    const error: unknown = await stranger.models.generateContent({ model, contents: [question] }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(String(error)).toContain('API_KEY_INVALID');
  });

  it('groq-sdk: a stream with two calls, their results, a whole answer, and errors', async () => {
    const fake = keep(await startFakeGroq({ apiKey: 'test-key', reply: (body) => scripted(body.messages.length === 1 && body.tools !== undefined), fault: limited }));
    const client = new Groq({ apiKey: 'test-key', baseURL: fake.httpUrl, maxRetries: 0 });
    const options = { model: 'openai/gpt-oss-120b', reasoning_effort: 'low' } as const;
    const tools = [{ type: 'function' as const, function: { name: 'weather', description: 'The weather', parameters } }];
    const question = { role: 'user' as const, content: 'How is the weather in Porto and Faro?' };

    let text = '';
    const calls: { id: string; type: 'function'; function: { name: string; arguments: string } }[] = [];
    let last;
    for await (const chunk of await client.chat.completions.create({ ...options, stream: true, messages: [question], tools })) {
      text += chunk.choices[0]?.delta.content ?? '';
      for (const { index, id, function: called } of chunk.choices[0]?.delta.tool_calls ?? []) {
        calls[index] ??= { id: id!, type: 'function', function: { name: called!.name!, arguments: '' } };
        calls[index].function.arguments += called?.arguments ?? '';
      }
      last = chunk;
    }
    expect(text).toBe('Let me see.');
    expect(calls.map((call) => ({ id: call.id, name: call.function.name, argumentsJson: call.function.arguments }))).toEqual(toolCalls);
    expect(last).toMatchObject({ choices: [{ finish_reason: 'tool_calls' }], x_groq: { usage: { prompt_tokens: 20, completion_tokens: 12 } } });

    const answer = { role: 'assistant' as const, content: text, tool_calls: calls };
    const results = calls.map((call) => ({ role: 'tool' as const, tool_call_id: call.id, content: 'sunny' }));
    text = '';
    for await (const chunk of await client.chat.completions.create({ ...options, stream: true, messages: [question, answer, ...results], tools })) {
      text += chunk.choices[0]?.delta.content ?? '';
    }
    expect(text).toBe('It is sunny. Goodbye.');
    expect((await client.chat.completions.create({ ...options, messages: [question] })).choices[0]!.message.content).toBe('It is sunny. Goodbye.');
    await expect(client.chat.completions.create({ ...options, messages: [question] })).rejects.toThrow(Groq.RateLimitError);
    await expect(client.chat.completions.create({ ...options, messages: [question, answer, results[0]!] })).rejects.toThrow('must be followed by tool messages');
    await expect(client.chat.completions.create({ ...options, messages: [question, ...results] })).rejects.toThrow(Groq.BadRequestError);
    await expect(client.chat.completions.create({ ...options, messages: [question], reasoning_effort: 'none' })).rejects.toThrow('must be one of');
    const stranger = new Groq({ apiKey: 'wrong', baseURL: fake.httpUrl, maxRetries: 0 });
    await expect(stranger.chat.completions.create({ ...options, messages: [question] })).rejects.toThrow(Groq.AuthenticationError);
  });
});
