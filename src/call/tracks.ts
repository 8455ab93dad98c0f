import { FRAME_MS } from '../audio/frame.js';

/** A frame whose mean level is above this (of 32,768) is heard as sound: about −44 dBFS. */
const AUDIBLE_LEVEL = 200;

/**
 * How loud each 20 ms of the two recorded tracks is, kept while the call lives: what gaps are measured on, one number per frame,
 * so that ten minutes take 60 kB.
 */
export interface LevelTrack {
  /** Mean absolute level of the frame at `index` (index × 20 ms on the call clock). */
  set(index: number, level: number): void;
  isAudible(index: number): boolean;
  readonly length: number;
}

/** Creates an empty track; it grows as frames are set. */
export function createLevelTrack(): LevelTrack {
  let levels = new Uint16Array(3000);
  let length = 0;
  return {
    set(index, level) {
      if (index < 0) return;
      if (index >= levels.length) {
        const grown = new Uint16Array(Math.max(levels.length * 2, index + 1));
        grown.set(levels);
        levels = grown;
      }
      levels[index] = level;
      length = Math.max(length, index + 1);
    },
    isAudible: (index) => (levels[index] ?? 0) > AUDIBLE_LEVEL,
    get length() {
      return length;
    },
  };
}

/**
 * The gap the caller heard: from the last audible frame of the caller before `replyStartMs` to the first audible frame of the
 * agent at or after it. Null where either is missing.
 */
export function heardGapMs(caller: LevelTrack, agent: LevelTrack, speech: { startMs: number; endMs: number; replyStartMs: number }): number | null {
  // The detector's end of speech may be some frames early or late: the recording decides, within this reach.
  const reachMs = 300;
  let last = Math.min(Math.ceil((speech.endMs + reachMs) / FRAME_MS), Math.floor(speech.replyStartMs / FRAME_MS));
  const first = Math.floor(speech.startMs / FRAME_MS);
  while (last >= first && !caller.isAudible(last)) last -= 1;
  if (last < first) return null;
  let next = Math.max(0, Math.floor(speech.replyStartMs / FRAME_MS) - 1);
  while (next < agent.length && !agent.isAudible(next)) next += 1;
  return next >= agent.length ? null : Math.max(0, (next - last - 1) * FRAME_MS);
}
