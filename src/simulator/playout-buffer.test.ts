import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAME_BYTES, MULAW_SILENCE } from '../audio/frame.js';
import { createPlayoutBuffer, LATE_MARK_MS } from './playout-buffer.js';

const audio = (frames: number, code = 0x10) => new Uint8Array(frames * FRAME_BYTES).fill(code);
const samples = (ms: number) => ms * 8;

describe('createPlayoutBuffer', () => {
  it('plays what arrives at once, and what arrives meanwhile after it', () => {
    const buffer = createPlayoutBuffer('yes');
    expect(buffer.queue(audio(5, 1), 1000)).toBe(1000);
    expect(buffer.queue(audio(5, 2), 1010)).toBe(1100);
    expect(buffer.endMs).toBe(1200);
    expect(buffer.heard.slice(samples(999), samples(999) + 1)).toEqual(Uint8Array.of(MULAW_SILENCE));
    expect(buffer.heard.slice(samples(1000), samples(1100))).toEqual(audio(5, 1));
    expect(buffer.heard.slice(samples(1100), samples(1200))).toEqual(audio(5, 2));
    expect(buffer.stats).toMatchObject({ receivedMs: 200, maxLeadMs: 190, underruns: 0, clearedMs: 0 });
  });

  it('forgets on clear what has not been played, and nothing else', () => {
    const buffer = createPlayoutBuffer('yes');
    buffer.queue(audio(50), 0);
    expect(buffer.clear(300)).toBe(700);
    expect(buffer.heard.lengthSamples).toBe(samples(300));
    expect(buffer.heard.slice(samples(299), samples(301))).toEqual(Uint8Array.of(...audio(1).slice(0, 8), ...Array<number>(8).fill(MULAW_SILENCE)));
    expect(buffer.clear(310)).toBe(0);
    expect(buffer.queue(audio(1), 320)).toBe(320);
  });

  it('tells a hole in a reply from the pause between replies', () => {
    const buffer = createPlayoutBuffer('yes');
    buffer.queue(audio(1), 0);
    buffer.queue(audio(1), 60);
    buffer.queue(audio(1), 1000);
    expect(buffer.stats.underruns).toBe(1);
  });

  it('tells a long hole in a reply by the mark that is not there', () => {
    const buffer = createPlayoutBuffer('never');
    buffer.queue(audio(1), 0);
    buffer.queue(audio(1), 300);
    buffer.mark('end', 300);
    buffer.queue(audio(1), 900);
    expect(buffer.stats.underruns).toBe(1);
    buffer.clear(905);
    buffer.queue(audio(1), 1500);
    expect(buffer.stats.underruns).toBe(1);
    buffer.queue(audio(1), 1800);
    expect(buffer.stats.underruns).toBe(2);
  });

  it('echoes a mark when the audio before it has been played', () => {
    const buffer = createPlayoutBuffer('yes');
    buffer.mark('first', 0);
    buffer.queue(audio(5), 0);
    buffer.mark('last', 20);
    expect(buffer.takeDueMarks(0)).toEqual(['first']);
    expect(buffer.takeDueMarks(99)).toEqual([]);
    expect(buffer.takeDueMarks(100)).toEqual(['last']);
    expect(buffer.takeDueMarks(10_000)).toEqual([]);
  });

  it('echoes cleared marks at once, late ones late, and none where it never does', () => {
    for (const [mode, dueMs] of [['yes', 40], ['late', 40 + LATE_MARK_MS], ['never', null]] as const) {
      const buffer = createPlayoutBuffer(mode);
      buffer.queue(audio(100), 0);
      buffer.mark('end', 20);
      buffer.clear(40);
      expect(buffer.takeDueMarks((dueMs ?? 1e9) - 1)).toEqual([]);
      expect(buffer.takeDueMarks(dueMs ?? 1e9)).toEqual(dueMs === null ? [] : ['end']);
    }
  });

  it('accounts for every millisecond: received = played + cleared + still queued', () => {
    const step = fc.record({ afterMs: fc.integer({ min: 0, max: 400 }), frames: fc.integer({ min: 0, max: 30 }), clears: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const buffer = createPlayoutBuffer('yes');
        let nowMs = 0;
        for (const { afterMs, frames, clears } of steps) {
          nowMs += afterMs;
          if (clears) buffer.clear(nowMs);
          if (frames > 0) buffer.queue(audio(frames), nowMs);
        }
        const kept = buffer.heard.slice(0, buffer.heard.lengthSamples).filter((code) => code !== MULAW_SILENCE).length / 8;
        expect(kept).toBeCloseTo(buffer.stats.receivedMs - buffer.stats.clearedMs, 6);
        expect(buffer.heard.lengthSamples / 8).toBeLessThanOrEqual(Math.max(buffer.endMs, 0));
      }),
    );
  });
});
