import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.js';
import type { AgentStreamError } from '../../src/base/errors.js';
import type { TextToSpeechStream } from '../../src/speech/text-to-speech.js';
import type { VendorModule } from '../../src/speech/vendor.js';
import { createCountingClock } from '../support/fakes/counting-clock.js';
import type { VoiceFault, VoicePace } from '../support/fakes/speech-queue.js';
import type { VendorServer } from '../support/fakes/vendor-server.js';
import { createVirtualClock } from '../support/virtual-clock.js';
import { settle, until } from '../support/wait-for.js';

/** A fake voice that knows when its connections ended. */
export interface FakeVoice extends VendorServer {
  readonly connections: readonly { readonly closeCode: number | null }[];
}

/** What the suite starts a fake with. It speaks 60 ms for each character. */
export interface FakeVoiceOptions extends VoicePace {
  readonly apiKey: string;
  readonly fault?: (connection: number) => Exclude<VoiceFault, { readonly error: string }> | undefined;
}

const sentence = 'A sentence that is not over in a moment.';
const MS_PER_CHARACTER = 60;
/** Some vendors are handed a space after the last word. */
const SPACE_MS = MS_PER_CHARACTER;

/** Opens a voice of `vendor` at a fake. */
export function openFakeVoice(
  vendor: VendorModule,
  baseUrl: string,
  options: { settings?: Record<string, unknown>; clock?: Clock; language?: string } = {},
): TextToSpeechStream {
  const leg = vendor.tts!;
  const context = { clock: options.clock ?? createCountingClock(), apiKey: 'test-key', baseUrl, fetch };
  const voice = leg.create(leg.settingsSchema.parse(options.settings ?? {}), context);
  return voice.open({ language: options.language ?? 'en-US', signal: new AbortController().signal });
}

/** Speaks and keeps what comes; `text` is the whole utterance. */
export function speakAndKeep(stream: TextToSpeechStream, text?: string) {
  const types: string[] = [];
  const words: { text: string; startMs: number; endMs: number }[] = [];
  let bytes = 0;
  let error: AgentStreamError | undefined;
  const utterance = stream.speak((event) => {
    types.push(event.type);
    if (event.type === 'audio') bytes += event.audio.length;
    if (event.type === 'words') words.push(...event.words);
    if (event.type === 'tts-failed') error = event.error;
  });
  if (text !== undefined) {
    utterance.push(text);
    utterance.end();
  }
  const over = () => until(() => types.includes('tts-end') || types.includes('tts-failed'));
  return { utterance, types, words, over, audioMs: () => bytes / 8, error: () => error };
}

