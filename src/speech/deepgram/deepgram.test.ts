import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { createCountingClock } from '../../../test/support/fakes/counting-clock.js';
import { startFakeDeepgram, type DeepgramFault, type FakeDeepgram, type FakeDeepgramOptions } from '../../../test/support/fakes/deepgram.js';
import { babble, renderCodedWords, silence, type CodedWord } from '../../../test/support/fakes/speech-audio.js';
import { findClosedPort } from '../../../test/support/fakes/vendor-server.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { settle, until } from '../../../test/support/wait-for.js';
import type { Clock } from '../../base/clock.js';
import type { SpeechToTextEvent } from '../speech-to-text.js';
import { createAudioRing } from '../audio-ring.js';
import { deepgram } from './deepgram.js';
import { parseListenMessage } from './messages.js';
import { createPendingFinalizes } from './pending-finalizes.js';

let fake: FakeDeepgram | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

async function start(options: FakeDeepgramOptions = {}): Promise<FakeDeepgram> {
  fake = await startFakeDeepgram({ apiKey: 'test-key', ...options });
  return fake;
}

/** Opens a stream at `baseUrl` and keeps what it reports. */
function listen(baseUrl: string, settings: Record<string, unknown> = {}, options: { clock?: Clock; apiKey?: string; language?: string; keyterms?: string[] } = {}) {
  const events: SpeechToTextEvent[] = [];
  const leg = deepgram.stt!;
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

describe('the request', () => {
  it('asks for mu-law, interim results and the options, and names the key in the Token scheme', async () => {
    const server = await start();
    const settings = { language: 'de', keyterms: ['Agent Stream'], endpointing_ms: 500, smart_format: false };
    const { stream, count } = listen(server.wsUrl, settings, { keyterms: ['Porto', 'Agent Stream'] });
    await until(() => count('stt-ready') === 1);
    stream.close();
    const { query, authorization } = server.connections[0]!;
    expect(authorization).toBe('Token test-key');
    expect([...query.entries()]).toEqual([
      ['model', 'nova-3'],
      ['language', 'de'],
      ['encoding', 'mulaw'],
      ['sample_rate', '8000'],
      ['channels', '1'],
      ['interim_results', 'true'],
      ['punctuate', 'true'],
      ['smart_format', 'false'],
      ['endpointing', '500'],
      ['keyterm', 'Agent Stream'],
      ['keyterm', 'Porto'],
    ]);
  });

  it('uses the language of the call, and keywords for models before nova-3', async () => {
    const server = await start();
    const { stream, count } = listen(server.wsUrl, { model: 'nova-2-phonecall' }, { language: 'pt-BR', keyterms: ['Porto'] });
    await until(() => count('stt-ready') === 1);
    stream.close();
    const { query } = server.connections[0]!;
    expect([query.get('language'), query.get('keywords'), query.get('keyterm')]).toEqual(['pt-BR', 'Porto', null]);
  });

  it.each([{ modle: 'nova-3' }, { endpointing_ms: 5 }, { endpointing_ms: '300' }, { keyterms: 'Porto' }, { model: '' }])('refuses the settings %j', (settings) => {
    expect(deepgram.stt!.settingsSchema.safeParse(settings).success).toBe(false);
  });
});

describe('audio', () => {
  it('goes out in messages of 40 to 80 ms, and the remainder before Finalize', async () => {
    const server = await start();
    const { stream, push, count } = listen(server.wsUrl);
    await until(() => count('stt-ready') === 1);
    push(silence(980));
    stream.finalize();
    await until(() => count('finalized') === 1);
    stream.close();
    const { audioSizes } = server.connections[0]!;
    const last = audioSizes.at(-1)!;
    for (const size of audioSizes.slice(0, -1)) {
      expect(size).toBeGreaterThanOrEqual(320);
      expect(size).toBeLessThanOrEqual(640);
    }
    expect(last).toBeLessThanOrEqual(640);
    expect(audioSizes.reduce((sum, size) => sum + size, 0)).toBe(980 * 8);
  });

  it('is kept for 5 s while the vendor cannot be reached yet', async () => {
    const server = await start();
    const { stream, push, say, finals, count } = listen(server.wsUrl);
    push(silence(7000));
    say('alpha', 'bravo');
    push(silence(4000));
    stream.finalize();
    await until(() => count('finalized') === 1);
    expect(finals()).toBe('alpha bravo');
    expect(server.connections[0]!.audioSizes.reduce((sum, size) => sum + size, 0)).toBe(5000 * 8);
    stream.close();
  });

  it('is replaced by KeepAlive when there is none', async () => {
    const clock = createVirtualClock();
    const server = await start();
    const { stream, count } = listen(server.wsUrl, {}, { clock });
    await until(() => count('stt-ready') === 1);
    for (let i = 0; i < 50; i += 1) {
      await clock.advance(500);
      await settle(2);
    }
    const keepAlives = server.connections[0]!.controls.filter((type) => type === 'KeepAlive').length;
    expect(keepAlives).toBeGreaterThanOrEqual(5);
    expect(keepAlives).toBeLessThanOrEqual(8);
    expect(server.connections).toHaveLength(1);
    stream.close();
    await until(() => server.openSockets() === 0);
    expect(server.connections[0]!.controls.at(-1)).toBe('CloseStream');
    expect(clock.pendingTimers()).toBe(0);
  });
});

describe('events', () => {
  it('reports interim text, the final, the pause that ends a turn and the words that go on', async () => {
    const server = await start();
    const { stream, push, say, events, finals } = listen(server.wsUrl);
    say('alpha', 'bravo', 'charlie');
    push(silence(400));
    await until(() => finals() === 'alpha bravo charlie');
    say('delta');
    push(silence(400));
    await until(() => finals().endsWith('delta'));
    await settle(20);
    stream.close();
    const types = events.map((event) => event.type);
    expect(types[0]).toBe('stt-ready');
    expect(types.filter((type) => type !== 'transcript-interim')).toEqual(['stt-ready', 'transcript-final', 'turn-pause', 'turn-resumed', 'transcript-final', 'turn-pause']);
    expect(events.find((event) => event.type === 'transcript-interim')).toMatchObject({ text: expect.stringMatching(/^alpha/) as string });
  });

  it('answers finalize at once when all audio is final already', async () => {
    const server = await start();
    const { stream, push, say, count, finals } = listen(server.wsUrl, { endpointing_ms: 280 });
    say('alpha');
    push(silence(200));
    await until(() => finals() === 'alpha');
    stream.finalize();
    expect(count('finalized')).toBe(0);
    await until(() => count('finalized') === 1);
    expect(server.connections[0]!.controls).toEqual([]);
    stream.close();
  });

  it('answers finalize after 1.5 s when the vendor does not, and still reports a late final', async () => {
    const clock = createVirtualClock();
    const server = await start({ fault: () => ({ results: 'late', delayMs: 150 }) });
    const { stream, say, count, finals } = listen(server.wsUrl, {}, { clock });
    await until(() => count('stt-ready') === 1);
    say('alpha');
    stream.finalize();
    await clock.advance(1499);
    expect(count('finalized')).toBe(0);
    await clock.advance(1);
    expect(count('finalized')).toBe(1);
    await until(() => finals() === 'alpha');
    expect(count('finalized')).toBe(1);
    stream.close();
  });
});

describe('refusals', () => {
  it.each([
    [401, {}, 'vendor-unauthorized', 1],
    [403, {}, 'vendor-unauthorized', 1],
    [400, {}, 'vendor-rejected', 1],
    [429, { 'Retry-After': '30' }, 'vendor-rate-limited', 1],
    [429, {}, 'vendor-rate-limited', 3],
    [503, {}, 'vendor-unreachable', 3],
  ] as const)('of %i %j fail once as %s after %i tries', async (status, headers, code, tries) => {
    let attempts = 0;
    const server = await start({
      fault() {
        attempts += 1;
        return { upgrade: { kind: 'http', status, headers } };
      },
    });
    const { say, error, count } = listen(server.wsUrl);
    say('alpha');
    await until(() => count('stt-failed') === 1);
    expect(error()?.code).toBe(code);
    await settle(700);
    expect(attempts).toBe(tries);
    expect(count('stt-failed')).toBe(1);
  });

  it('of the key name no second try and hold no key', async () => {
    const server = await start();
    const { error, count } = listen(server.wsUrl, {}, { apiKey: 'secret-wrong-key' });
    await until(() => count('stt-failed') === 1);
    expect(error()?.code).toBe('vendor-unauthorized');
    expect(JSON.stringify([error()?.message, error()?.details, String(error()?.cause)])).not.toContain('secret');
  });

  it('of the connection fail after three tries', async () => {
    const { error, count } = listen(`ws://127.0.0.1:${await findClosedPort()}`);
    await until(() => count('stt-failed') === 1);
    expect(error()?.code).toBe('vendor-unreachable');
  });

  it('by silence fail within 5 s and a try', async () => {
    const clock = createVirtualClock();
    const server = await start({ fault: () => ({ upgrade: { kind: 'hang' } }) });
    const { count } = listen(server.wsUrl, {}, { clock });
    for (let waitedMs = 0; waitedMs < 7000 && count('stt-failed') === 0; waitedMs += 100) {
      await clock.advance(100);
      await settle(3);
    }
    expect(count('stt-failed')).toBe(1);
    expect(clock.pendingTimers()).toBe(0);
    await until(() => server.openSockets() === 0);
  });

  it('right after opening, again and again, fail after three tries', async () => {
    const server = await start({ fault: () => ({ socket: { kind: 'close', code: 1011 }, afterAudioMs: 60 }) });
    const { push, count } = listen(server.wsUrl);
    push(silence(3000));
    await until(() => count('stt-failed') === 1);
    expect(server.connections).toHaveLength(3);
  });
});

describe('losses during a call', () => {
  const words: CodedWord[] = ['alpha', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot'];
  const first = (fault: DeepgramFault) => (connection: number) => (connection === 0 ? fault : undefined);

  it.each([
    ['a reset in a word', { socket: { kind: 'cut' }, afterAudioMs: 700 }],
    ['a reset between words', { socket: { kind: 'cut' }, afterAudioMs: 1400 }],
    ['close 1011', { socket: { kind: 'close', code: 1011 }, afterAudioMs: 1000 }],
    ['close 1000', { socket: { kind: 'close', code: 1000 }, afterAudioMs: 1000 }],
    ['garbage in place of results', { results: 'garbage' }],
    ['no results at all', { results: 'none' }],
    ['a peer that stops reading', { socket: { kind: 'stop-reading' }, afterAudioMs: 700 }],
  ] satisfies [string, DeepgramFault][])('lose no word and repeat none: %s', async (_name, fault) => {
    const server = await start({ fault: first(fault) });
    const { stream, push, say, events, finals, count } = listen(server.wsUrl);
    await until(() => count('stt-ready') === 1);
    say(words[0]!, words[1]!);
    push(silence(400));
    await settle(20);
    say(words[2]!, words[3]!);
    push(silence(400));
    await settle(20);
    say(words[4]!, words[5]!);
    push(silence(400));
    await until(() => server.connections.length === 2 || finals() === words.join(' '));
    for (let i = 0; i < 40 && server.connections.length < 2; i += 1) await settle(100);
    await until(() => finals() === words.join(' '));
    stream.finalize();
    await until(() => count('finalized') === 1);
    expect(finals()).toBe(words.join(' '));
    expect(server.connections).toHaveLength(2);
    expect(count('stt-failed')).toBe(0);
    expect(count('stt-ready')).toBe(1);
    const times = events.flatMap((event) => (event.type === 'transcript-final' ? [event.startMs!] : []));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    stream.close();
    await until(() => count('stt-failed') === 0 && server.connections[1]!.closeCode !== null);
  });

  it('are over within 500 ms', async () => {
    const server = await start({ fault: first({ socket: { kind: 'cut' }, afterAudioMs: 300 }) });
    const { stream, say, finals, count } = listen(server.wsUrl);
    await until(() => count('stt-ready') === 1);
    const startMs = performance.now();
    say('alpha', 'bravo');
    await until(() => server.connections.length === 2);
    expect(performance.now() - startMs).toBeLessThan(500);
    stream.finalize();
    await until(() => finals() === 'alpha bravo');
    stream.close();
  });

  it('by refused audio (1008) are final', async () => {
    const server = await start({ fault: first({ socket: { kind: 'close', code: 1008, reason: 'DATA-0000' }, afterAudioMs: 60 }) });
    const { push, error, count } = listen(server.wsUrl);
    push(silence(200));
    await until(() => count('stt-failed') === 1);
    expect(error()?.code).toBe('vendor-rejected');
    expect(server.connections).toHaveLength(1);
  });

  it('answer a finalize that was asked for while the connection was away', async () => {
    const server = await start({ fault: first({ socket: { kind: 'cut' }, afterAudioMs: 500 }) });
    const { stream, say, finals, count } = listen(server.wsUrl);
    await until(() => count('stt-ready') === 1);
    say('alpha', 'bravo', 'charlie');
    stream.finalize();
    await until(() => count('finalized') === 1);
    expect(finals()).toBe('alpha bravo charlie');
    stream.close();
  });

  it('are not suspected while the caller is silent', async () => {
    const clock = createVirtualClock();
    const server = await start({ fault: () => ({ results: 'none' }) });
    const { stream, push } = listen(server.wsUrl, {}, { clock });
    for (let i = 0; i < 60; i += 1) {
      push(silence(200));
      await clock.advance(200);
      await settle(2);
    }
    expect(server.connections).toHaveLength(1);
    stream.close();
  });

  it('by a vendor that hears nothing of loud speech end in a failure', async () => {
    const clock = createVirtualClock();
    const server = await start({ fault: () => ({ results: 'none' }) });
    const { push, count } = listen(server.wsUrl, {}, { clock });
    for (let i = 0; i < 100 && count('stt-failed') === 0; i += 1) {
      push(babble(200));
      await clock.advance(200);
      await settle(2);
    }
    expect(count('stt-failed')).toBe(1);
    expect(server.connections.length).toBeLessThanOrEqual(3);
  });
});

describe('createAudioRing', () => {
  it('holds the newest bytes at their positions', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 12 }), fc.integer({ min: 1, max: 40 }), (capacity, pushes, step) => {
        const ring = createAudioRing(capacity);
        const all = Buffer.concat(pushes);
        for (const bytes of pushes) ring.push(bytes);
        expect(ring.end).toBe(all.length);
        expect(ring.start).toBe(Math.max(0, all.length - capacity));
        const read: Buffer[] = [];
        for (let position = ring.start; position < ring.end; ) {
          const view = ring.view(position, step);
          expect(view.length).toBeGreaterThan(0);
          read.push(Buffer.from(view));
          position += view.length;
        }
        expect(Buffer.concat(read)).toEqual(all.subarray(ring.start));
      }),
    );
  });
});

