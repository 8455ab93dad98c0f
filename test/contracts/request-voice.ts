import { afterEach, describe, expect, it } from 'vitest';
import type { VendorModule } from '../../src/speech/vendor.js';
import type { FakeRequestVoice, FakeRequestVoiceOptions } from '../support/fakes/request-voice.js';
import type { VoiceFault } from '../support/fakes/speech-queue.js';
import { createVirtualClock } from '../support/virtual-clock.js';
import { settle, until } from '../support/wait-for.js';
import { openFakeVoice, speakAndKeep } from './voice-faults.js';

const sentence = 'A sentence that is not over in a moment.';
const MS_PER_CHARACTER = 60;
const first = (fault: VoiceFault) => (request: number) => (request === 0 ? fault : undefined);

/** How a voice that asks sentence by sentence does so, how it fails, and that the next utterance is whole again (F9 to F11 of the fault list). */
export function describeRequestVoice(vendor: VendorModule, startFake: (options: FakeRequestVoiceOptions) => Promise<FakeRequestVoice>): void {
  describe(`voice by requests: ${vendor.name}`, () => {
    let fake: FakeRequestVoice | undefined;
    afterEach(async () => {
      await fake?.close();
      fake = undefined;
    });
    const start = async (options: FakeRequestVoiceOptions = {}) => (fake = await startFake({ apiKey: 'test-key', pace: 40, ...options }));
    const textsOf = ({ requests }: FakeRequestVoice) => requests.map(({ text }) => text);
    async function expectWhole(stream: ReturnType<typeof openFakeVoice>): Promise<void> {
      const speaking = speakAndKeep(stream, sentence);
      await speaking.over();
      expect([speaking.types.at(-1), speaking.audioMs()]).toEqual(['tts-end', sentence.length * MS_PER_CHARACTER]);
    }

    it('asks sentence by sentence, one ahead, in order', async () => {
      const server = await start({ pace: 8 });
      const stream = openFakeVoice(vendor, server.httpUrl);
      const { utterance, over, audioMs } = speakAndKeep(stream);
      for (const text of ['Well, ', 'one. ', 'Two. ', 'Three, ', 'and four. ', 'And ']) utterance.push(text);
      await until(() => server.requests.length === 2);
      await settle(20);
      expect(textsOf(server)).toEqual(['Well, ', 'one. ']);
      utterance.push('five');
      utterance.end();
      await over();
      stream.close();
      expect(textsOf(server)).toEqual(['Well, ', 'one. ', 'Two. Three, and four. ', 'And five']);
      expect(audioMs()).toBe(textsOf(server).join('').length * MS_PER_CHARACTER);
    });

    it('aborts what is under way when it is cancelled, the request ahead too', async () => {
      const server = await start({ pace: 0.5 });
      const stream = openFakeVoice(vendor, server.httpUrl);
      const { utterance, types } = speakAndKeep(stream);
      utterance.push('A long first sentence. ');
      utterance.push('A second one. ');
      await until(() => server.requests.length === 2);
      utterance.cancel();
      const seen = types.length;
      await until(() => server.requests.every(({ outcome }) => outcome === 'aborted'));
      await settle();
      expect(types.length).toBe(seen);
      stream.close();
    });

    it('asks for no more at once than the vendor takes, and says all of it', async () => {
      const server = await start({ pace: 4000, chunkMs: 20_000, render: (text) => Buffer.alloc(text.length) });
      const stream = openFakeVoice(vendor, server.httpUrl);
      const text = '“wörd” & <b> '.repeat(500);
      const speaking = speakAndKeep(stream, text);
      await speaking.over();
      stream.close();
      expect(speaking.types.at(-1)).toBe('tts-end');
      expect(server.requests.length).toBeGreaterThan(1);
      expect(textsOf(server).join('')).toBe(text);
    });

    it.each([
      [401, 'vendor-unauthorized'],
      [403, 'vendor-unauthorized'],
      [404, 'vendor-rejected'],
      [429, 'vendor-rate-limited'],
      [502, 'vendor-unreachable'],
      [503, 'vendor-unreachable'],
    ])('calls a refused request (%i) %s, and makes the next one', async (status, code) => {
      const server = await start({ fault: first({ upgrade: { kind: 'http', status } }) });
      const stream = openFakeVoice(vendor, server.httpUrl);
      const speaking = speakAndKeep(stream, sentence);
      await speaking.over();
      expect(speaking.types).toEqual(['tts-failed']);
      expect(speaking.error()).toMatchObject({ code, details: { httpStatus: status } });
      await expectWhole(stream);
      stream.close();
    });

    it('knows a wrong key', async () => {
      const server = await start({ apiKey: 'another-key' });
      const stream = openFakeVoice(vendor, server.httpUrl);
      const speaking = speakAndKeep(stream, sentence);
      await speaking.over();
      expect(speaking.error()).toMatchObject({ code: 'vendor-unauthorized', retryable: false });
      stream.close();
    });

    it.each([
      ['a reset', { upgrade: { kind: 'reset' } }, 'vendor-unreachable'],
      ['a connection cut in a sentence', { socket: { kind: 'cut' }, afterAudioMs: 500 }, 'vendor-unreachable'],
      ['an answer without a sample', { audio: 'empty' }, 'vendor-protocol'],
      ['JSON without audio', { audio: 'garbage' }, 'vendor-protocol'],
    ] as const)('fails once by %s, and speaks the next utterance whole', async (_name, fault, code) => {
      const server = await start({ fault: first(fault) });
      const stream = openFakeVoice(vendor, server.httpUrl);
      const speaking = speakAndKeep(stream, sentence);
      await speaking.over();
      expect(speaking.error()?.code).toBe(code);
      await expectWhole(stream);
      await settle();
      expect(speaking.types.filter((type) => type === 'tts-failed')).toHaveLength(1);
      stream.close();
    });

    it('gives a stalled answer up after 6 s and aborts the request', async () => {
      const clock = createVirtualClock();
      const server = await start({ fault: () => ({ audio: 'stall', afterAudioMs: 300 }) });
      const stream = openFakeVoice(vendor, server.httpUrl, { clock });
      const speaking = speakAndKeep(stream, sentence);
      await until(() => server.requests.length === 1);
      await settle();
      await clock.advance(5900);
      expect(speaking.error()).toBeUndefined();
      await clock.advance(200);
      expect(speaking.error()).toMatchObject({ code: 'vendor-unreachable', retryable: true });
      await until(() => server.requests[0]!.outcome === 'aborted');
      stream.close();
    });

    it('delivers answers in odd sizes whole', async () => {
      const server = await start({ fault: () => ({ audio: 'odd-sizes' }) });
      const stream = openFakeVoice(vendor, server.httpUrl);
      await expectWhole(stream);
      stream.close();
    });
  });
}
