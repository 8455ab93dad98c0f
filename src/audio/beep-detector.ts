import { FRAME_MS, SAMPLE_RATE_HZ } from './frame.js';
import { mulawToLinear } from './g711.js';

/** Tones that answering machines beep with lie in this band, Hz. */
const LOWEST_HZ = 850;
const HIGHEST_HZ = 1400;
/** A 20 ms frame tells tones apart that are this far from one another, Hz. */
const STEP_HZ = 50;

/** Shortest and longest beep; a longer tone is a line's or a fax's. */
const MIN_BEEP_MS = 200;
const MAX_BEEP_MS = 3000;

/** Part of a frame's energy that a pure tone has around its frequency; speech and chords stay far below. */
const MIN_PURITY = 0.75;
/** Mean square of the softest beep: about −42 dBFS. */
const MIN_POWER = 70_000;

/** 2·cos(2πf/rate) of each frequency that is looked at. */
const coefficients = Float64Array.from({ length: (HIGHEST_HZ - LOWEST_HZ) / STEP_HZ + 1 }, (_, index) => 2 * Math.cos((2 * Math.PI * (LOWEST_HZ + index * STEP_HZ)) / SAMPLE_RATE_HZ));

/** Listens for the beep of an answering machine. Its clock is the audio it is fed. */
export interface BeepDetector {
  /** One 20 ms mu-law frame. True with the first frame after a steady tone of 200 ms to 3 s. */
  push(frame: Uint8Array): boolean;
}

/** The energy of a frame at one frequency, in the unit of its mean square (Goertzel's algorithm). */
function powerAt(frame: Uint8Array, coefficient: number): number {
  let last = 0;
  let beforeLast = 0;
  for (const code of frame) {
    const next = (mulawToLinear[code] ?? 0) + coefficient * last - beforeLast;
    beforeLast = last;
    last = next;
  }
  const magnitude = last * last + beforeLast * beforeLast - coefficient * last * beforeLast;
  return (2 * magnitude) / (frame.length * frame.length);
}

/** Index of the frequency of a frame that is one pure tone of the band; −1 for any other. */
function toneOf(frame: Uint8Array, powers: Float64Array): number {
  let sum = 0;
  for (const code of frame) sum += (mulawToLinear[code] ?? 0) ** 2;
  const mean = sum / frame.length;
  if (mean < MIN_POWER) return -1;
  let best = 0;
  for (let index = 0; index < coefficients.length; index += 1) {
    powers[index] = powerAt(frame, coefficients[index] ?? 0);
    if ((powers[index] ?? 0) > (powers[best] ?? 0)) best = index;
  }
  // Between two frequencies a tone's energy is in both.
  const around = (powers[best] ?? 0) + Math.max(powers[best - 1] ?? 0, powers[best + 1] ?? 0);
  return around >= MIN_PURITY * mean ? best : -1;
}

/** Creates a detector that has heard nothing. */
export function createBeepDetector(): BeepDetector {
  const powers = new Float64Array(coefficients.length);
  let frequency = -1;
  let lengthMs = 0;
  return {
    push(frame) {
      const now = toneOf(frame, powers);
      if (now >= 0 && frequency >= 0 && Math.abs(now - frequency) <= 1) {
        lengthMs += FRAME_MS;
        return false;
      }
      const isBeep = lengthMs >= MIN_BEEP_MS && lengthMs <= MAX_BEEP_MS;
      frequency = now;
      lengthMs = now >= 0 ? FRAME_MS : 0;
      return isBeep;
    },
  };
}
