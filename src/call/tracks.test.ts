import { describe, expect, it } from 'vitest';
import { createLevelTrack, heardGapMs } from './tracks.js';

/** A track that is loud in the given spans of milliseconds. */
function trackOf(...spans: [number, number][]) {
  const track = createLevelTrack();
  for (const [fromMs, toMs] of spans) for (let at = fromMs; at < toMs; at += 20) track.set(at / 20, 3000);
  return track;
}

describe('heardGapMs', () => {
  it('is measured from the last audible caller frame to the first audible agent frame', () => {
    const caller = trackOf([1000, 2000]);
    const agent = trackOf([2640, 4000]);
    expect(heardGapMs(caller, agent, { startMs: 1000, endMs: 1980, replyStartMs: 2600 })).toBe(640);
  });
  it('follows the recording where the detector was early', () => {
    expect(heardGapMs(trackOf([0, 1200]), trackOf([1700, 2000]), { startMs: 0, endMs: 1000, replyStartMs: 1690 })).toBe(500);
  });
  it('is unknown where a side was not heard', () => {
    expect(heardGapMs(trackOf(), trackOf([500, 900]), { startMs: 0, endMs: 200, replyStartMs: 480 })).toBeNull();
    expect(heardGapMs(trackOf([0, 200]), trackOf(), { startMs: 0, endMs: 200, replyStartMs: 480 })).toBeNull();
  });
  it('works on a call longer than the first allocation', () => {
    expect(heardGapMs(trackOf([200_000, 201_000]), trackOf([201_500, 202_000]), { startMs: 200_000, endMs: 200_980, replyStartMs: 201_480 })).toBe(500);
  });
});
