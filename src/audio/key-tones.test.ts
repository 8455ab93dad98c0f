import { describe, expect, it } from 'vitest';
import { decodeMulaw } from './g711.js';
import { keyTones } from './key-tones.js';

/** Strength of one frequency in samples at 8 kHz (Goertzel). */
function strengthAt(samples: Int16Array, hz: number): number {
  const factor = 2 * Math.cos((2 * Math.PI * hz) / 8000);
  let [last, before] = [0, 0];
  for (const sample of samples) [last, before] = [sample + factor * last - before, last];
  return last * last + before * before - factor * last * before;
}

const frequencies = [697, 770, 852, 941, 1209, 1336, 1477, 1633];

/** The two strongest frequencies of the tone that begins at `fromMs`. */
function pairAt(audio: Uint8Array, fromMs: number): readonly number[] {
  const samples = decodeMulaw(audio.subarray(fromMs * 8, (fromMs + 100) * 8));
  return frequencies.toSorted((left, right) => strengthAt(samples, right) - strengthAt(samples, left)).slice(0, 2).sort((left, right) => left - right);
}

describe('the tones of keys', () => {
  it.each([
    ['1', [697, 1209]],
    ['5', [770, 1336]],
    ['9', [852, 1477]],
    ['0', [941, 1336]],
    ['*', [941, 1209]],
    ['#', [941, 1477]],
    ['D', [941, 1633]],
  ])('%s is %j Hz (ITU-T Q.23)', (key, pair) => {
    expect(pairAt(keyTones(key), 0)).toEqual(pair);
  });

  it('last 100 ms with 100 ms between them, and a comma 500 ms', () => {
    const audio = keyTones('1,2x');
    expect(audio.length).toBe((200 + 500 + 200) * 8);
    expect(pairAt(audio, 700)).toEqual([697, 1336]);
    expect(audio.subarray(800, 800 + 4800).every((code) => code === 0xff)).toBe(true);
    expect(keyTones('')).toHaveLength(0);
  });
});
