import { MULAW_SILENCE, SAMPLE_RATE_HZ } from '../audio/frame.js';

/** Audio kept per track: calls in the simulator are minutes long, and a runaway one must not fill the memory. */
const TRACK_LIMIT_MS = 60 * 60_000;

const FIRST_CAPACITY_SAMPLES = 30 * SAMPLE_RATE_HZ;

/** One side of a call on the call's own timeline: 8 kHz mu-law, silence where nothing was written. */
export interface Track {
  /** Samples from 0 to the last one written. */
  readonly lengthSamples: number;
  /** Overwrites from `atSample`; what lies beyond {@link TRACK_LIMIT_MS} is dropped. */
  write(atSample: number, audio: Uint8Array): void;
  /** Forgets everything from `atSample` on. */
  truncate(atSample: number): void;
  /** A copy of `[fromSample, toSample)`, padded with silence. */
  slice(fromSample: number, toSample: number): Uint8Array;
}

/** Creates an empty track. */
export function createTrack(): Track {
  const limit = (TRACK_LIMIT_MS * SAMPLE_RATE_HZ) / 1000;
  let samples = new Uint8Array(FIRST_CAPACITY_SAMPLES).fill(MULAW_SILENCE);
  let length = 0;

  const reserve = (needed: number) => {
    if (needed <= samples.length) return;
    const grown = new Uint8Array(Math.min(limit, Math.max(needed, samples.length * 2))).fill(MULAW_SILENCE);
    grown.set(samples.subarray(0, length));
    samples = grown;
  };

  return {
    get lengthSamples() {
      return length;
    },
    write(atSample, audio) {
      const kept = audio.subarray(0, Math.max(0, limit - atSample));
      if (kept.length === 0) return;
      reserve(atSample + kept.length);
      samples.set(kept, atSample);
      length = Math.max(length, atSample + kept.length);
    },
    truncate(atSample) {
      if (atSample >= length) return;
      samples.fill(MULAW_SILENCE, atSample, length);
      length = atSample;
    },
    slice(fromSample, toSample) {
      const copy = new Uint8Array(Math.max(0, toSample - fromSample)).fill(MULAW_SILENCE);
      if (fromSample < length) copy.set(samples.subarray(fromSample, Math.min(toSample, length)));
      return copy;
    },
  };
}
