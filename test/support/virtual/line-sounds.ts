import { FRAME_BYTES, SAMPLE_RATE_HZ } from '../../../src/audio/frame.js';
import { decodeMulaw, encodeMulaw } from '../../../src/audio/g711.js';
import { systemClock } from '../../../src/base/clock.js';
import { builtinTtsSettingsSchema } from '../../../src/speech/builtin/settings.js';
import { renderClause } from '../../../src/speech/builtin/voice.js';
import type { LineSound } from './virtual-carrier.js';

/** A sound at 16 bits by its sample's number, 8,000 a second. Beyond full scale it clips. */
export type Samples = (n: number) => number;

const clip = (value: number): number => Math.max(-32_768, Math.min(32_767, Math.round(value)));

/** Amplitude of a level below full scale. */
export const amplitudeAt = (dbfs: number): number => 32_767 * 10 ** (dbfs / 20);

/** A sound as a line carries it. */
export function lineSound(samples: Samples): LineSound {
  return (atMs) => {
    const from = Math.round((atMs * SAMPLE_RATE_HZ) / 1000);
    return encodeMulaw(Int16Array.from({ length: FRAME_BYTES }, (_, i) => clip(samples(from + i))));
  };
}

/** A sine. */
export const tone = (hertz: number, amplitude: number): Samples => (n) => amplitude * Math.sin((2 * Math.PI * hertz * n) / SAMPLE_RATE_HZ);

/** Several sounds at once. */
export const mix = (...parts: readonly Samples[]): Samples => (n) => parts.reduce((sum, part) => sum + part(n), 0);

/** White noise, the same for the same sample (a hash of its number). */
export function noise(amplitude: number, seed = 1): Samples {
  return (n) => {
    let hash = Math.imul(n + seed * 7919, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    return amplitude * (((hash ^ (hash >>> 13)) >>> 0) / 0x80000000 - 1);
  };
}

/** Four chords of four tones, two struck a second, each dying away over a drum: what is played to callers on hold. */
export function music(amplitude: number): Samples {
  const chords = [[262, 330, 392, 523], [220, 262, 330, 440], [175, 220, 262, 349], [196, 247, 294, 392]];
  const beatSamples = SAMPLE_RATE_HZ / 2;
  const drum = noise(amplitude, 5);
  return (n) => {
    const beat = Math.floor(n / beatSamples);
    const into = n % beatSamples;
    const chord = chords[beat % chords.length] ?? [];
    const strings = chord.reduce((sum, hertz) => sum + tone(hertz, amplitude / 4)(n), 0) * Math.exp(-into / (SAMPLE_RATE_HZ / 4));
    return strings + drum(n) * Math.exp(-into / 300);
  };
}

/** Sentences of the builtin voice in a row, without end. Rendered speech without its data signal: no recogniser has words for it. */
export async function talker(pitch: number, peak: number, sentences: readonly string[]): Promise<Samples> {
  const settings = builtinTtsSettingsSchema.parse({ pitch });
  const { signal } = new AbortController();
  const clauses = await Promise.all(sentences.map((text) => renderClause(text, { settings, language: 'en', clock: systemClock, signal })));
  const loop = Int16Array.from(clauses.flatMap((clause) => [...clause]));
  const loudest = loop.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1);
  return (n) => ((loop[n % loop.length] ?? 0) * peak) / loudest;
}

/** The sound, so much softer. */
export function softened(frame: Uint8Array, db: number): Uint8Array {
  return encodeMulaw(decodeMulaw(frame).map((sample) => clip(sample * 10 ** (db / 20))));
}