/** How a voice over a WebSocket fails, and that the next utterance is whole again (F9 to F11 of the fault list). */
export function describeVoiceFaults(vendor: VendorModule, startFake: (options: FakeVoiceOptions) => Promise<FakeVoice>): void {
  describe(`voice faults: ${vendor.name}`, () => {
    let fake: FakeVoice | undefined;
    afterEach(async () => {
      await fake?.close();
      fake = undefined;
    });
    const start = async (options: Partial<FakeVoiceOptions> = {}): Promise<FakeVoice> => (fake = await startFake({ apiKey: 'test-key', pace: 40, ...options }));
    const open = (server: FakeVoice, clock?: Clock) => openFakeVoice(vendor, server.wsUrl, clock === undefined ? {} : { clock });
    const first = (fault: ReturnType<NonNullable<FakeVoiceOptions['fault']>>) => (connection: number) => (connection === 0 ? fault : undefined);
    const expectWhole = async (stream: TextToSpeechStream) => {
      const speaking = speakAndKeep(stream, sentence);
      await speaking.over();
      expect(speaking.types.at(-1)).toBe('tts-end');
      expect(speaking.audioMs()).toBeGreaterThanOrEqual(sentence.length * MS_PER_CHARACTER);
      expect(speaking.audioMs()).toBeLessThanOrEqual(sentence.length * MS_PER_CHARACTER + SPACE_MS);
    };

    it.each([401, 403, 404, 429, 500])('a refused connection (%i) fails the utterance, and the next one tries again', async (status) => {
      const server = await start({ fault: first({ upgrade: { kind: 'http', status } }) });
      const stream = open(server);
      const speaking = speakAndKeep(stream, sentence);
      await speaking.over();
      expect(speaking.types).toEqual(['tts-failed']);
      expect(speaking.error()!.details).toMatchObject({ httpStatus: status });
      await expectWhole(stream);
      stream.close();
    });

    it.each([{ kind: 'cut' } as const, { kind: 'close', code: 1011 } as const])('a socket lost in a sentence (%j) fails this utterance, and the next one is whole', async (socket) => {
      const server = await start({ fault: first({ socket, afterAudioMs: 500 }) });
      const stream = open(server);
      const speaking = speakAndKeep(stream, sentence);
      await speaking.over();
      expect(speaking.error()?.code).toBe('vendor-unreachable');
      expect(speaking.audioMs()).toBeLessThanOrEqual(500);
      await expectWhole(stream);
      await settle();
      expect(speaking.types.filter((type) => type === 'tts-failed')).toHaveLength(1);
      stream.close();
    });

    it('a stall in a sentence fails after 2 s, and the next utterance has a connection of its own', async () => {
      const clock = createVirtualClock();
      const server = await start({ fault: first({ audio: 'stall', afterAudioMs: 300 }) });
      const stream = open(server, clock);
      const speaking = speakAndKeep(stream, sentence);
      await until(() => speaking.audioMs() === 300);
      await clock.advance(1900);
      expect(speaking.error()).toBeUndefined();
      await clock.advance(200);
      expect(speaking.error()).toMatchObject({ code: 'vendor-unreachable', retryable: true });
      await until(() => server.connections[0]!.closeCode === 1000);
      await expectWhole(stream);
      expect(server.connections).toHaveLength(2);
      stream.close();
    });

    it('no stall is seen while a reply waits for its next words', async () => {
      const clock = createVirtualClock();
      const server = await start();
      const stream = open(server, clock);
      const { utterance, types, audioMs, over } = speakAndKeep(stream);
      utterance.push('Well. ');
      await until(() => audioMs() === 6 * MS_PER_CHARACTER);
      await clock.advance(10_000);
      expect(types).not.toContain('tts-failed');
      utterance.push('Here. ');
      utterance.end();
      await over();
      expect([types.at(-1), audioMs()]).toEqual(['tts-end', 12 * MS_PER_CHARACTER]);
      stream.close();
    });

    it('chunks of odd sizes arrive whole', async () => {
      const server = await start({ fault: () => ({ audio: 'odd-sizes' }) });
      const stream = open(server);
      await expectWhole(stream);
      stream.close();
    });

    it('an utterance without a byte fails', async () => {
      const server = await start({ fault: () => ({ audio: 'empty' }) });
      const stream = open(server);
      const speaking = speakAndKeep(stream, sentence);
      await speaking.over();
      expect(speaking.types).not.toContain('audio');
      expect(speaking.error()?.code).toBe('vendor-protocol');
      stream.close();
    });

    it('audio that comes after a cancel is dropped', async () => {
      const server = await start({ pace: 4, fault: () => ({ audio: 'late-after-cancel' }) });
      const stream = open(server);
      const cancelled = speakAndKeep(stream);
      cancelled.utterance.push(sentence);
      await until(() => cancelled.audioMs() > 0);
      cancelled.utterance.cancel();
      const seenMs = cancelled.audioMs();
      const next = speakAndKeep(stream, 'Yes? ');
      await next.over();
      expect(cancelled.audioMs()).toBe(seenMs);
      expect(next.audioMs()).toBe(5 * MS_PER_CHARACTER);
      expect(server.connections).toHaveLength(1);
      stream.close();
    });

    it('garbage in place of audio fails the utterance', async () => {
      const server = await start({ fault: first({ audio: 'garbage' }) });
      const stream = open(server);
      const speaking = speakAndKeep(stream, sentence);
      await speaking.over();
      expect(speaking.error()?.code).toBe('vendor-protocol');
      await expectWhole(stream);
      stream.close();
    });

    it('a vendor that closes at once is not asked again until there is something to say', async () => {
      let attempts = 0;
      const server = await start({
        fault() {
          attempts += 1;
          return { upgrade: { kind: 'reset' } };
        },
      });
      const stream = open(server);
      await settle(300);
      expect(attempts).toBe(1);
      await speakAndKeep(stream, sentence).over();
      await settle(300);
      expect(attempts).toBeLessThanOrEqual(3);
      stream.close();
    });
  });
}
