import { afterEach, describe, expect, it } from 'vitest';
import { openFakeVoice, speakAndKeep } from '../../../test/contracts/voice-faults.js';
import { startFakeOpenaiVoice, type FakeOpenaiVoice, type FakeOpenaiVoiceOptions } from '../../../test/support/fakes/openai-voice.js';
import type { VoiceFault } from '../../../test/support/fakes/speech-queue.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { settle, until } from '../../../test/support/wait-for.js';
import { openaiCompatible } from './openai-compatible.js';

let fake: FakeOpenaiVoice | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

async function start(options: FakeOpenaiVoiceOptions = {}): Promise<FakeOpenaiVoice> {
  fake = await startFakeOpenaiVoice({ apiKey: 'test-key', pace: 40, ...options });
  return fake;
}

const sentence = 'A sentence that is not over in a moment.';
const first = (fault: VoiceFault) => (request: number) => (request === 0 ? fault : undefined);
const inputsOf = (server: FakeOpenaiVoice) => server.requests.map(({ body }) => body['input']);
/** The resampler's tail makes each request's audio a little longer than its text. */
const TAIL_MS = 4;

async function expectWhole(stream: ReturnType<typeof openFakeVoice>): Promise<void> {
  const speaking = speakAndKeep(stream, sentence);
  await speaking.over();
  expect(speaking.types.at(-1)).toBe('tts-end');
  expect(speaking.audioMs()).toBeGreaterThanOrEqual(sentence.length * 60);
  expect(speaking.audioMs()).toBeLessThanOrEqual(sentence.length * 60 + TAIL_MS);
}

describe('the requests', () => {
  it('carry the settings, and nothing that was not set', async () => {
    const server = await start();
    const settings = { model: 'kokoro', voice: 'af_heart', instructions: 'Warmly.', speed: 1.2 };
    for (const chosen of [settings, {}]) {
      const stream = openFakeVoice(openaiCompatible, server.httpUrl, { settings: chosen });
      await expectWhole(stream);
      stream.close();
    }
    expect(server.requests.map(({ body }) => body)).toEqual([
      { ...settings, input: sentence, response_format: 'pcm' },
      { model: 'gpt-4o-mini-tts', voice: 'marin', input: sentence, response_format: 'pcm' },
    ]);
  });

  it('go sentence by sentence, one ahead, in order', async () => {
    const server = await start({ pace: 8 });
    const stream = openFakeVoice(openaiCompatible, server.httpUrl);
    const { utterance, over, audioMs } = speakAndKeep(stream);
    for (const text of ['Well, ', 'one. ', 'Two. ', 'Three, ', 'and four. ', 'And ']) utterance.push(text);
    await until(() => server.requests.length === 2);
    await settle(20);
    expect(inputsOf(server)).toEqual(['Well, ', 'one. ']);
    utterance.push('five');
    utterance.end();
    await over();
    stream.close();
    expect(inputsOf(server)).toEqual(['Well, ', 'one. ', 'Two. Three, and four. ', 'And five']);
    const characters = inputsOf(server).join('').length;
    expect(audioMs()).toBeGreaterThanOrEqual(characters * 60);
    expect(audioMs()).toBeLessThanOrEqual(characters * 60 + 4 * TAIL_MS);
  });

  it('are aborted by a cancel, the one ahead too', async () => {
    const server = await start({ pace: 2 });
    const stream = openFakeVoice(openaiCompatible, server.httpUrl);
    const { utterance, audioMs, types } = speakAndKeep(stream);
    utterance.push('A long first sentence. ');
    utterance.push('A second one. ');
    await until(() => audioMs() > 0 && server.requests.length === 2);
    utterance.cancel();
    const seen = types.length;
    await until(() => server.requests.every(({ outcome }) => outcome === 'aborted'));
    await settle();
    expect(types.length).toBe(seen);
    await expectWhole(stream);
    stream.close();
  });

  it('are no longer than the vendor takes', async () => {
    const server = await start({ pace: 4000, chunkMs: 20_000 });
    const stream = openFakeVoice(openaiCompatible, server.httpUrl);
    const text = 'word '.repeat(1000);
    const speaking = speakAndKeep(stream, text);
    await speaking.over();
    stream.close();
    expect(server.requests.map(({ body }) => (body['input'] as string).length)).toEqual([4095, 905]);
    expect(inputsOf(server).join('')).toBe(text);
  });

  it.each([{ model: 1 }, { speed: 5 }, { language: 'en' }, { voice: '' }, { sample_rate_hz: 100 }])('refuses the settings %j', (settings) => {
    expect(openaiCompatible.tts!.settingsSchema.safeParse(settings).success).toBe(false);
  });

  it('has a cache key that differs where the sound does', () => {
    const leg = openaiCompatible.tts!;
    const keyOf = (settings: object, baseUrl = 'http://one') => leg.create(leg.settingsSchema.parse(settings), { clock: createVirtualClock(), apiKey: 'k', baseUrl, fetch }).cacheKey;
    const changes = [{}, { voice: 'x' }, { model: 'tts-1' }, { speed: 1.1 }, { instructions: 'Slowly.' }, { sample_rate_hz: 16_000 }];
    expect(new Set([...changes.map((settings) => keyOf(settings)), keyOf({}, 'http://two')]).size).toBe(changes.length + 1);
  });
});

