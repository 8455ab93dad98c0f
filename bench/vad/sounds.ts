import { SAMPLE_RATE_HZ } from '../../src/audio/frame.js';

/** A sound that is no speech, at 16 bits. */
export type Sound = Int16Array;

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let hash = Math.imul(state ^ (state >>> 15), 1 | state);
    hash = (hash + Math.imul(hash ^ (hash >>> 7), 61 | hash)) ^ hash;
    return ((hash ^ (hash >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

const clip = (value: number): number => Math.max(-32_768, Math.min(32_767, Math.round(value)));

/** Two-pole resonator; its gain at the centre is about 1. */
function createResonance(hertz: number, widthHertz: number): (input: number) => number {
  const radius = Math.exp((-Math.PI * widthHertz) / SAMPLE_RATE_HZ);
  const b = 2 * radius * Math.cos((2 * Math.PI * hertz) / SAMPLE_RATE_HZ);
  let y1 = 0;
  let y2 = 0;
  return (input) => {
    const y = (1 - radius) * input + b * y1 - radius * radius * y2;
    y2 = y1;
    y1 = y;
    return y;
  };
}

/** A sound by its sample's number, scaled to a peak. */
function shape(samples: number, peak: number, sampleAt: (n: number) => number): Sound {
  const values = Float64Array.from({ length: samples }, (_, n) => sampleAt(n));
  const loudest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
  return Int16Array.from(values, (value) => clip((value * peak) / loudest));
}

/** Two bursts of turbulence through a throat's resonances, the second softer, each falling within some 100 ms. */
export function cough(random: () => number, peak = 9000): Sound {
  const throat = [createResonance(500 + 200 * random(), 200), createResonance(1500 + 400 * random(), 400), createResonance(2600, 600)];
  const gap = Math.round((0.18 + 0.1 * random()) * SAMPLE_RATE_HZ);
  const burst = (n: number) => (n < 0 ? 0 : Math.min(1, n / 40) * Math.exp(-n / (0.05 * SAMPLE_RATE_HZ)));
  return shape(gap + SAMPLE_RATE_HZ / 4, peak, (n) => {
    const breath = (2 * random() - 1) * (burst(n) + 0.6 * burst(n - gap));
    return throat.reduce((sum, resonance) => sum + resonance(breath), 0);
  });
}

/** A click of 5 ms, as of a handset or a bad line. */
export function click(random: () => number, peak = 20_000): Sound {
  return Int16Array.from({ length: 40 }, (_, n) => clip(peak * (0.5 + random() / 2) * Math.exp(-n / 10) * (n % 2 === 0 ? 1 : -1)));
}

/** "Mm-hm": a voice behind closed lips, twice, the second time higher; almost nothing of it lies above 700 Hz. */
export function mmHm(random: () => number, peak = 9000): Sound {
  const pitch = 100 + 100 * random();
  const first = Math.round((0.14 + 0.05 * random()) * SAMPLE_RATE_HZ);
  const breath = Math.round(0.05 * SAMPLE_RATE_HZ);
  const second = Math.round((0.18 + 0.07 * random()) * SAMPLE_RATE_HZ);
  const nose = [createResonance(260, 80), createResonance(1000, 200)];
  let phase = 0;
  const level = (n: number, length: number) => (n < 0 || n >= length ? 0 : Math.min(1, n / 160, (length - n) / 320));
  return shape(first + breath + second, peak, (n) => {
    const rise = n < first + breath ? 1 : 1.2;
    phase = (phase + (pitch * rise) / SAMPLE_RATE_HZ) % 1;
    const voice = (phase < 0.6 ? Math.sin((Math.PI * phase) / 0.6) ** 2 : 0) * (level(n, first) + level(n - first - breath, second));
    return (nose[0]?.(voice) ?? 0) + 0.05 * (nose[1]?.(voice) ?? 0);
  });
}

/** Tones at once, on and off in turn. */
export function cadence(hertz: readonly number[], onMs: number, offMs: number, amplitude: number): (n: number) => number {
  const period = ((onMs + offMs) * SAMPLE_RATE_HZ) / 1000;
  const on = (onMs * SAMPLE_RATE_HZ) / 1000;
  return (n) => (n % period < on ? hertz.reduce((sum, one) => sum + amplitude * Math.sin((2 * Math.PI * one * n) / SAMPLE_RATE_HZ), 0) : 0);
}
