import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.js';
import { AgentStreamError } from '../../src/base/errors.js';
import type { LanguageModelRequest, ModelMessage, ModelTool } from '../../src/speech/language-model.js';
import type { RealtimeModel, RealtimePart, RealtimeSession } from '../../src/speech/realtime-model.js';
import type { SpeechToTextEvent } from '../../src/speech/speech-to-text.js';
import { createCountingClock, type CountingClock } from '../support/fakes/counting-clock.js';
import { isLoudFrame, renderCodedWords, silence, type CodedWord } from '../support/fakes/speech-audio.js';
import { findClosedPort, type SocketFault, type UpgradeFault, type VendorServer } from '../support/fakes/vendor-server.js';
import { settle, until } from '../support/wait-for.js';

/** What goes wrong with a connection to a speech-to-speech vendor. */
export type RealtimeContractFault =
  | { readonly upgrade: UpgradeFault }
  | { readonly socket: SocketFault; readonly afterAudioMs: number }
  | { readonly messages: 'garbage' }
  | { readonly session: 'silent' };

/** What the vendor answers to a response. */
export interface RealtimeContractScript {
  readonly text?: string;
  readonly calls?: readonly { readonly name: string; readonly argumentsJson?: string }[];
  /** It fails. */
  readonly error?: string;
}

/** Something the vendor remembers of the conversation, in order. */
export interface RealtimeMemoryEntry {
  readonly who: 'caller-heard' | 'agent-spoke' | 'told' | 'result';
  readonly text: string;
  /** Of the agent's speech: how much of it is remembered. */
  readonly audioMs: number;
}

/** A fake of the vendor. It hears coded words, speaks 60 ms for each character, and sends speech 8 times faster than it is heard. */
export interface FakeRealtimeVendor extends VendorServer {
  /** All mu-law audio of the caller on one connection, 0 being the first. */
  heard(connection?: number): Buffer;
  /** All mu-law audio of the agent. */
  spoken(connection?: number): Buffer;
  memory(connection?: number): readonly RealtimeMemoryEntry[];
  /** Requests that the vendor found fault with. */
  problems(): readonly string[];
  readonly connectionCount: number;
}

/** A speech-to-speech vendor under test. */
export interface RealtimeSubject {
  /** True: the vendor ends the caller's turns; false: the call does, and asks for the words. */
  readonly endsTurns: boolean;
  /** True: its speech comes at another rate, so that only its length and its loudness are the same. */
  readonly isResampled: boolean;
  /** True: its memory can be cut to what was heard, and fixed words stay out of it; false: it is told what was heard, and remembers them. */
  readonly cutsMemory: boolean;
  /** The vendor answers by itself, remembers its fixed words, and cuts its memory by itself: what is left of the contract holds. Default: false. */
  readonly ownsConversation?: boolean;
  create(context: { readonly clock: Clock; readonly apiKey: string; readonly baseUrl: string }): RealtimeModel;
  startFake(options: {
    readonly apiKey: string;
    readonly respond?: (index: number) => RealtimeContractScript;
    readonly fault?: (connection: number) => RealtimeContractFault | undefined;
  }): Promise<FakeRealtimeVendor>;
}

const system: ModelMessage = { role: 'system', text: 'You answer the phone.' };
const user = (text: string): ModelMessage => ({ role: 'user', text });
const assistant = (text: string): ModelMessage => ({ role: 'assistant', text });
const tool: ModelTool = { name: 'look_up', description: 'Looks something up.', parameters: { type: 'object', properties: {} } };
const LONG = 'This answer takes a good while to say, so that it can be cut off in the middle of it.';

