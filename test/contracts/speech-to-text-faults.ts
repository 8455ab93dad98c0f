import { afterAll, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.js';
import type { SpeechToTextEvent } from '../../src/speech/speech-to-text.js';
import type { StallRule } from '../../src/speech/recogniser-wire.js';
import type { VendorModule } from '../../src/speech/vendor.js';
import { createCountingClock } from '../support/fakes/counting-clock.js';
import type { FakeRecogniser, FakeRecogniserOptions, RecogniserFault } from '../support/fakes/recogniser-server.js';
import { babble, renderCodedWords, silence, type CodedWord } from '../support/fakes/speech-audio.js';
import { createVirtualClock } from '../support/virtual-clock.js';
import { settle, until } from '../support/wait-for.js';

/** A recogniser behind a network, and the fake that breaks it. */
export interface NetworkRecogniserSubject {
  readonly vendor: VendorModule;
  readonly settings?: Record<string, unknown>;
  readonly startFake: (options: FakeRecogniserOptions) => Promise<FakeRecogniser>;
  /** Silence after each phrase, besides the suite's: as much as the vendor needs at least. Default 0. */
  readonly pauseMs?: number;
  /** What its silence is measured by. Default: speech. */
  readonly owes?: StallRule['owes'];
  /** Why it has no interim text, where it has none. */
  readonly withoutInterim?: string;
}

/** Opens a stream at `baseUrl` and keeps what it reports. */
export function listenTo(
  { vendor, settings = {} }: Pick<NetworkRecogniserSubject, 'vendor' | 'settings'>,
  baseUrl: string,
  options: { clock?: Clock; apiKey?: string; language?: string; keyterms?: string[] } = {},
) {
  const events: SpeechToTextEvent[] = [];
  const leg = vendor.stt!;
  const context = { clock: options.clock ?? createCountingClock(), apiKey: options.apiKey ?? 'test-key', baseUrl, fetch };
  const stream = leg.create(leg.settingsSchema.parse(settings), context).open({
    language: options.language ?? 'en-US',
    keyterms: options.keyterms ?? [],
    signal: new AbortController().signal,
    onEvent: (event) => events.push(event),
  });
  const push = (audio: Buffer) => {
    for (let i = 0; i < audio.length; i += 160) stream.push(audio.subarray(i, i + 160));
  };
  return {
    stream,
    events,
    push,
    say: (...words: CodedWord[]) => push(renderCodedWords(words)),
    count: (type: SpeechToTextEvent['type']) => events.filter((event) => event.type === type).length,
    finals: () => events.flatMap((event) => (event.type === 'transcript-final' ? [event.text] : [])).join(' '),
    error: () => events.find((event) => event.type === 'stt-failed')?.error,
  };
}

/** What every recogniser behind a network must do when the network, the vendor or the key fails (F7, F10, F11). */
export function describeNetworkRecogniser(name: string, subject: NetworkRecogniserSubject): void {
  describe(`speech-to-text over a network: ${name}`, () => {
    const fakes: FakeRecogniser[] = [];
    afterAll(() => Promise.all(fakes.map((fake) => fake.close())));
    const start = async (options: FakeRecogniserOptions = {}): Promise<FakeRecogniser> => {
      const fake = await subject.startFake({ apiKey: 'test-key', ...options });
      fakes.push(fake);
      return fake;
    };
    const listen = (server: FakeRecogniser, options: Parameters<typeof listenTo>[2] = {}) => listenTo(subject, server.wsUrl, options);
    const first = (fault: RecogniserFault) => (connection: number) => (connection === 0 ? fault : undefined);

    it('sends all audio, in messages of 40 to 100 ms, and the remainder before it finalizes', async () => {
      const server = await start();
      const { stream, push, count } = listen(server);
      await until(() => count('stt-ready') === 1);
      push(silence(980));
      stream.finalize();
      const sizes = server.connections[0]!.audioSizes;
      const total = () => sizes.reduce((sum, size) => sum + size, 0);
      // A remainder that is too short for a message may wait for more.
      await until(() => total() > 980 * 8 - 400);
      for (const size of sizes.slice(0, -1)) expect(size).toBeGreaterThanOrEqual(320);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(800);
      stream.close();
    });

    if (subject.withoutInterim === undefined) it('says interim text while it is spoken, and each word once in the finals', async () => {
      const server = await start();
      const { stream, push, say, events, finals, count } = listen(server);
      say('alpha', 'bravo', 'charlie', 'delta');
      await until(() => count('transcript-interim') > 0);
      push(silence(300));
      stream.finalize();
      await until(() => count('finalized') === 1);
      expect(events.find((event) => event.type === 'transcript-interim')).toMatchObject({ text: expect.stringMatching(/^alpha/i) as string });
      expect(finals().toLowerCase().replace(/[^a-z ]/g, '')).toBe('alpha bravo charlie delta');
      stream.close();
    });

    // In real time, and most of it waits.
    it.concurrent.each([
      [401, {}, 'vendor-unauthorized', 1],
      [403, {}, 'vendor-unauthorized', 1],
      [400, {}, 'vendor-rejected', 1],
      [429, { 'Retry-After': '30' }, 'vendor-rate-limited', 1],
      [429, {}, 'vendor-rate-limited', 3],
      [503, {}, 'vendor-unreachable', 3],
    ] as const)('fails once when refused with %i %j, as %s after %i tries', async (status, headers, code, tries) => {
      let attempts = 0;
      const server = await start({
        fault() {
          attempts += 1;
          return { upgrade: { kind: 'http', status, headers } };
        },
      });
      const { say, error, count } = listen(server);
      say('alpha');
      await until(() => count('stt-failed') === 1);
      expect(error()?.code).toBe(code);
      // Longer than any wait before another try.
      await settle(300);
      expect(attempts).toBe(tries);
      expect(count('stt-failed')).toBe(1);
    });

    it('fails once when the key is wrong, without telling it', async () => {
      const server = await start();
      const { error, count } = listen(server, { apiKey: 'secret-wrong-key' });
      await until(() => count('stt-failed') === 1);
      expect(error()?.code).toBe('vendor-unauthorized');
      expect(JSON.stringify([error()?.message, error()?.details, String(error()?.cause)])).not.toContain('secret');
    });

    it('fails within 7 s when nobody answers', async () => {
      const clock = createVirtualClock();
      const server = await start({ fault: () => ({ upgrade: { kind: 'hang' } }) });
      const { count } = listen(server, { clock });
      for (let waitedMs = 0; waitedMs < 7000 && count('stt-failed') === 0; waitedMs += 100) {
        await clock.advance(100);
        await settle(3);
      }
      expect(count('stt-failed')).toBe(1);
      expect(clock.pendingTimers()).toBe(0);
      await until(() => server.openSockets() === 0);
    });

    it('fails after three tries when each is closed right after opening', async () => {
      const server = await start({ fault: () => ({ socket: { kind: 'close', code: 1011 }, afterAudioMs: 60 }) });
      const { push, count } = listen(server);
      push(silence(3000));
      await until(() => count('stt-failed') === 1);
      expect(server.connections).toHaveLength(3);
    });

    const words: CodedWord[] = ['alpha', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot'];
    const losses: readonly (readonly [string, RecogniserFault])[] = [
      ['a reset in a word', { socket: { kind: 'cut' }, afterAudioMs: 700 }],
      ['a reset between words', { socket: { kind: 'cut' }, afterAudioMs: 1400 }],
      ['close 1011', { socket: { kind: 'close', code: 1011 }, afterAudioMs: 1000 }],
      ['close 1000', { socket: { kind: 'close', code: 1000 }, afterAudioMs: 1000 }],
      ['garbage in place of results', { results: 'garbage' }],
      ['a peer that stops reading', { socket: { kind: 'stop-reading' }, afterAudioMs: 700 }],
      ['no results at all', { results: 'none' }],
    ];
    it.concurrent.each(losses)('loses no word and repeats none after %s', async (_name, fault) => {
      const server = await start({ fault: first(fault) });
      const { stream, push, say, events, finals, count } = listen(server);
      const heard = () => finals().toLowerCase().replace(/[^a-z ]/g, '');
      await until(() => count('stt-ready') === 1);
      for (let i = 0; i < words.length; i += 2) {
        say(words[i]!, words[i + 1]!);
        push(silence(400));
        await settle(20);
        stream.finalize();
      }
      push(silence(300));
      await until(() => heard() === words.join(' '));
      await until(() => count('finalized') === 3);
      expect(heard()).toBe(words.join(' '));
      expect(server.connections).toHaveLength(2);
      expect([count('stt-failed'), count('stt-ready')]).toEqual([0, 1]);
      const times = events.flatMap((event) => (event.type === 'transcript-final' && event.startMs !== undefined ? [event.startMs] : []));
      expect(times).toEqual([...times].sort((a, b) => a - b));
      stream.close();
    });

    it('is back within 500 ms of a loss', async () => {
      const server = await start({ fault: first({ socket: { kind: 'cut' }, afterAudioMs: 300 }) });
      const { stream, say, count } = listen(server);
      await until(() => count('stt-ready') === 1);
      const startMs = performance.now();
      say('alpha', 'bravo');
      await until(() => server.connections.length === 2);
      expect(performance.now() - startMs).toBeLessThan(500);
      stream.close();
    });

    it('suspects no vendor while the caller is silent', async () => {
      const clock = createVirtualClock();
      const server = await start({ fault: () => ({ results: 'none' }) });
      const { stream, push } = listen(server, { clock });
      for (let i = 0; i < 60; i += 1) {
        push(silence(200));
        await clock.advance(200);
        await settle(2);
      }
      expect(server.connections).toHaveLength(1);
      stream.close();
    });

    /** 20 s of loud audio; `isAsked`: the caller pauses every 2 s. */
    async function babbleOn(isAsked: boolean) {
      const clock = createVirtualClock();
      const server = await start({ fault: () => ({ results: 'none' }) });
      const { stream, push, count } = listen(server, { clock });
      for (let i = 0; i < 100 && count('stt-failed') === 0; i += 1) {
        push(babble(200));
        if (isAsked && i % 10 === 9) stream.finalize();
        await clock.advance(200);
        await settle(2);
      }
      stream.close();
      return { failures: count('stt-failed'), connections: server.connections.length };
    }
    const { owes = 'speech' } = subject;
    if (owes === 'words') {
      it('is connected with anew where speech stays without an answer, and is not given up: it may have been noise', async () => {
        const { failures, connections } = await babbleOn(true);
        expect(failures).toBe(0);
        expect(connections).toBeGreaterThan(1);
        expect(connections).toBeLessThanOrEqual(10);
      });
    } else {
      it('fails when the vendor answers nothing that it always answers', async () => {
        const { failures, connections } = await babbleOn(owes === 'request');
        expect(failures).toBe(1);
        expect(connections).toBeLessThanOrEqual(3);
      });
    }

    if (owes !== 'speech') {
      it('suspects no vendor that says nothing of noise', async () => expect(await babbleOn(false)).toEqual({ failures: 0, connections: 1 }));
    }

    it('leaves no timer and no socket when it is closed', async () => {
      const clock = createVirtualClock();
      const server = await start();
      const { stream, say, count } = listen(server, { clock });
      await until(() => count('stt-ready') === 1);
      say('alpha');
      stream.finalize();
      stream.close();
      await until(() => server.openSockets() === 0);
      await clock.advance(5000);
      expect(clock.pendingTimers()).toBe(0);
    });
  });
}
