import { describe, expect, it } from 'vitest';
import {
  alawToLinear,
  alawToMulaw,
  decodeAlaw,
  decodeMulaw,
  encodeAlaw,
  encodeMulaw,
  linearToAlaw,
  linearToMulaw,
  mulawEnergy,
  mulawToAlaw,
  mulawToLinear,
} from './g711.js';

const allCodes = Uint8Array.from({ length: 256 }, (_, code) => code);

/** G.711 table 2a/2b: output value of a mu-law code, from its 14-bit form. */
function ituMulawValue(code: number): number {
  const bits = 0xff - code;
  const segment = Math.floor((bits % 128) / 16);
  const magnitude = (2 * (bits % 16) + 33) * 2 ** segment - 33;
  return 4 * (bits >= 128 ? -magnitude : magnitude);
}

/** G.711 table 1a/1b: output value of an A-law code (even bits inverted), from its 13-bit form. */
function ituAlawValue(code: number): number {
  const bits = code ^ 0x55;
  const segment = Math.floor((bits % 128) / 16);
  const step = bits % 16;
  const magnitude = segment === 0 ? 2 * step + 1 : (2 * step + 33) * 2 ** (segment - 1);
  return 8 * (bits >= 128 ? magnitude : -magnitude);
}

/** The lowest linear magnitude of each quantising interval: its decision value. */
const mulawDecisions = Array.from({ length: 128 }, (_, n) => Math.max(0, 4 * ((2 * (n % 16) + 32) * 2 ** Math.floor(n / 16) - 33)));
const alawDecisions = Array.from({ length: 128 }, (_, n) => (n < 16 ? 16 * n : 8 * (2 * (n % 16) + 32) * 2 ** (Math.floor(n / 16) - 1)));

function intervalOf(magnitude: number, decisions: readonly number[]): number {
  let interval = 0;
  while (interval < 127 && (decisions[interval + 1] as number) <= magnitude) interval += 1;
  return interval;
}

describe('G.711', () => {
  it('decodes every code to the value of the Recommendation', () => {
    for (const code of allCodes) {
      expect(mulawToLinear[code]).toBe(ituMulawValue(code) + 0);
      expect(alawToLinear[code]).toBe(ituAlawValue(code));
    }
  });

  it('encodes every 16-bit sample into the interval of the Recommendation', () => {
    const wrong: number[] = [];
    for (let sample = -32768; sample <= 32767; sample += 1) {
      const isNegative = sample < 0;
      const mulaw = 0xff - (intervalOf(Math.min(Math.abs(sample), 32635), mulawDecisions) + (isNegative ? 128 : 0));
      const alaw = (intervalOf(isNegative ? -sample - 1 : sample, alawDecisions) + (isNegative ? 0 : 128)) ^ 0x55;
      if (linearToMulaw[sample & 0xffff] !== mulaw || linearToAlaw[sample & 0xffff] !== alaw) wrong.push(sample);
    }
    expect(wrong).toEqual([]);
  });

  it('keeps every code through decoding and encoding, but for the negative zero of mu-law', () => {
    expect([...encodeAlaw(decodeAlaw(allCodes))]).toEqual([...allCodes]);
    expect([...encodeMulaw(decodeMulaw(allCodes))]).toEqual([...allCodes].map((code) => (code === 0x7f ? 0xff : code)));
  });

  it('converts between the laws as decoding and encoding would', () => {
    expect([...mulawToAlaw(allCodes)]).toEqual([...encodeAlaw(decodeMulaw(allCodes))]);
    expect([...alawToMulaw(allCodes)]).toEqual([...encodeMulaw(decodeAlaw(allCodes))]);
    expect([...mulawToAlaw(Uint8Array.of(0xff))]).toEqual([0xd5]);
  });

  it('measures energy from silence to full scale', () => {
    expect(mulawEnergy(new Uint8Array(160).fill(0xff))).toBe(0);
    expect(mulawEnergy(new Uint8Array(0))).toBe(0);
    expect(mulawEnergy(new Uint8Array(160).fill(0x80))).toBeCloseTo((32124 / 32768) ** 2, 6);
  });
});
