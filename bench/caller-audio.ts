import { FRAME_BYTES, MULAW_SILENCE } from '../src/audio/frame.js';
import { linearToMulaw } from '../src/audio/g711.js';

/** Base64 of each 20 ms frame of an utterance, ready to be pasted into a media message. */
export type Utterance = readonly string[];

/** Base64 of a silent frame. */
export const silentPayload = Buffer.alloc(FRAME_BYTES, MULAW_SILENCE).toString('base64');

/**
 * A voice-like sound: a glottal pulse train of 120 Hz through two formants, in syllables of 180 ms with 40 ms of lower level
 * between them, so that an energy detector and a neural one both take it for speech.
 */
export function createUtterance(durationMs: number): Utterance {
  const frames: string[] = [];
  for (let start = 0; start < durationMs * 8; start += FRAME_BYTES) {
    const codes = Uint8Array.from({ length: FRAME_BYTES }, (_, i) => linearToMulaw[voiceSample(start + i) & 0xffff] ?? MULAW_SILENCE);
    frames.push(Buffer.from(codes).toString('base64'));
  }
  return frames;
}

function voiceSample(index: number): number {
  const seconds = index / 8000;
  const syllableMs = (seconds * 1000) % 220;
  const level = syllableMs < 180 ? 1 : 0.35;
  const sinceMs = ((seconds * 120) % 1) / 120;
  const decay = (hz: number, widthHz: number) => Math.exp(-Math.PI * widthHz * sinceMs) * Math.sin(2 * Math.PI * hz * sinceMs);
  return Math.round(level * 9000 * (decay(600, 80) + 0.6 * decay(1400, 120)));
}
