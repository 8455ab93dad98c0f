import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.js';
import { parseJson } from '../../src/base/json.js';
import type { LanguageModelPart, LanguageModelRequest, ModelMessage } from '../../src/speech/language-model.js';
import type { VendorModule } from '../../src/speech/vendor.js';
import { modelMessages } from '../../src/workflow/conversation.js';
import type { ConversationEntry } from '../../src/workflow/engine.js';
import { createCountingClock } from '../support/fakes/counting-clock.js';
import type { ModelFault, ScriptedModel, ScriptedModelOptions } from '../support/fakes/scripted-model.js';
import { createVirtualClock } from '../support/virtual-clock.js';
import { settle, until } from '../support/wait-for.js';
import type { StreamedErrorCase } from './language-model-errors.js';

/** A vendor that is asked over HTTP. */
export interface HttpLanguageModel {
  readonly vendor: VendorModule;
  /** Starts a server that speaks the vendor's protocol and refuses what the vendor refuses. */
  readonly start: (options: ScriptedModelOptions<unknown>) => Promise<ScriptedModel<unknown>>;
  /** Errors in the vendor's words. */
  readonly streamErrors: readonly StreamedErrorCase[];
  /** False where the protocol has no place for arguments that are not JSON. */
  readonly sendsArgumentsAsText: boolean;
}

const request = (overrides: Partial<LanguageModelRequest> = {}): LanguageModelRequest => ({
  messages: [{ role: 'user', text: 'Hello u7' }],
  tools: [],
  signal: new AbortController().signal,
  maxOutputTokens: 100,
  ...overrides,
});
const tool = (name: string) => ({ name, description: 'Does it', parameters: { type: 'object', properties: { x: { type: 'string' } } } });

async function collect(parts: AsyncIterable<LanguageModelPart>, into: LanguageModelPart[] = []): Promise<LanguageModelPart[]> {
  for await (const part of parts) into.push(part);
  return into;
}
const failureOf = (parts: AsyncIterable<LanguageModelPart>, into: LanguageModelPart[] = []) =>
  collect(parts, into).then(
    () => undefined,
    (error: unknown) => error,
  );
const textOf = (parts: readonly LanguageModelPart[]) => parts.map((part) => (part.type === 'text-delta' ? part.text : '')).join('');
const callsOf = (parts: readonly LanguageModelPart[]) => parts.flatMap((part) => (part.type === 'tool-call' ? [part.toolCall] : []));
const always = (fault: ModelFault) => () => fault;

const called = (id: string, argumentsJson = '{"x":"1"}') => ({ id, name: 'book', argumentsJson });
const resultOf = (id: string): ConversationEntry & ModelMessage => ({ role: 'tool', toolCallId: id, toolName: 'book', result: 'done' });

/** Conversations as calls leave them. */
const conversations: readonly (readonly [what: string, entries: readonly ConversationEntry[], spoken: string])[] = [
  ['nobody has spoken yet', [], ''],
  ['the agent speaks first', [{ role: 'agent', text: 'Hello.', isInterrupted: false }], ''],
  [
    'replies are interrupted and notes come between',
    [
      { role: 'agent', text: 'Hello, this is', isInterrupted: true },
      { role: 'caller', text: 'Who?', turnId: 1 },
      { role: 'note', text: 'The caller pressed 1.' },
      { role: 'agent', text: 'The bakery', isInterrupted: true },
      { role: 'agent', text: 'As I said.', isInterrupted: false },
      { role: 'note', text: 'The caller has been silent for ten seconds.' },
    ],
    '',
  ],
  [
    'functions are called, some of them after words',
    [
      { role: 'caller', text: 'Book two tables.', turnId: 1 },
      { role: 'agent', text: '', isInterrupted: false, toolCalls: [called('a'), called('b')] },
      resultOf('a'),
      resultOf('b'),
      { role: 'agent', text: 'One more.', isInterrupted: false, toolCalls: [called('c', '{"x": broken')] },
      resultOf('c'),
      { role: 'note', text: 'The call moved on.' },
      { role: 'caller', text: 'Thanks.', turnId: 2 },
    ],
    'You are',
  ],
  ['the window begins with a call', [{ role: 'agent', text: '', isInterrupted: false, toolCalls: [called('a')] }, resultOf('a')], ''],
];

