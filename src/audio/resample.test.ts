import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createResampler } from './resample.js';

function tone(frequencyHz: number, rateHz: number, seconds: number): Int16Array {
  return Int16Array.from({ length: Math.round(rateHz * seconds) }, (_, n) => Math.round(16000 * Math.sin((2 * Math.PI * frequencyHz * n) / rateHz)));
}

function resample(input: Int16Array, fromHz: number, toHz: number, chunkSizes: readonly number[] = [input.length]): Int16Array {
  const resampler = createResampler(fromHz, toHz);
  const out: number[] = [];
  for (let offset = 0, i = 0; offset < input.length; i += 1) {
    const size = Math.max(1, chunkSizes[i % chunkSizes.length] ?? 1);
    out.push(...resampler.push(input.subarray(offset, offset + size)));
    offset += size;
  }
  out.push(...resampler.flush());
  return Int16Array.from(out);
}

/** Power of a tone in dB relative to a full 16000 amplitude, by correlation, away from the edges. */
function toneLevelDb(samples: Int16Array, frequencyHz: number, rateHz: number): { levelDb: number; restDb: number } {
  const inner = samples.subarray(Math.floor(samples.length * 0.1), Math.floor(samples.length * 0.9));
  let re = 0;
  let im = 0;
  inner.forEach((sample, n) => {
    re += sample * Math.cos((2 * Math.PI * frequencyHz * n) / rateHz);
    im += sample * Math.sin((2 * Math.PI * frequencyHz * n) / rateHz);
  });
  const [a, b] = [(2 * re) / inner.length, (2 * im) / inner.length];
  let rest = 0;
  inner.forEach((sample, n) => {
    const phase = (2 * Math.PI * frequencyHz * n) / rateHz;
    rest += (sample - a * Math.cos(phase) - b * Math.sin(phase)) ** 2;
  });
  const reference = 16000 ** 2 / 2;
  return { levelDb: 10 * Math.log10((a * a + b * b) / 2 / reference), restDb: 10 * Math.log10(rest / inner.length / reference) };
}

describe('createResampler', () => {
  const pairs: readonly (readonly [number, number])[] = [
    [8000, 16000],
    [16000, 8000],
    [24000, 8000],
    [22050, 8000],
    [8000, 24000],
    [44100, 8000],
    [11025, 16000],
  ];

  it.each(pairs)('keeps a 1 kHz tone from %i to %i Hz: level within 0.1 dB, noise below −60 dB', (fromHz, toHz) => {
    const { levelDb, restDb } = toneLevelDb(resample(tone(1000, fromHz, 1), fromHz, toHz), 1000, toHz);
    expect(Math.abs(levelDb)).toBeLessThan(0.1);
    expect(restDb).toBeLessThan(-60);
  });

  it.each([
    [24000, 6100],
    [16000, 5000],
    [22050, 9000],
  ])('keeps what an 8 kHz line cannot carry out of it: %i Hz input, %i Hz tone', (fromHz, frequencyHz) => {
    const out = resample(tone(frequencyHz, fromHz, 1), fromHz, 8000);
    const inner = out.subarray(800, out.length - 800);
    const power = inner.reduce((sum, sample) => sum + sample * sample, 0) / inner.length;
    expect(10 * Math.log10(Math.max(power, 1e-9) / (16000 ** 2 / 2))).toBeLessThan(-60);
  });

  it('gives the same samples however the input is cut, and exactly as many as the ratio says', () => {
    const input = tone(700, 22050, 0.2);
    const whole = resample(input, 22050, 8000);
    expect(whole).toHaveLength(Math.ceil((input.length * 8000) / 22050));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 997 }), { minLength: 1, maxLength: 8 }), (sizes) => {
        expect(resample(input, 22050, 8000, sizes)).toEqual(whole);
      }),
      { numRuns: 25 },
    );
  });

  it('gives ceil(n × to / from) samples for any length and ratio', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3000 }), fc.constantFrom(...pairs), (length, [fromHz, toHz]) => {
        expect(resample(new Int16Array(length), fromHz, toHz)).toHaveLength(Math.ceil((length * toHz) / fromHz));
      }),
      { numRuns: 200 },
    );
  });

  it('clips instead of wrapping round', () => {
    const square = Int16Array.from({ length: 1600 }, (_, n) => (Math.floor(n / 40) % 2 === 0 ? 32767 : -32768));
    const out = resample(square, 8000, 16000);
    const jumps = out.filter((sample, n) => n > 0 && Math.abs(sample - (out[n - 1] as number)) > 60000);
    expect(jumps).toHaveLength(0);
    expect(Math.max(...out)).toBe(32767);
  });

  it('resamples floats alike', () => {
    const input = tone(440, 24000, 0.1);
    const floats = createResampler(24000, 8000).pushFloat(Float32Array.from(input, (sample) => sample / 32768));
    const integers = createResampler(24000, 8000).push(input);
    expect(floats).toHaveLength(integers.length);
    floats.forEach((sample, n) => expect(Math.abs(sample * 32768 - (integers[n] as number))).toBeLessThan(1));
  });

  it('copies at equal rates and refuses what is not a rate', () => {
    const input = Int16Array.of(1, 2, 3);
    const copy = createResampler(8000, 8000).push(input);
    expect([...copy]).toEqual([1, 2, 3]);
    expect(copy).not.toBe(input);
    expect(() => createResampler(0, 8000)).toThrow(RangeError);
    expect(() => createResampler(8000.5, 8000)).toThrow(RangeError);
    expect(() => createResampler(383_999, 7919)).toThrow(RangeError);
  });
});
