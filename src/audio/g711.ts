/**
 * ITU-T G.711 on whole buffers, by table. Linear samples are 16-bit: the 14-bit (mu-law) and 13-bit (A-law) values of the
 * Recommendation shifted to the top.
 */

const MULAW_BIAS = 0x84;
const MULAW_CLIP = 0x7fff - MULAW_BIAS;

function decodeMulawCode(code: number): number {
  const inverted = ~code & 0xff;
  const exponent = (inverted >> 4) & 7;
  const magnitude = ((((inverted & 0x0f) << 3) + MULAW_BIAS) << exponent) - MULAW_BIAS;
  return inverted & 0x80 ? -magnitude : magnitude;
}

function encodeMulawSample(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const biased = Math.min(Math.abs(sample), MULAW_CLIP) + MULAW_BIAS;
  const exponent = 24 - Math.clz32(biased);
  const mantissa = (biased >> (exponent + 3)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

function decodeAlawCode(code: number): number {
  const toggled = code ^ 0x55;
  const exponent = (toggled >> 4) & 7;
  const mantissa = ((toggled & 0x0f) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return toggled & 0x80 ? magnitude : -magnitude;
}

function encodeAlawSample(sample: number): number {
  const sign = sample >= 0 ? 0x80 : 0;
  const magnitude = sample >= 0 ? sample : ~sample;
  const exponent = Math.max(0, 24 - Math.clz32(magnitude));
  const mantissa = (exponent === 0 ? magnitude >> 4 : magnitude >> (exponent + 3)) & 0x0f;
  return (sign | (exponent << 4) | mantissa) ^ 0x55;
}

/** Linear value of each mu-law code (G.711 table 2). */
export const mulawToLinear = Int16Array.from({ length: 256 }, (_, code) => decodeMulawCode(code));

/** Linear value of each A-law code (G.711 table 1). */
export const alawToLinear = Int16Array.from({ length: 256 }, (_, code) => decodeAlawCode(code));

/** Mu-law code of each linear sample, indexed by `sample & 0xffff`. */
export const linearToMulaw = Uint8Array.from({ length: 0x10000 }, (_, index) => encodeMulawSample((index << 16) >> 16));

/** A-law code of each linear sample, indexed by `sample & 0xffff`. */
export const linearToAlaw = Uint8Array.from({ length: 0x10000 }, (_, index) => encodeAlawSample((index << 16) >> 16));

const mulawToAlawTable = mapCodes(mulawToLinear, linearToAlaw);
const alawToMulawTable = mapCodes(alawToLinear, linearToMulaw);

function mapCodes(toLinear: Int16Array, fromLinear: Uint8Array): Uint8Array {
  return Uint8Array.from(toLinear, (sample) => fromLinear[sample & 0xffff] ?? 0);
}

function decode(table: Int16Array, codes: Uint8Array, out: Int16Array): Int16Array {
  for (let i = 0; i < codes.length; i += 1) out[i] = table[codes[i] as number] as number;
  return out;
}

function encode(table: Uint8Array, samples: Int16Array, out: Uint8Array): Uint8Array {
  for (let i = 0; i < samples.length; i += 1) out[i] = table[(samples[i] as number) & 0xffff] as number;
  return out;
}

function translate(table: Uint8Array, codes: Uint8Array, out: Uint8Array): Uint8Array {
  for (let i = 0; i < codes.length; i += 1) out[i] = table[codes[i] as number] as number;
  return out;
}

/** Decodes mu-law into `out` (at least as long; allocated when left out) and returns it. */
export function decodeMulaw(codes: Uint8Array, out: Int16Array = new Int16Array(codes.length)): Int16Array {
  return decode(mulawToLinear, codes, out);
}

/** Encodes 16-bit samples as mu-law into `out` and returns it. */
export function encodeMulaw(samples: Int16Array, out: Uint8Array = new Uint8Array(samples.length)): Uint8Array {
  return encode(linearToMulaw, samples, out);
}

/** Decodes A-law into `out` and returns it. */
export function decodeAlaw(codes: Uint8Array, out: Int16Array = new Int16Array(codes.length)): Int16Array {
  return decode(alawToLinear, codes, out);
}

/** Encodes 16-bit samples as A-law into `out` and returns it. */
export function encodeAlaw(samples: Int16Array, out: Uint8Array = new Uint8Array(samples.length)): Uint8Array {
  return encode(linearToAlaw, samples, out);
}

/** Converts mu-law codes to A-law codes byte by byte; `out` may be the input itself. */
export function mulawToAlaw(codes: Uint8Array, out: Uint8Array = new Uint8Array(codes.length)): Uint8Array {
  return translate(mulawToAlawTable, codes, out);
}

/** Converts A-law codes to mu-law codes byte by byte; `out` may be the input itself. */
export function alawToMulaw(codes: Uint8Array, out: Uint8Array = new Uint8Array(codes.length)): Uint8Array {
  return translate(alawToMulawTable, codes, out);
}

/** Mean square of a mu-law buffer, on a scale where full-scale linear is 1. Zero for an empty buffer. */
export function mulawEnergy(codes: Uint8Array): number {
  if (codes.length === 0) return 0;
  let sum = 0;
  for (let i = 0; i < codes.length; i += 1) {
    const sample = mulawToLinear[codes[i] as number] as number;
    sum += sample * sample;
  }
  return sum / (codes.length * 0x8000 * 0x8000);
}
