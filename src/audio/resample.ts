/** Samples on either side of an output sample that contribute to it, counted at the lower of the two rates. */
const HALF_WIDTH = 16;

/** −6 dB point of the low-pass as a share of the lower rate's Nyquist frequency: keeps the phone band, folds nothing audible. */
const CUTOFF = 0.92;

/** Kaiser window shape: about 70 dB of stop-band attenuation. */
const KAISER_BETA = 7;

/** Upper bound of phases × taps, so that an odd pair of rates cannot demand an unbounded table. */
const MAX_COEFFICIENTS = 2_000_000;

/** Converts a stream of samples from one rate to another. Chunk boundaries leave no trace in the output. */
export interface Resampler {
  /** How far the output lags behind the input, ms. */
  readonly delayMs: number;
  /** Adds 16-bit samples; returns those that are complete. The result is the caller's. */
  push(input: Int16Array): Int16Array;
  /** As {@link Resampler.push}, for samples in −1…1. */
  pushFloat(input: Float32Array): Float32Array;
  /** Ends the stream: the samples still inside. In all, `ceil(inputs × toHz / fromHz)` samples come out. */
  flush(): Int16Array;
}

interface FilterBank {
  readonly up: number;
  readonly down: number;
  readonly taps: number;
  /** `up` phases of `taps` coefficients each, every phase with unity gain at DC. */
  readonly coefficients: Float32Array;
}

const banks = new Map<string, FilterBank>();

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Zeroth-order modified Bessel function of the first kind. */
function besselI0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > 1e-12 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function windowedSinc(x: number, bandwidth: number, halfWidth: number): number {
  const reach = 1 - (x / halfWidth) ** 2;
  if (reach <= 0) return 0;
  const sinc = x === 0 ? 1 : Math.sin(Math.PI * bandwidth * x) / (Math.PI * bandwidth * x);
  return (sinc * besselI0(KAISER_BETA * Math.sqrt(reach))) / besselI0(KAISER_BETA);
}

function designBank(fromHz: number, toHz: number): FilterBank {
  const divisor = greatestCommonDivisor(fromHz, toHz);
  const up = toHz / divisor;
  const down = fromHz / divisor;
  const halfWidth = HALF_WIDTH * Math.max(1, down / up);
  const half = Math.ceil(halfWidth);
  const taps = 2 * half;
  if (up * taps > MAX_COEFFICIENTS) throw new RangeError(`No common divisor to resample ${fromHz} Hz to ${toHz} Hz by`);
  const bandwidth = CUTOFF * Math.min(1, up / down);
  const coefficients = new Float32Array(up * taps);
  for (let phase = 0; phase < up; phase += 1) {
    let gain = 0;
    for (let tap = 0; tap < taps; tap += 1) gain += windowedSinc(tap - (half - 1) - phase / up, bandwidth, halfWidth);
    for (let tap = 0; tap < taps; tap += 1) {
      coefficients[phase * taps + tap] = windowedSinc(tap - (half - 1) - phase / up, bandwidth, halfWidth) / gain;
    }
  }
  return { up, down, taps, coefficients };
}

function findBank(fromHz: number, toHz: number): FilterBank {
  const key = `${fromHz}:${toHz}`;
  const known = banks.get(key);
  if (known !== undefined) return known;
  const bank = designBank(fromHz, toHz);
  banks.set(key, bank);
  return bank;
}

/**
 * A streaming polyphase FIR between two integer rates. Equal rates copy. The filter bank of a pair of rates is computed once.
 * @throws RangeError where a rate is not a positive integer, or the pair needs an unreasonable table.
 */
export function createResampler(fromHz: number, toHz: number): Resampler {
  if (!Number.isInteger(fromHz) || !Number.isInteger(toHz) || fromHz <= 0 || toHz <= 0) throw new RangeError('Sample rates are positive integers');
  if (fromHz === toHz) return { delayMs: 0, push: (input) => input.slice(), pushFloat: (input) => input.slice(), flush: () => new Int16Array(0) };
  return createPolyphase(findBank(fromHz, toHz), fromHz);
}

function createPolyphase({ up, down, taps, coefficients }: FilterBank, fromHz: number): Resampler {
  const half = taps / 2;
  let window = new Float32Array(4096);
  // The window opens with the silence before the first sample, so that output 0 is centred on input 0.
  let filled = half - 1;
  let position = 0;
  let phase = 0;

  function append(input: Int16Array | Float32Array, scale: number): void {
    if (filled + input.length > window.length) {
      const wider = new Float32Array(2 * (filled + input.length));
      wider.set(window.subarray(0, filled));
      window = wider;
    }
    for (let i = 0; i < input.length; i += 1) window[filled + i] = (input[i] as number) * scale;
    filled += input.length;
  }

  function countReady(): number {
    const spare = filled - taps - position;
    return spare < 0 ? 0 : Math.floor(((spare + 1) * up - 1 - phase) / down) + 1;
  }

  function produce(write: (index: number, value: number) => void, count: number): void {
    for (let n = 0; n < count; n += 1) {
      const base = phase * taps;
      let sum = 0;
      for (let tap = 0; tap < taps; tap += 1) sum += (coefficients[base + tap] as number) * (window[position + tap] as number);
      write(n, sum);
      phase += down;
      position += Math.floor(phase / up);
      phase %= up;
    }
    const consumed = Math.min(position, filled);
    window.copyWithin(0, consumed, filled);
    filled -= consumed;
    position -= consumed;
  }

  function takeInt16(): Int16Array {
    const out = new Int16Array(countReady());
    produce((index, value) => void (out[index] = Math.max(-32768, Math.min(32767, Math.round(value * 32768)))), out.length);
    return out;
  }

  return {
    delayMs: (half * 1000) / fromHz,
    push(input) {
      append(input, 1 / 32768);
      return takeInt16();
    },
    pushFloat(input) {
      append(input, 1);
      const out = new Float32Array(countReady());
      produce((index, value) => void (out[index] = value), out.length);
      return out;
    },
    flush() {
      append(new Float32Array(half), 1);
      return takeInt16();
    },
  };
}
