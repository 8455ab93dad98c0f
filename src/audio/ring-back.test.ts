import { expect, it } from 'vitest';
import { decodeMulaw } from './g711.js';
import { ringBack } from './ring-back.js';

/** Level of one frequency, of a full scale of 1 (Goertzel). */
function levelAt(samples: Int16Array, hz: number): number {
  let [re, im] = [0, 0];
  samples.forEach((sample, at) => {
    re += sample * Math.cos((2 * Math.PI * hz * at) / 8000);
    im += sample * Math.sin((2 * Math.PI * hz * at) / 8000);
  });
  return (2 * Math.hypot(re, im)) / samples.length / 0x7fff;
}

it('rings for two seconds in two tones, and is silent for four', () => {
  const samples = decodeMulaw(ringBack);
  expect(samples).toHaveLength(6 * 8000);
  const ring = samples.subarray(0, 2 * 8000);
  for (const [hz, level] of [[440, 0.078], [480, 0.078], [460, 0]] as const) expect(Math.abs(levelAt(ring, hz) - level)).toBeLessThan(0.004);
  expect(new Set(samples.subarray(2 * 8000))).toEqual(new Set([0]));
});
