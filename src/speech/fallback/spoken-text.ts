import { mulawDurationMs } from '../../audio/frame.js';
import type { TextToSpeechEvent } from '../text-to-speech.js';

type Words = Extract<TextToSpeechEvent, { type: 'words' }>['words'];

/** Length of one character of speech where the voice has not shown it yet: about 180 English words a minute. */
const DEFAULT_CHARACTER_MS = 60;

/** Characters a voice must have spoken before its own pace is believed. */
const MIN_PACE_CHARACTERS = 20;

/** How fast a voice speaks, learnt from what it has spoken whole. */
export interface Pace {
  readonly characterMs: number;
  /** So much text took so long. */
  learn(characters: number, durationMs: number): void;
}

/** Creates the pace of a voice of which nothing is known. */
export function createPace(): Pace {
  let spokenCharacters = 0;
  let spokenMs = 0;
  return {
    get characterMs() {
      return spokenCharacters < MIN_PACE_CHARACTERS ? DEFAULT_CHARACTER_MS : spokenMs / spokenCharacters;
    },
    learn(characters, durationMs) {
      spokenCharacters += characters;
      spokenMs += durationMs;
    },
  };
}

/** What one voice was given to speak and what it delivered. */
export interface SpokenText {
  readonly text: string;
  readonly audioMs: number;
  addText(text: string): void;
  addAudio(audio: Uint8Array): void;
  addWords(words: Words): void;
  /** The words whose audio was delivered since the last time. `all`: those that are left as well, since the voice is done. */
  takeDelivered(all?: boolean): Words;
  /**
   * The text from the first word on that was not delivered whole: by the voice's own word times where it gives them, else by its pace. A word
   * that broke off is said again, since half of it is none.
   */
  undelivered(pace: Pace): string;
}

/** Creates the record of an utterance. */
export function createSpokenText(): SpokenText {
  let text = '';
  let audioBytes = 0;
  let taken = 0;
  const words: Words[number][] = [];

  const deliveredByWords = (audioMs: number): number => {
    const delivered = words.filter((word) => /[\p{L}\p{N}]/u.test(word.text) && word.endMs <= audioMs).length;
    if (delivered === 0) return 0;
    const last = [...text.matchAll(/\S*[\p{L}\p{N}]\S*/gu)][delivered - 1];
    return last === undefined ? text.length : last.index + last[0].length;
  };

  const deliveredByPace = (audioMs: number, { characterMs }: Pace): number => {
    const characters = Math.floor(audioMs / characterMs);
    if (characters >= text.length) return text.length;
    return text.slice(0, characters + 1).search(/\S*$/);
  };

  return {
    get text() {
      return text;
    },
    get audioMs() {
      return mulawDurationMs(audioBytes);
    },
    addText(added) {
      text += added;
    },
    addAudio(audio) {
      audioBytes += audio.length;
    },
    addWords: (added) => void words.push(...added),
    takeDelivered(all = false) {
      const audioMs = mulawDurationMs(audioBytes);
      const undelivered = all ? -1 : words.findIndex((word, index) => index >= taken && word.endMs > audioMs);
      const from = taken;
      taken = undelivered === -1 ? words.length : undelivered;
      return words.slice(from, taken);
    },
    undelivered(pace) {
      const audioMs = mulawDurationMs(audioBytes);
      return text.slice(words.length > 0 ? deliveredByWords(audioMs) : deliveredByPace(audioMs, pace)).trimStart();
    },
  };
}
