import { asRecord } from '../../base/json.js';
import type { SpokenWord } from '../voice-protocol.js';

/** Longest word that is put together: a vendor that sends no space must not be collected for ever. */
const MAX_WORD_CHARACTERS = 200;

/** Puts the words of one context together from the times of its characters. */
export interface WordReader {
  /** The words that are complete after this alignment, whose audio starts at `chunkStartMs` of the context. */
  read(alignment: unknown, chunkStartMs: number): SpokenWord[];
  /** The word that no space has ended. */
  flush(): SpokenWord[];
}

/**
 * Creates a reader. An alignment counts its times from the start of its own chunk of audio, and a word may span two of them.
 * Malformed alignments are skipped.
 */
export function createWordReader(): WordReader {
  let text = '';
  let startMs = 0;
  let endMs = 0;

  function take(): SpokenWord[] {
    if (text === '') return [];
    const word = { text, startMs, endMs };
    text = '';
    return [word];
  }

  return {
    read(alignment, chunkStartMs) {
      const { chars, charStartTimesMs, charDurationsMs } = asRecord(alignment);
      if (!Array.isArray(chars) || !Array.isArray(charStartTimesMs) || !Array.isArray(charDurationsMs)) return [];
      return chars.flatMap((character: unknown, index) => {
        const offsetMs: unknown = charStartTimesMs[index];
        const durationMs: unknown = charDurationsMs[index];
        if (typeof character !== 'string' || typeof offsetMs !== 'number' || typeof durationMs !== 'number') return [];
        if (character.trim() === '') return take();
        if (text === '') startMs = chunkStartMs + offsetMs;
        text += character;
        endMs = chunkStartMs + offsetMs + durationMs;
        return text.length >= MAX_WORD_CHARACTERS ? take() : [];
      });
    },
    flush: take,
  };
}
