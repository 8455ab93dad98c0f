import { describe, expect, it } from 'vitest';
import { FRAME_BYTES, FRAME_MS, MULAW_SILENCE } from '../../src/audio/frame.js';
import { encodeMulaw } from '../../src/audio/g711.js';
import { systemClock } from '../../src/base/clock.js';
import { builtinTtsSettingsSchema } from '../../src/speech/builtin/settings.js';
import { renderClause } from '../../src/speech/builtin/voice.js';
import type { VoiceActivityDetector, VoiceActivityEvent, VoiceActivityOptions } from '../../src/speech/voice-activity.js';

/** A detector under test: frames go in at their pace, and every answer to them has come when `settle` resolves. */
export interface VoiceActivityFixture {
  open(options: VoiceActivityOptions): VoiceActivityDetector;
  settle(): Promise<void>;
}

const SILENCE = new Uint8Array(FRAME_BYTES).fill(MULAW_SILENCE);

/** A second of silence, a sentence, a second of silence, in frames. */
export async function sentenceFrames(text: string): Promise<readonly Uint8Array[]> {
  const settings = builtinTtsSettingsSchema.parse({ engine: 'bundled' });
  const speech = await renderClause(text, { settings, language: 'en', clock: systemClock, signal: new AbortController().signal });
  const samples = new Int16Array(8000 + speech.length + 8000);
  samples.set(speech, 8000);
  const audio = encodeMulaw(samples);
  return Array.from({ length: Math.floor(audio.length / FRAME_BYTES) }, (_, index) => audio.subarray(index * FRAME_BYTES, (index + 1) * FRAME_BYTES));
}

/** What every detector of voices does. */
export function describeVoiceActivity(name: string, setUp: () => Promise<VoiceActivityFixture>): void {
  describe(`voice activity: ${name}`, () => {
    async function listen(frames: readonly Uint8Array[], isEcho = false, closeAfter = Infinity, windows: { readonly lullMs?: number } = {}) {
      const fixture = await setUp();
      const events: { event: VoiceActivityEvent; atMs: number }[] = [];
      let nowMs = 0;
      const detector = fixture.open({ confirmMs: null, pauseMs: 200, ...windows, onEvent: (event) => events.push({ event, atMs: nowMs }) });
      for (const [index, frame] of frames.entries()) {
        if (index === closeAfter) detector.close();
        nowMs = (index + 1) * FRAME_MS;
        detector.push(frame, isEcho);
        await fixture.settle();
      }
      detector.close();
      return events;
    }

    it('finds a voice, its confirmation and its pause, in this order', async () => {
      const events = await listen(await sentenceFrames('No, wait.'));
      const types = events.map(({ event }) => event.type);
      expect(types.slice(0, 2)).toEqual(['speech-onset', 'speech-start']);
      expect(types.at(-1)).toBe('speech-pause');
      expect(types.filter((type) => type === 'speech-pause')).toHaveLength(types.filter((type) => type === 'speech-start').length);
      expect(events[0]?.atMs).toBeGreaterThan(1000);
      expect(events[1]?.atMs).toBeLessThan(1300);
    });

    it('tells how long it has been silent at a pause', async () => {
      const frames = await sentenceFrames('No, wait.');
      const pause = (await listen(frames)).at(-1);
      const speechEndMs = frames.length * FRAME_MS - 1000;
      if (pause?.event.type !== 'speech-pause') throw new Error('there was no pause');
      expect(pause.event.silenceMs).toBeGreaterThanOrEqual(160);
      expect(Math.abs(pause.atMs - pause.event.silenceMs - speechEndMs)).toBeLessThanOrEqual(120);
    });

    it('tells of lulls where it is asked to, each before the voice goes on or pauses, and moves nothing else', async () => {
      const frames = await sentenceFrames('No, wait. I would like a table for two.');
      const plain = await listen(frames);
      const withLulls = await listen(frames, false, Infinity, { lullMs: 60 });
      const isOfLull = (type: string) => type === 'speech-lull' || type === 'speech-resumed';
      expect(withLulls.filter(({ event }) => !isOfLull(event.type))).toEqual(plain);
      const types = withLulls.map(({ event }) => event.type);
      expect(types.at(-2)).toBe('speech-lull');
      for (const [index, type] of types.entries()) {
        if (type === 'speech-lull') expect(['speech-resumed', 'speech-pause']).toContain(types[index + 1]);
        if (type === 'speech-resumed') expect(types[index - 1]).toBe('speech-lull');
      }
      const [lull, pause] = withLulls.slice(-2);
      expect(Math.abs((pause?.atMs ?? 0) - (lull?.atMs ?? 0) - 140)).toBeLessThanOrEqual(20);
    });

    it('finds nothing in silence, in clicks, and in what is echo', async () => {
      const click = Uint8Array.from(SILENCE);
      click.set([0x80, 0x00, 0x90, 0x10], 20);
      expect(await listen(Array.from({ length: 100 }, () => SILENCE))).toEqual([]);
      const clicks = await listen(Array.from({ length: 100 }, (_, index) => (index % 25 === 24 ? click : SILENCE)));
      expect(clicks.filter(({ event }) => event.type === 'speech-start')).toEqual([]);
      expect(await listen(await sentenceFrames('No, wait.'), true)).toEqual([]);
    });

    it('reports nothing once it is closed', async () => {
      const frames = await sentenceFrames('No, wait.');
      const before = await listen(frames, false, 65);
      expect(before.map(({ event }) => event.type)).not.toContain('speech-pause');
    });
  });
}
