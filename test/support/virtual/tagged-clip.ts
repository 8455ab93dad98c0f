import { FRAME_BYTES } from '../../../src/audio/frame.js';
import type { AttachedClip } from '../../../src/workflow/graph.js';
import type { ScriptedTextToSpeech } from './scripted-speech.js';
import { tagOf, voicedFrame } from './tagged-audio.js';

/** A clip whose frames tell which they are, and which of its characters they speak. */
export interface TaggedClip extends AttachedClip, Pick<ScriptedTextToSpeech, 'locate'> {
  readonly audio: Uint8Array;
  /** The place within the clip of one of its frames; null for another one. */
  placeOf(frame: Uint8Array): number | null;
}

/** Tags of clips lie above those of scripted voices. */
const FIRST_TAG = 0x0800_0000;
const TAGS_PER_CLIP = 0x1_0000;

/** Makes a clip of so many frames that says `words`; `number` tells clips of one call apart. */
export function taggedClip(number: number, frames: number, { uuid, name, transcript, words = transcript }: AttachedClip & { readonly words?: string }): TaggedClip {
  const firstTag = FIRST_TAG + number * TAGS_PER_CLIP;
  const placeOf = (frame: Uint8Array) => {
    const place = frame.length === FRAME_BYTES ? (tagOf(frame) ?? -1) - firstTag : -1;
    return place >= 0 && place < frames ? place : null;
  };
  return {
    uuid,
    name,
    transcript,
    audio: Buffer.concat(Array.from({ length: frames }, (_, at) => voicedFrame(firstTag + at, at))),
    placeOf,
    locate(frame) {
      const place = placeOf(frame);
      return place === null ? null : { utterance: firstTag, text: words, char: Math.floor((place * words.length) / frames) };
    },
  };
}