describe('faults', () => {
  it.each([
    [401, 'vendor-unauthorized'],
    [404, 'vendor-rejected'],
    [429, 'vendor-rate-limited'],
    [503, 'vendor-unreachable'],
  ])('a refused request (%i) is %s, and the next one is made', async (status, code) => {
    const server = await start({ fault: first({ upgrade: { kind: 'http', status } }) });
    const stream = openFakeVoice(openaiCompatible, server.httpUrl);
    const speaking = speakAndKeep(stream, sentence);
    await speaking.over();
    expect(speaking.types).toEqual(['tts-failed']);
    expect(speaking.error()).toMatchObject({ code, details: { httpStatus: status } });
    await expectWhole(stream);
    stream.close();
  });

  it.each([
    ['a reset', { upgrade: { kind: 'reset' } }, 'vendor-unreachable'],
    ['a connection cut in a sentence', { socket: { kind: 'cut' }, afterAudioMs: 500 }, 'vendor-unreachable'],
    ['an answer without a byte', { audio: 'empty' }, 'vendor-protocol'],
    ['JSON in place of audio', { audio: 'garbage' }, 'vendor-protocol'],
  ] as const)('%s fails the utterance once, and the next one is whole', async (_name, fault, code) => {
    const server = await start({ fault: first(fault) });
    const stream = openFakeVoice(openaiCompatible, server.httpUrl);
    const speaking = speakAndKeep(stream, sentence);
    await speaking.over();
    expect(speaking.error()?.code).toBe(code);
    await expectWhole(stream);
    await settle();
    expect(speaking.types.filter((type) => type === 'tts-failed')).toHaveLength(1);
    stream.close();
  });

  it('a stall fails after 6 s and aborts the request', async () => {
    const clock = createVirtualClock();
    const server = await start({ fault: () => ({ audio: 'stall', afterAudioMs: 300 }) });
    const stream = openFakeVoice(openaiCompatible, server.httpUrl, { clock });
    const speaking = speakAndKeep(stream, sentence);
    await until(() => speaking.audioMs() > 290);
    await clock.advance(5900);
    expect(speaking.error()).toBeUndefined();
    await clock.advance(200);
    expect(speaking.error()).toMatchObject({ code: 'vendor-unreachable', retryable: true });
    await until(() => server.requests[0]!.outcome === 'aborted');
    stream.close();
  });

  it('answers in odd sizes arrive whole', async () => {
    const server = await start({ fault: () => ({ audio: 'odd-sizes' }) });
    const stream = openFakeVoice(openaiCompatible, server.httpUrl);
    await expectWhole(stream);
    stream.close();
  });
});
