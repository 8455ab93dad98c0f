import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { toPhonemes, type Phoneme } from './bundled-phonemes.js';
import type { SlicedComputation } from './slices.js';

/** Parameters glide from sound to sound in steps of this many samples (4 ms). */
const STEP_SAMPLES = 32;

/** Share of the way to the next sound's parameters made per step: transitions of about 20 ms. */
const GLIDE = 0.3;

const BANDWIDTHS_HZ = [70, 110, 170] as const;
const FORMANT_GAINS = [1, 0.7, 0.35] as const;
const NOISE_BANDWIDTH_HZ = 500;
const OUTPUT_GAIN = 6000;

/** Pace at which {@link renderBundled} speaks unless told otherwise: about 13 characters a second. */
const USUAL_WORDS_PER_MINUTE = 170;

/** Longest text rendered at once. */
const MAX_CHARACTERS = 2000;

interface Resonator {
  tune(frequencyHz: number, bandwidthHz: number): void;
  next(input: number): number;
}

/** Two-pole resonator with unity gain at DC (Klatt, 1980). */
function createResonator(): Resonator {
  let a = 1;
  let b = 0;
  let c = 0;
  let y1 = 0;
  let y2 = 0;
  return {
    tune(frequencyHz, bandwidthHz) {
      const radius = Math.exp((-Math.PI * bandwidthHz) / SAMPLE_RATE_HZ);
      c = -radius * radius;
      b = 2 * radius * Math.cos((2 * Math.PI * frequencyHz) / SAMPLE_RATE_HZ);
      a = 1 - b - c;
    },
    next(input) {
      const y = a * input + b * y1 + c * y2;
      y2 = y1;
      y1 = y;
      return y;
    },
  };
}

/** Glottal pulses and breath; the same for the same text, always. */
function createSource(pitchHz: (position: number) => number) {
  let phase = 0;
  let seed = 0x2545f491;
  return {
    pulse(position: number): number {
      phase += pitchHz(position) / SAMPLE_RATE_HZ;
      if (phase >= 1) phase -= 1;
      // A rounded sawtooth: falls off with frequency as a voice does.
      return phase < 0.6 ? Math.sin((Math.PI * phase) / 0.6) ** 2 - 0.3 : -0.3;
    },
    breath(): number {
      seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
      return seed / 0x80000000;
    },
  };
}

/** Parameters as they glide. */
interface Tract {
  readonly formantsHz: [number, number, number];
  voicing: number;
  noise: number;
}

function glide(tract: Tract, target: Phoneme, isClosed: boolean): void {
  tract.formantsHz.forEach((value, i) => (tract.formantsHz[i] = value + GLIDE * ((target.formantsHz[i] ?? value) - value)));
  tract.voicing += GLIDE * ((isClosed ? 0 : target.voicing) - tract.voicing);
  tract.noise += 2 * GLIDE * ((isClosed ? 0 : target.noise) - tract.noise);
}

function lengthSamples(durationMs: number, pace: number): number {
  return Math.round((durationMs * SAMPLE_RATE_HZ) / 1000 / pace / STEP_SAMPLES) * STEP_SAMPLES;
}

/**
 * A compact formant synthesiser: spells English roughly, speaks like a robot, needs no data and no process. Deterministic.
 * @returns 8 kHz samples.
 */
export function* renderBundled(text: string, options: { readonly wordsPerMinute: number; readonly pitch: number }): SlicedComputation<Int16Array> {
  const sounds = toPhonemes(text.slice(0, MAX_CHARACTERS));
  const pace = options.wordsPerMinute / USUAL_WORDS_PER_MINUTE;
  const samples = new Int16Array(sounds.reduce((sum, sound) => sum + lengthSamples(sound.durationMs, pace) + lengthSamples(sound.closureMs, pace), 0));
  const isQuestion = text.trimEnd().endsWith('?');
  const baseHz = 85 + options.pitch * 0.9;
  const source = createSource((position) => baseHz * (isQuestion && position > 0.7 ? 0.7 + position * 0.5 : 1.1 - position * 0.25));
  const resonators = BANDWIDTHS_HZ.map(createResonator);
  const noiseFilter = createResonator();
  const tract: Tract = { formantsHz: [500, 1500, 2400], voicing: 0, noise: 0 };
  let at = 0;

  const speakStep = (sound: Phoneme, isClosed: boolean) => {
    glide(tract, sound, isClosed);
    resonators.forEach((resonator, i) => resonator.tune(tract.formantsHz[i] ?? 0, BANDWIDTHS_HZ[i] ?? 0));
    noiseFilter.tune(sound.noiseHz, NOISE_BANDWIDTH_HZ);
    for (let n = 0; n < STEP_SAMPLES; n += 1, at += 1) {
      const pulse = source.pulse(at / samples.length) * tract.voicing;
      let value = noiseFilter.next(source.breath() * tract.noise) * 0.8;
      for (let i = 0; i < resonators.length; i += 1) value += (resonators[i]?.next(pulse) ?? 0) * (FORMANT_GAINS[i] ?? 0);
      samples[at] = Math.max(-32768, Math.min(32767, Math.round(value * OUTPUT_GAIN)));
    }
  };

  for (const sound of sounds) {
    const closure = lengthSamples(sound.closureMs, pace);
    const total = closure + lengthSamples(sound.durationMs, pace);
    for (let done = 0; done < total; done += STEP_SAMPLES) speakStep(sound, done < closure);
    yield;
  }
  return samples;
}