/** What every speech-to-speech model must do, over real sockets. */
export function describeRealtimeModel(name: string, subject: RealtimeSubject): void {
  describe(`realtime-model contract: ${name}`, () => {
    /** What only a vendor can do that speaks when it is asked, and forgets when it is told. */
    const itWhereAsked = (title: string, test: () => Promise<void>) => {
      if (subject.ownsConversation !== true) it(title, test);
    };
    const fakes: FakeRealtimeVendor[] = [];
    const controllers: AbortController[] = [];
    afterEach(async () => {
      for (const controller of controllers.splice(0)) controller.abort();
      for (const fake of fakes.splice(0)) await fake.close();
    });

    interface Opened {
      readonly fake: FakeRealtimeVendor;
      readonly session: RealtimeSession;
      readonly events: SpeechToTextEvent[];
      readonly clock: CountingClock;
      readonly controller: AbortController;
      count(type: SpeechToTextEvent['type']): number;
      finals(): string;
    }
    function openAt(fake: FakeRealtimeVendor, baseUrl: string, apiKey = 'test-key'): Opened {
      const clock = createCountingClock();
      const controller = new AbortController();
      controllers.push(controller);
      const events: SpeechToTextEvent[] = [];
      const model = subject.create({ clock, apiKey, baseUrl });
      const session = model.open({ language: 'en-US', keyterms: ['Acme'], signal: controller.signal, onEvent: (event) => events.push(event) });
      return {
        fake,
        session,
        events,
        clock,
        controller,
        count: (type) => events.filter((event) => event.type === type).length,
        finals: () => events.flatMap((event) => (event.type === 'transcript-final' ? [event.text] : [])).join(' '),
      };
    }
    async function open(options: Omit<Parameters<RealtimeSubject['startFake']>[0], 'apiKey'> = {}): Promise<Opened> {
      const fake = await subject.startFake({ apiKey: 'test-key', ...options });
      fakes.push(fake);
      return openAt(fake, fake.wsUrl);
    }
    async function openReady(options: Parameters<typeof open>[0] = {}): Promise<Opened> {
      const opened = await open(options);
      await until(() => opened.count('stt-ready') === 1);
      return opened;
    }
    const requestOf = (messages: readonly ModelMessage[], signal = new AbortController().signal, tools: readonly ModelTool[] = []): LanguageModelRequest => ({
      messages: [system, ...messages],
      tools,
      signal,
      maxOutputTokens: 600,
    });
    async function read(parts: AsyncIterable<RealtimePart>, onPart: (part: RealtimePart) => void = () => undefined) {
      const audio: Buffer[] = [];
      let text = '';
      const types: string[] = [];
      const calls: { id: string; name: string }[] = [];
      for await (const part of parts) {
        if (types.at(-1) !== part.type) types.push(part.type);
        if (part.type === 'audio') audio.push(Buffer.from(part.audio));
        if (part.type === 'text-delta') text += part.text;
        if (part.type === 'tool-call') calls.push({ id: part.toolCall.id, name: part.toolCall.name });
        onPart(part);
      }
      return { audio: Buffer.concat(audio), text, types, calls };
    }
    const codeOf = async (parts: AsyncIterable<RealtimePart>): Promise<string> => {
      const error: unknown = await read(parts).then(
        () => 'it ended',
        (thrown: unknown) => thrown,
      );
      return error instanceof AgentStreamError ? error.code : String(error);
    };
    function expectSameSpeech(audio: Buffer, sent: Buffer): void {
      if (!subject.isResampled) return expect(audio.equals(sent)).toBe(true);
      expect(audio.length).toBe(sent.length);
      const loudness = (whole: Buffer) => Array.from({ length: Math.floor(whole.length / 160) }, (_, index) => isLoudFrame(whole.subarray(160 * index, 160 * (index + 1))));
      expect(loudness(audio)).toEqual(loudness(sent));
    }
    async function endTurn({ session, count }: Opened, turns = 1): Promise<void> {
      if (subject.endsTurns) return until(() => count('turn-end') === turns, 'the end of the turn');
      session.recogniser.finalize();
      await until(() => count('finalized') === turns, 'the answer to finalize');
    }
    function speak(session: RealtimeSession, words: string): Buffer {
      const audio = Buffer.concat([renderCodedWords(words.split(' ') as CodedWord[]), silence(700)]);
      const frame = Buffer.alloc(160);
      for (let i = 0; i + 160 <= audio.length; i += 160) {
        audio.copy(frame, 0, i, i + 160);
        session.recogniser.push(frame);
        // The contract lets the caller use its buffer again at once.
        frame.fill(0);
      }
      return audio;
    }

    it('hears the caller: byte for byte, with words, and the end of the turn', async () => {
      const opened = await openReady();
      const { session, finals, fake, events } = opened;
      const audio = speak(session, 'alpha bravo');
      await endTurn(opened);
      expect(finals()).toBe('alpha bravo');
      expect(events.findIndex(({ type }) => type === 'transcript-final')).toBeLessThan(events.findIndex(({ type }) => type === (subject.endsTurns ? 'turn-end' : 'finalized')));
      expect(fake.heard().equals(audio.subarray(0, fake.heard().length))).toBe(true);
      expect(fake.heard().length).toBeGreaterThan(audio.length - 1600);
    });

    it('answers finalize', async () => {
      const { session, count } = await openReady();
      speak(session, 'alpha');
      session.recogniser.finalize();
      await until(() => count('finalized') === 1, 'the answer');
    });

    itWhereAsked('says nothing on its own', async () => {
      const opened = await openReady();
      const { session, fake } = opened;
      speak(session, 'alpha bravo');
      await endTurn(opened);
      await settle(200);
      expect(fake.spoken().length).toBe(0);
    });

    it('answers when it is asked: words, and speech as the vendor sent it', async () => {
      const { session, fake } = await openReady({ respond: () => ({ text: 'Good morning to you.' }) });
      const { audio, text, types } = await read(session.respond(requestOf([user('alpha')])).parts);
      expect(text).toBe('Good morning to you.');
      expect(audio.length).toBe('Good morning to you.'.length * 60 * 8);
      expectSameSpeech(audio, fake.spoken());
      expect(types.at(-1)).toBe('finish');
      expect(fake.problems()).toEqual([]);
    });

    it('calls functions, and is told their results once', async () => {
      const respond = (index: number) => (index === 0 ? { calls: [{ name: 'look_up', argumentsJson: '{"of":"it"}' }] } : { text: 'It is so.' });
      const { session, fake } = await openReady({ respond });
      const first = await read(session.respond(requestOf([user('alpha')], undefined, [tool])).parts);
      expect(first.calls).toEqual([{ id: expect.any(String) as string, name: 'look_up' }]);
      const call = { id: first.calls[0]!.id, name: 'look_up', argumentsJson: '{}' };
      const after: readonly ModelMessage[] = [
        user('alpha'),
        { role: 'assistant', text: '', toolCalls: [call] },
        { role: 'tool', toolCallId: call.id, toolName: 'look_up', result: 'It is found.' },
      ];
      await read(session.respond(requestOf(after)).parts);
      await read(session.respond(requestOf([...after, assistant('It is so.'), user('[The caller pressed 5.]')])).parts);
      expect(fake.memory().filter(({ who }) => who === 'result').map(({ text }) => text)).toEqual(['It is found.']);
      expect(fake.memory().filter(({ who }) => who === 'told').map(({ text }) => text)).toEqual(['[The caller pressed 5.]']);
      expect(fake.problems()).toEqual([]);
    });

    it('takes up words that others said, and leaves out what it heard and said itself', async () => {
      const opened = await openReady();
      const { session, fake } = opened;
      session.noteSaid('Welcome to Acme.');
      speak(session, 'alpha bravo');
      await endTurn(opened);
      const messages = [user('[The call begins.]'), assistant('Welcome to Acme.'), user('alpha bravo')];
      await read(session.respond(requestOf(messages)).parts);
      await read(session.respond(requestOf([...messages, assistant('I see.'), user('charlie\n[Note.]')])).parts);
      expect(fake.memory().filter(({ who }) => who === 'told').map(({ text }) => text)).toEqual(['Welcome to Acme.', '[Note.]']);
      expect(fake.memory().filter(({ who }) => who === 'caller-heard').map(({ text }) => text)).toEqual(['alpha bravo']);
    });

    itWhereAsked('is cut off: the vendor remembers what was heard, and answers again at once', async () => {
      const { session, fake } = await openReady({ respond: (index) => ({ text: index === 0 ? LONG : 'Yes?' }) });
      const cutting = new AbortController();
      const response = session.respond(requestOf([user('alpha')], cutting.signal));
      let heardMs = 0;
      const reading = read(response.parts, (part) => {
        if (part.type === 'audio') heardMs += part.audio.length / 8;
        if (heardMs >= 1000) cutting.abort(new AgentStreamError('run-not-live'));
      });
      await expect(reading).rejects.toThrow();
      response.settle(640);
      const next = await read(session.respond(requestOf([user('alpha'), assistant('This answer —'), user('bravo')])).parts);
      expect(next.text).toBe('Yes?');
      if (subject.cutsMemory) expect(fake.memory().filter(({ who }) => who === 'agent-spoke').map(({ audioMs }) => audioMs)).toEqual([640, 'Yes?'.length * 60]);
      else expect(fake.memory().filter(({ who, text }) => who === 'told' && text.includes('heard only “This'))).toHaveLength(1);
      expect(fake.problems()).toEqual([]);
      expect(fake.spoken().length).toBeLessThan(LONG.length * 60 * 8);
    });

    itWhereAsked('is cut off before anything was heard: the vendor forgets it', async () => {
      const { session, fake } = await openReady({ respond: (index) => ({ text: index === 0 ? LONG : 'Yes?' }) });
      const cutting = new AbortController();
      const response = session.respond(requestOf([user('alpha')], cutting.signal));
      const reading = read(response.parts, (part) => {
        if (part.type === 'audio') cutting.abort(new AgentStreamError('run-not-live'));
      });
      await expect(reading).rejects.toThrow();
      response.settle(0);
      await read(session.respond(requestOf([user('alpha'), user('bravo')])).parts);
      if (subject.cutsMemory) expect(fake.memory().filter(({ who }) => who === 'agent-spoke').map(({ text }) => text)).toEqual(['Yes?']);
      else expect(fake.memory().filter(({ who, text }) => who === 'told' && text.includes('heard nothing'))).toHaveLength(1);
      expect(fake.problems()).toEqual([]);
    });

    it('is cut off as soon as it was asked: the vendor is stopped once it begins', async () => {
      const { session, fake } = await openReady({ respond: (index) => ({ text: index === 0 ? LONG : 'Yes?' }) });
      const cutting = new AbortController();
      const response = session.respond(requestOf([user('alpha')], cutting.signal));
      const reading = read(response.parts).catch(() => 'cut');
      await Promise.resolve();
      cutting.abort(new AgentStreamError('run-not-live'));
      response.settle(0);
      expect(await reading).toBe('cut');
      expect((await read(session.respond(requestOf([user('bravo')])).parts)).text).toMatch(/^(Yes\?|This answer)/);
      expect(fake.problems()).toEqual([]);
    });

    it('says fixed words, and is not told of them again', async () => {
      const { session, fake } = await openReady();
      const { audio } = await read(session.say('Please hold the line.', new AbortController().signal));
      expectSameSpeech(audio, fake.spoken());
      expect(audio.length).toBe('Please hold the line.'.length * 60 * 8);
      if (subject.ownsConversation === true) return expect(fake.memory().map(({ text }) => text)).toEqual(['Please hold the line.']);
      if (subject.cutsMemory) return expect(fake.memory()).toEqual([]);
      session.noteSaid('Please hold the line.');
      await read(session.respond(requestOf([user('[The call begins.]'), assistant('Please hold the line.'), user('[Note.]')])).parts);
      expect(fake.memory().filter(({ who }) => who === 'told').map(({ text }) => text)).toEqual(['[Note.]']);
    });

    it('fails one response where the vendor does, and answers the next', async () => {
      const { session, count } = await openReady({ respond: (index) => (index === 0 ? { error: 'server_error' } : { text: 'Yes?' }) });
      expect(await codeOf(session.respond(requestOf([user('alpha')])).parts)).toBe('vendor-unreachable');
      expect((await read(session.respond(requestOf([user('alpha')])).parts)).text).toBe('Yes?');
      expect(count('stt-failed')).toBe(0);
    });

    it('connects again where the line breaks: no words are lost, and the vendor is told everything anew', async () => {
      const fault = (connection: number) => (connection === 0 ? ({ socket: { kind: 'cut' }, afterAudioMs: 300 } as const) : undefined);
      const opened = await openReady({ fault });
      const { session, fake, count, finals } = opened;
      session.noteSaid('Welcome to Acme.');
      speak(session, 'alpha bravo');
      await until(() => fake.connectionCount === 2);
      await endTurn(opened);
      expect(finals()).toBe('alpha bravo');
      const messages = [user('[The call begins.]'), assistant('Welcome to Acme.'), user('juliett'), assistant('I see.'), user('alpha bravo')];
      await read(session.respond(requestOf(messages)).parts);
      expect(fake.connectionCount).toBe(2);
      expect(fake.memory(1).filter(({ who }) => who === 'told').map(({ text }) => text)).toEqual(['Welcome to Acme.', 'juliett', 'I see.', 'alpha bravo']);
      expect(count('stt-failed')).toBe(0);
    });

    it('fails the response that is under way when the line breaks', async () => {
      const fault = (connection: number) => (connection === 0 ? ({ socket: { kind: 'close', code: 1011 }, afterAudioMs: 200 } as const) : undefined);
      const { session, fake } = await openReady({ fault, respond: () => ({ text: LONG }) });
      const code = codeOf(session.respond(requestOf([user('alpha')])).parts);
      await until(() => fake.spoken().length > 0);
      // A vendor that owns the conversation takes speech for an interruption, and ends the response in good order; others may be sent speech only.
      if (subject.ownsConversation === true) for (let ms = 0; ms <= 240; ms += 20) session.recogniser.push(silence(20));
      else speak(session, 'alpha bravo');
      expect(await code).toBe('vendor-unreachable');
    });

    it.each([
      ['a key that is refused', { upgrade: { kind: 'http', status: 401 } }, 'vendor-unauthorized'],
      ['a vendor that is overloaded', { upgrade: { kind: 'http', status: 503 } }, 'vendor-unreachable'],
      ['connections that are reset', { upgrade: { kind: 'reset' } }, 'vendor-unreachable'],
      ['a session that is never set up', { session: 'silent' }, 'vendor-unreachable'],
      ['messages that cannot be read', { messages: 'garbage' }, 'vendor-protocol'],
    ] as const)('gives up on %s, and says so once', async (_name, fault, code) => {
      const { session, events, count, fake } = await open({ fault: () => fault });
      const first = codeOf(session.say('Hello.', new AbortController().signal));
      speak(session, 'alpha');
      await until(() => count('stt-failed') === 1, 'the failure');
      const failed = events.find((event) => event.type === 'stt-failed');
      expect(failed).toMatchObject({ error: { code } });
      expect(await first).toMatch(/^vendor-/);
      expect(await codeOf(session.respond(requestOf([user('alpha')])).parts)).toMatch(/^vendor-/);
      await settle(300);
      expect(count('stt-failed')).toBe(1);
      expect(fake.connectionCount).toBeLessThanOrEqual(3);
    }, 20_000);

    it('fails where nobody listens', async () => {
      const { fake } = await open();
      const { session, events, count } = openAt(fake, `ws://127.0.0.1:${await findClosedPort()}`);
      await until(() => count('stt-failed') === 1, 'the failure');
      expect(events.at(-1)).toMatchObject({ type: 'stt-failed', error: { code: 'vendor-unreachable' } });
      expect(await codeOf(session.say('Hello.', new AbortController().signal))).toBe('vendor-unreachable');
    });

    it.each(['close', 'abort'] as const)('leaves nothing behind after %s, whatever was under way', async (how) => {
      const { session, fake, clock, controller, events } = await openReady({ respond: () => ({ text: LONG }) });
      speak(session, 'alpha');
      session.recogniser.finalize();
      const reading = codeOf(session.respond(requestOf([user('alpha')], controller.signal)).parts);
      await until(() => fake.spoken().length > 0);
      if (how === 'close') session.close();
      else controller.abort(new AgentStreamError('run-not-live'));
      const eventsBefore = events.length;
      expect(await reading).toMatch(/^(vendor-failed|run-not-live)$/);
      await until(() => fake.openSockets() === 0, 'sockets freed');
      await until(() => clock.pendingTimers() === 0, 'timers freed');
      session.close();
      session.recogniser.push(silence(20));
      session.recogniser.finalize();
      await settle(50);
      expect(events.length).toBe(eventsBefore);
      expect(clock.pendingTimers()).toBe(0);
    });
  });
}
