import { afterEach, describe, expect, it } from 'vitest';
import { listenTo } from '../../../test/contracts/speech-to-text-faults.js';
import { startFakeDeepgram, type DeepgramFault, type FakeDeepgram, type FakeDeepgramOptions } from '../../../test/support/fakes/deepgram.js';
import { codedWords, silence } from '../../../test/support/fakes/speech-audio.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { expectReadsAnything } from '../../../test/support/recogniser-case.js';
import { settle, until } from '../../../test/support/wait-for.js';
import { deepgram } from './deepgram.js';
import { createFluxWire } from './flux.js';
import { createNovaWire } from './nova.js';

let fake: FakeDeepgram | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

async function start(options: FakeDeepgramOptions = {}): Promise<FakeDeepgram> {
  fake = await startFakeDeepgram({ apiKey: 'test-key', ...options });
  return fake;
}

const first = (fault: DeepgramFault) => (connection: number) => (connection === 0 ? fault : undefined);
const listen = (baseUrl: string, settings: Record<string, unknown> = {}, options: Parameters<typeof listenTo>[2] = {}) =>
  listenTo({ vendor: deepgram, settings }, baseUrl, options);

describe('the request', () => {
  it('asks for mu-law, interim results and the options, and names the key in the Token scheme', async () => {
    const server = await start();
    const settings = { language: 'de', keyterms: ['Agent Stream'], endpointing_ms: 500, smart_format: false };
    const { stream, count } = listen(server.wsUrl, settings, { keyterms: ['Porto', 'Agent Stream'] });
    await until(() => count('stt-ready') === 1);
    stream.close();
    const { query, headers } = server.connections[0]!;
    expect(headers.authorization).toBe('Token test-key');
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

describe('losses during a call', () => {
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
});

describe('flux', () => {
  const flux = { model: 'flux-general-en', eager_eot_threshold: 0.4 };

  it('asks for its endpoint, and for a language only where the model takes one', async () => {
    const server = await start();
    const english = listen(server.wsUrl, { ...flux, keyterms: ['Porto'], eot_timeout_ms: 2000 });
    const multilingual = listen(server.wsUrl, { model: 'flux-general-multi' }, { language: 'pt-BR' });
    await until(() => english.count('stt-ready') + multilingual.count('stt-ready') === 2);
    english.stream.close();
    multilingual.stream.close();
    expect(server.connections.map(({ path }) => path)).toEqual(['/v2/listen', '/v2/listen']);
    expect([...server.connections[0]!.query.entries()]).toEqual([
      ['model', 'flux-general-en'],
      ['encoding', 'mulaw'],
      ['sample_rate', '8000'],
      ['eot_threshold', '0.7'],
      ['eot_timeout_ms', '2000'],
      ['eager_eot_threshold', '0.4'],
      ['keyterm', 'Porto'],
    ]);
    expect(server.connections[1]!.query.get('language_hint')).toBe('pt');
  });

  it('tells when a turn starts, may be over and is over', async () => {
    const server = await start();
    const { stream, push, say, events, count } = listen(server.wsUrl, flux);
    for (const turn of [1, 2]) {
      say('alpha', 'bravo', 'charlie');
      push(silence(400));
      await until(() => count('turn-end') === turn);
    }
    stream.close();
    const types = events.map((event) => event.type).filter((type) => type !== 'transcript-interim');
    const turn = ['speech-start', 'turn-pause', 'transcript-final', 'turn-end'];
    expect(types).toEqual(['stt-ready', ...turn, ...turn]);
    const [, second] = events.filter((event) => event.type === 'transcript-final');
    expect(second).toMatchObject({ text: 'alpha bravo charlie', startMs: 840 + 400 });
  });

  it('sends nothing but audio while nothing is said, and pings instead', async () => {
    const clock = createVirtualClock();
    const server = await start();
    const { stream, count } = listen(server.wsUrl, flux, { clock });
    await until(() => count('stt-ready') === 1);
    for (let i = 0; i < 40; i += 1) {
      await clock.advance(500);
      await settle(2);
    }
    stream.finalize();
    expect([server.connections.length, server.connections[0]!.controls]).toEqual([1, []]);
    stream.close();
  });

  it('keeps the words of a long turn that can no longer be sent again', async () => {
    const server = await start({ fault: first({ socket: { kind: 'cut' }, afterAudioMs: 8000 }) });
    const { stream, push, say, finals, count } = listen(server.wsUrl, flux);
    await until(() => count('stt-ready') === 1);
    const words = Array.from({ length: 40 }, (_, index) => codedWords[index % codedWords.length]!);
    for (let i = 0; i < words.length; i += 4) {
      say(...words.slice(i, i + 4));
      await settle(30);
    }
    push(silence(400));
    await until(() => count('turn-end') === 1);
    expect(server.connections).toHaveLength(2);
    // The word at the border is heard by halves; no other is lost or said twice.
    const heard = finals().split(' ');
    expect(heard.length).toBeGreaterThanOrEqual(words.length - 1);
    expect(heard.length).toBeLessThanOrEqual(words.length + 1);
    expect(heard.slice(0, 8)).toEqual(words.slice(0, 8));
    expect(heard.slice(-8)).toEqual(words.slice(-8));
    stream.close();
  });
});

describe('the codecs', () => {
  it.each([createNovaWire, createFluxWire])('never throw, and read nothing into anything', (createWire) => {
    const codec = createWire('', {}).createCodec();
    expectReadsAnything((text) => codec.parse(text));
    expect(createNovaWire('', {}).createCodec().parse(Buffer.from('{"type":"Results","channel":[],"start":"x","duration":-1}'))).toEqual([{ type: 'text-revised', text: '' }]);
  });
});