describe('createPendingFinalizes', () => {
  it('answers each request exactly once, whatever the vendor does', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), by: fc.integer({ min: 0, max: 4000 }) }),
      fc.record({ do: fc.constantFrom('answered' as const, 'covered' as const, 'due' as const), by: fc.integer({ min: 0, max: 20_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const list = createPendingFinalizes();
        let asked = 0;
        let answered = 0;
        let position = 0;
        for (const { do: action, by } of steps) {
          if (action === 'add') {
            position += by;
            asked += 1;
            answered += list.add(position, asked);
          } else if (action === 'answered') answered += list.settleAnswered(by);
          else if (action === 'covered') answered += list.settleCovered(by);
          else answered += list.settleDue(by % 30);
          expect(list.count).toBe(asked - answered);
          expect(list.count).toBeLessThanOrEqual(8);
        }
      }),
    );
  });

  it('does not take the late answer to one request for the answer to the next', () => {
    const list = createPendingFinalizes();
    list.add(8000, 1);
    expect(list.settleCovered(8000)).toBe(1);
    list.add(16_000, 2);
    expect(list.settleAnswered(8000)).toBe(0);
    expect(list.settleAnswered(15_000)).toBe(1);
  });
});

describe('parseListenMessage', () => {
  it('never throws, and reads nothing into anything', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const message = parseListenMessage(Buffer.from(text));
        expect(message === null || message.type === 'unknown' || message.type === 'results' || message.type === 'error').toBe(true);
      }),
    );
    expect(parseListenMessage(Buffer.from('{"type":"Results","channel":[],"start":"x","duration":-1}'))).toMatchObject({ text: '', startMs: 0, endMs: 0, isFinal: false });
  });
});
