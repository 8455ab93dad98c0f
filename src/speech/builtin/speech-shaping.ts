import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { SPEECH_EDGE_HZ } from './data-signal.js';
import type { SlicedComputation } from './slices.js';

/** Coefficients of the low-pass: about 50 dB down at the data signal's lowest tone. */
const TAPS = 95;
const HALF = (TAPS - 1) / 2;

/** Loudness that every voice is brought to: RMS of the audible part, of 32768 (−20 dBFS). */
const TARGET_RMS = 3277;

/** Largest sample: leaves room for the data signal, and for a gain of 1.3 on the way. */
const PEAK = 24_000;

/** Amplitude, relative to the loudest sample, that counts as audible. */
const AUDIBLE_SHARE = 0.02;

/** Silence kept before the first audible sample: 10 ms. */
const LEAD_SAMPLES = 80;

/** Silence kept after the last audible sample: 40 ms. */
const TAIL_SAMPLES = 320;

/** Samples filtered at a stretch: about 1 ms of computing. */
const SLICE_SAMPLES = 4000;

/** Blackman-windowed sinc, unity gain at DC. */
const lowPass = designLowPass();

function designLowPass(): Float32Array {
  const cutoff = (2 * SPEECH_EDGE_HZ) / SAMPLE_RATE_HZ;
  const taps = Float32Array.from({ length: TAPS }, (_, i) => {
    const x = i - HALF;
    const sinc = x === 0 ? cutoff : Math.sin(Math.PI * cutoff * x) / (Math.PI * x);
    const turn = (2 * Math.PI * i) / (TAPS - 1);
    return sinc * (0.42 - 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn));
  });
  const gain = taps.reduce((sum, tap) => sum + tap, 0);
  return taps.map((tap) => tap / gain);
}

/** Where sound begins and ends; end is exclusive. Null for silence. */
function findAudible(samples: Int16Array): { start: number; end: number } | null {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  const threshold = Math.max(1, peak * AUDIBLE_SHARE);
  const start = samples.findIndex((sample) => Math.abs(sample) >= threshold);
  if (start < 0) return null;
  const end = samples.findLastIndex((sample) => Math.abs(sample) >= threshold) + 1;
  return { start: Math.max(0, start - LEAD_SAMPLES), end: Math.min(samples.length, end + TAIL_SAMPLES) };
}

function* filter(samples: Int16Array): SlicedComputation<Float32Array> {
  const padded = new Float32Array(samples.length + TAPS - 1);
  padded.set(samples, HALF);
  const out = new Float32Array(samples.length);
  for (let i = 0; i < out.length; i += 1) {
    // The response is symmetric: each coefficient serves two samples.
    let sum = (lowPass[HALF] as number) * (padded[i + HALF] as number);
    for (let tap = 0; tap < HALF; tap += 1) sum += (lowPass[tap] as number) * ((padded[i + tap] as number) + (padded[i + TAPS - 1 - tap] as number));
    out[i] = sum;
    if (i % SLICE_SAMPLES === SLICE_SAMPLES - 1) yield;
  }
  return out;
}

/** The loudness of the parts that are not pauses: RMS over the 20 ms windows within 30 dB of the loudest. */
function activeRms(samples: Float32Array): number {
  const window = SAMPLE_RATE_HZ / 50;
  const energies: number[] = [];
  for (let at = 0; at < samples.length; at += window) {
    let sum = 0;
    for (let n = at; n < Math.min(samples.length, at + window); n += 1) sum += (samples[n] as number) ** 2;
    energies.push(sum / window);
  }
  const loudest = energies.reduce((a, b) => Math.max(a, b), 0);
  const active = energies.filter((energy) => energy > loudest / 1000);
  return Math.sqrt(active.reduce((sum, energy) => sum + energy, 0) / Math.max(1, active.length));
}

/**
 * Makes room for the data signal and evens out voices: cuts silence off both ends, takes away what lies above the speech band,
 * and sets the loudness to −20 dBFS. Silence gives an empty result.
 * @param samples 8 kHz.
 */
export function* shapeSpeech(samples: Int16Array): SlicedComputation<Int16Array> {
  const audible = findAudible(samples);
  if (audible === null) return new Int16Array(0);
  const filtered = yield* filter(samples.subarray(audible.start, audible.end));
  const peak = filtered.reduce((largest, sample) => Math.max(largest, Math.abs(sample)), 1);
  // A clipped peak would spill over the data signal's band: a clause with sharp peaks stays a little quieter.
  const gain = Math.min(TARGET_RMS / Math.max(1, activeRms(filtered)), PEAK / peak);
  return Int16Array.from(filtered, (sample) => Math.round(sample * gain));
}