/** Messages in any order at all, which no conversation of ours has, but an API of its own may be given. */
const anyMessages = fc.array(
  fc.oneof(
    fc.constantFrom<ModelMessage>(
      { role: 'system', text: 'Be brief.' },
      { role: 'system', text: '' },
      { role: 'user', text: 'Yes' },
      { role: 'user', text: ' \n' },
      { role: 'assistant', text: 'I see' },
      { role: 'assistant', text: '' },
      { role: 'assistant', text: ' ', toolCalls: [called('a', '[1]')] },
      { role: 'assistant', text: 'So', toolCalls: [called('b', ''), called('c', '{"x"')] },
    ),
    fc.constantFrom('a', 'b', 'c', 'd').map(resultOf),
  ),
  { maxLength: 12 },
);

/** What every language model that is asked over HTTP must do, besides the contract: its requests, its failures, what it leaves behind. */
export function describeHttpLanguageModel({ vendor, start: startFake, streamErrors, sendsArgumentsAsText }: HttpLanguageModel): void {
  describe(`language model over HTTP: ${vendor.name}`, () => {
    let fake: ScriptedModel<unknown>;
    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown) => void unhandled.push(error);
    beforeEach(() => void process.on('unhandledRejection', onUnhandled));
    afterEach(async () => {
      // A connection may wait for the next request; nothing else may stay open.
      await until(() => fake.requests.every(({ outcome }) => outcome !== null) && fake.openSockets() <= 1, 'requests ended and sockets closed');
      await fake.close();
      await settle(5);
      process.off('unhandledRejection', onUnhandled);
      expect(unhandled.splice(0)).toEqual([]);
    });

    async function start(options: ScriptedModelOptions<unknown> = {}): Promise<ScriptedModel<unknown>> {
      fake = await startFake({ apiKey: 'test-key', ...options });
      return fake;
    }
    function create(settings: Record<string, unknown> = {}, clock: Clock = createCountingClock(), apiKey = 'test-key') {
      const leg = vendor.llm!;
      return leg.create(leg.settingsSchema.parse(settings), { clock, apiKey, baseUrl: fake.httpUrl, fetch });
    }

    describe('the conversation', () => {
      it.each(conversations)('is one that the API takes where %s', async (_what, entries, spoken) => {
        await start();
        const messages = modelMessages('Be kind.', entries, { spoken, prompt: 'Say something.', isArrival: false });
        expect((await collect(create().stream(request({ messages, tools: [tool('book')] })))).at(-1)).toMatchObject({ type: 'finish' });
        expect(fake.refusals).toEqual([]);
      });

      it('is one that the API takes whatever the order of its messages', async () => {
        await start();
        const llm = create();
        await fc.assert(
          fc.asyncProperty(anyMessages, async (messages) => {
            await collect(llm.stream(request({ messages: [...messages, { role: 'user', text: 'Well?' }] })));
            // Or the next request finds the connection still busy with the end of this one.
            await settle(1);
          }),
          { numRuns: 80 },
        );
        expect(fake.refusals).toEqual([]);
      });

      it.each(['book', '2nd_floor'])('goes on after two calls of %s with their results', async (name) => {
        const askedFor = (body: unknown) => JSON.stringify(body).match(/"_?(book|2nd_floor)"/)![0].slice(1, -1);
        const callsIn = (body: unknown) => ['first', 'second'].map((id) => ({ ...called(id), name: askedFor(body) }));
        await start({ reply: (body) => (fake.requests.length === 1 ? { text: 'One moment.', toolCalls: callsIn(body) } : undefined) });
        const llm = create();
        const messages: ModelMessage[] = [{ role: 'user', text: 'Two tables u3' }];
        const first = await collect(llm.stream(request({ messages, tools: [tool(name)] })));
        expect(callsOf(first).map((call) => [call.name, parseJson(call.argumentsJson)])).toEqual([[name, { x: '1' }], [name, { x: '1' }]]);
        await settle(5);
        const [one, two] = callsOf(first);
        messages.push({ role: 'assistant', text: textOf(first), toolCalls: callsOf(first) }, resultOf(one!.id), resultOf(two!.id));
        expect(textOf(await collect(llm.stream(request({ messages, tools: [tool(name)] }))))).toContain('u3');
      });
    });

    describe('the reply', () => {
      it('is streamed with its usage over one kept-alive connection', async () => {
        await start();
        const llm = create();
        for (let i = 0; i < 3; i += 1) {
          const parts = await collect(llm.stream(request()));
          expect(textOf(parts)).toBe('I heard you u7. That is fine, thank you. What else can I do for you today?');
          expect(parts.at(-1)).toEqual({ type: 'finish', reason: 'stop', usage: { inputTokens: 20, outputTokens: 12 } });
          await settle(5);
        }
        expect(fake.openSockets()).toBe(1);
      });

      it('may say something and call two functions', async () => {
        const toolCalls = [
          { id: 'a', name: 'one', argumentsJson: '{"x":"a longer argument, in pieces"}' },
          { id: 'b', name: 'two', argumentsJson: sendsArgumentsAsText ? '{"x": broken' : '{}' },
        ];
        await start({ reply: () => ({ text: 'One moment.', toolCalls }) });
        const parts = await collect(create().stream(request({ tools: [tool('one'), tool('two')] })));
        expect(textOf(parts)).toBe('One moment.');
        expect(callsOf(parts)).toEqual(toolCalls);
        expect(parts.at(-1)).toMatchObject({ type: 'finish', reason: 'tool-calls' });
      });

      it.each([
        ['length', 'length'],
        ['content_filter', 'other'],
      ] as const)('that ends by %s finishes as %s', async (finishReason, reason) => {
        await start({ reply: () => ({ text: 'So', finishReason }) });
        expect((await collect(create().stream(request()))).at(-1)).toMatchObject({ type: 'finish', reason });
      });

      it('may be empty', async () => {
        await start({ reply: () => ({ text: '' }) });
        expect(await collect(create().stream(request()))).toMatchObject([{ type: 'finish', reason: 'stop' }]);
      });

      it('without end is cut by length, and the request is ended', async () => {
        await start({ fault: always({ kind: 'endless' }) });
        const parts = await collect(create().stream(request()));
        expect(textOf(parts).length).toBeLessThanOrEqual(1000);
        expect(parts.at(-1)).toEqual({ type: 'finish', reason: 'length', usage: undefined });
        await until(() => fake.requests[0]!.outcome === 'aborted');
      });

      it('survives an event that is not JSON', async () => {
        await start({ fault: always({ kind: 'garbage' }) });
        expect(textOf(await collect(create().stream(request())))).toContain('u7');
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
        [529, {}, 'vendor-unreachable', undefined, 2],
      ] as const)('with status %i %j are %s', async (status, headers, code, retryAfterMs, tries) => {
        await start({ fault: always({ kind: 'http', status, headers }) });
        const error = await failureOf(create().stream(request()));
        expect(error).toMatchObject({ code, details: { httpStatus: status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } });
        expect(fake.requests).toHaveLength(tries);
        // The request is the conversation: an error that is logged must not carry it.
        expect(JSON.stringify(Object.entries(error as object))).not.toContain('Hello');
      });

      it('by an answer that is no error of the API are told by its status', async () => {
        await start({ fault: always({ kind: 'http', status: 502, body: '<html>Bad gateway</html>' }) });
        expect(await failureOf(create().stream(request()))).toMatchObject({ code: 'vendor-unreachable', details: { httpStatus: 502 } });
      });

      it('by a wrong key are not tried again', async () => {
        await start();
        expect(await failureOf(create({}, createCountingClock(), 'wrong').stream(request()))).toMatchObject({ code: 'vendor-unauthorized', retryable: false });
      });

      it('of a first try are made good by a second one', async () => {
        await start({ fault: (index) => (index === 0 ? { kind: 'reset' } : undefined) });
        expect(textOf(await collect(create().stream(request())))).toContain('u7');
        expect(fake.requests).toHaveLength(2);
      });

      const midway: readonly (readonly [ModelFault, string])[] = [
        [{ kind: 'cut', afterTokens: 3 }, 'vendor-unreachable'],
        [{ kind: 'unfinished', afterTokens: 3 }, 'vendor-unreachable'],
        ...streamErrors.map(([error, code]) => [{ kind: 'stream-error', afterTokens: 3, error }, code] as const),
      ];
      it.each(midway)('in the middle (%j) are %s, come after what was said, and are not tried again', async (fault, code) => {
        await start({ fault: always(fault), interTokenMs: 5 });
        const parts: LanguageModelPart[] = [];
        expect(await failureOf(create().stream(request()), parts)).toMatchObject({ code });
        expect(textOf(parts)).toBe('I heard you');
        expect(fake.requests).toHaveLength(1);
      });

      it.each(streamErrors)('that come first in a stream (%j) are %s', async (error, code) => {
        await start({ fault: always({ kind: 'stream-error', afterTokens: -1, error }) });
        expect(await failureOf(create().stream(request()))).toMatchObject({ code });
      });

      it.each(['cut', 'unfinished'] as const)('in the middle of a function call (%s) leave no half of it', async (kind) => {
        const toolCalls = [{ id: 'a', name: 'one', argumentsJson: '{"x":"a longer argument, in pieces"}' }, called('b')];
        await start({ reply: () => ({ text: 'Now.', toolCalls }), fault: always({ kind, afterTokens: 3 }) });
        const parts: LanguageModelPart[] = [];
        expect(await failureOf(create().stream(request({ tools: [tool('one'), tool('book')] })), parts)).toMatchObject({ code: 'vendor-unreachable' });
        expect(callsOf(parts)).toEqual([]);
      });

      it('by a model that never says a first word come after the limit', async () => {
        const clock = createVirtualClock();
        await start({ fault: always({ kind: 'no-first-token' }) });
        const outcome = failureOf(create({ first_part_timeout_ms: 3000 }, clock).stream(request()));
        await until(() => fake.requests.length === 1);
        await clock.advance(2999);
        expect(fake.requests[0]!.outcome).toBeNull();
        await clock.advance(2);
        expect(await outcome).toMatchObject({ code: 'vendor-unreachable', retryable: true });
        await until(() => fake.requests[0]!.outcome === 'aborted');
        expect(clock.pendingTimers()).toBe(0);
      });

      it('are avoided by ending the request at once when the caller speaks', async () => {
        await start({ fault: always({ kind: 'no-first-token' }) });
        const controller = new AbortController();
        const outcome = failureOf(create().stream(request({ signal: controller.signal })));
        await until(() => fake.requests.length === 1);
        const reason = new Error('barged in');
        controller.abort(reason);
        expect(await outcome).toBe(reason);
        await until(() => fake.requests[0]!.outcome === 'aborted');
      });
    });

    it('has a connection open when asked to prewarm, which the next request uses', async () => {
      await start();
      const clock = createCountingClock();
      const llm = create({}, clock);
      llm.prewarm!();
      await until(() => fake.openSockets() === 1 && clock.pendingTimers() === 0);
      await settle(20);
      await collect(llm.stream(request()));
      expect(fake.openSockets()).toBe(1);
    });

    it.each([{ modl: 'x' }, { temperature: 3 }, { first_part_timeout_ms: 1 }, { api_key: 'x' }])('refuses the settings %j', (settings) => {
      expect(vendor.llm!.settingsSchema.safeParse(settings).success).toBe(false);
    });
  });
}
