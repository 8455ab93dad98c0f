import { FRAME_BYTES, MULAW_SILENCE } from '../src/audio/frame.js';

/** Begins the first frame of an answer; followed by the id's length and its characters, all as mu-law codes. */
const MARKER = Buffer.from([0x13, 0x57, 0x9b, 0xdf]);

/** Longest id. */
const ID_LIMIT = 32;

/** Finds `u17` in a text: how an id travels from transcript to prompt to reply to voice. The last one is the newest. */
export function findTurnId(text: string): string | null {
  return text.match(/\bu\d+\b/g)?.at(-1) ?? null;
}

/** The first frame of an answer's audio, carrying the id, so that it can be recognised where it comes out. */
export function writeTurnId(id: string): Buffer {
  const frame = Buffer.alloc(FRAME_BYTES, MULAW_SILENCE);
  MARKER.copy(frame);
  frame[MARKER.length] = Math.min(id.length, ID_LIMIT);
  frame.write(id.slice(0, ID_LIMIT), MARKER.length + 1, 'latin1');
  return frame;
}

/** The id in the first frame of an answer's audio; null where there is none. */
export function readTurnId(audio: Buffer): string | null {
  if (!audio.subarray(0, MARKER.length).equals(MARKER)) return null;
  const length = audio[MARKER.length] ?? 0;
  return audio.toString('latin1', MARKER.length + 1, MARKER.length + 1 + length);
}
