import { describe, expect, it } from 'vitest';
import { createDecoder, createEncoder } from './convert.js';
import { decodeMulaw, mulawToAlaw } from './g711.js';

const everyCode = Uint8Array.from({ length: 256 }, (_, code) => code);

function sineMulaw(): Uint8Array {
  const encode = createDecoder({ encoding: 'l16-le', sampleRateHz: 8000 });
  const pcm = Buffer.alloc(3200);
  for (let n = 0; n < 1600; n += 1) pcm.writeInt16LE(Math.round(8000 * Math.sin(n / 5)), 2 * n);
  return encode(pcm).slice();
}

describe('audio conversion', () => {
  it('hands mu-law through untouched: the same bytes, not a copy', () => {
    const format = { encoding: 'mulaw', sampleRateHz: 8000 } as const;
    expect(createDecoder(format)(everyCode)).toBe(everyCode);
    expect(createEncoder(format)(everyCode)).toBe(everyCode);
  });

  it('translates A-law both ways, reusing its buffer for frames of one size', () => {
    const format = { encoding: 'alaw', sampleRateHz: 8000 } as const;
    const encode = createEncoder(format);
    const first = encode(everyCode);
    expect([...first]).toEqual([...mulawToAlaw(everyCode)]);
    expect(encode(everyCode)).toBe(first);
    const decoded = createDecoder(format)(mulawToAlaw(Uint8Array.of(0xff, 0x80, 0x00)));
    // A-law has no zero: its silence is the smallest step.
    expect([...decoded]).toEqual([0xfe, 0x80, 0x00]);
  });

  it.each(['l16-le', 'l16-be'] as const)('keeps %s at 8 kHz sample by sample, also where a chunk splits a sample', (encoding) => {
    const mulaw = sineMulaw();
    const wire = createEncoder({ encoding, sampleRateHz: 8000 })(mulaw);
    expect(wire.length).toBe(2 * mulaw.length);
    const decode = createDecoder({ encoding, sampleRateHz: 8000 });
    const out = [0, 333, 334, 1001, wire.length].flatMap((end, i, ends) => (i === 0 ? [] : [...decode(wire.subarray(ends[i - 1], end))]));
    expect(out).toEqual([...mulaw]);
  });

  it('resamples 16 kHz to the inner rate and back', () => {
    const mulaw = sineMulaw();
    const wire = createEncoder({ encoding: 'l16-le', sampleRateHz: 16000 })(mulaw);
    const back = createDecoder({ encoding: 'l16-le', sampleRateHz: 16000 })(wire);
    expect(back.length).toBeGreaterThan(mulaw.length - 40);
    const samples = decodeMulaw(back).subarray(100, 1400);
    const original = decodeMulaw(mulaw).subarray(100, 1400);
    samples.forEach((sample, n) => expect(Math.abs(sample - (original[n] as number))).toBeLessThan(700));
  });
});
