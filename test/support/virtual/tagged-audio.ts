import { FRAME_BYTES } from '../../../src/audio/frame.js';

/** Frames of one syllable of {@link voicedFrame}: loud ones, then softer ones, so that an energy detector hears speech and no tone. */
const SYLLABLE_FRAMES = 8;
const LOUD_FRAMES = 5;

/** Leading bytes of a frame whose low nibbles hold its number. */
const TAG_BYTES = 8;

/**
 * 20 ms of loud mu-law that carries a number: whoever receives the frame, at whichever end of a call, can tell which one it is.
 * `position` shapes the loudness, so that frames in a row sound like syllables to a detector.
 */
export function voicedFrame(tag: number, position = tag): Buffer {
  const frame = Buffer.alloc(FRAME_BYTES);
  const level = position % SYLLABLE_FRAMES < LOUD_FRAMES ? 0x90 : 0xb0;
  for (let i = 0; i < FRAME_BYTES; i += 1) {
    const nibble = i < TAG_BYTES ? (tag >>> (4 * i)) & 0x0f : (i * 7 + position) & 0x0f;
    frame[i] = (level | nibble) ^ (i & 4 ? 0x80 : 0);
  }
  return frame;
}

/** The number in a frame of {@link voicedFrame}; null where it is none. */
export function tagOf(frame: Uint8Array): number | null {
  let tag = 0;
  for (let i = 0; i < TAG_BYTES; i += 1) {
    const code = (frame[i] ?? 0xff) ^ (i & 4 ? 0x80 : 0);
    if ((code & 0xf0) !== 0x90 && (code & 0xf0) !== 0xb0) return null;
    tag |= (code & 0x0f) << (4 * i);
  }
  return tag >>> 0;
}
