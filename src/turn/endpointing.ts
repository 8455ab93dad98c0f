import type { EndpointingOptions } from './options.js';
import { splitWords } from './words.js';

/** Words after which a speaker goes on. */
const CONTINUATION_WORDS = new Set([
  'and', 'or', 'but', 'so', 'because', 'the', 'a', 'an', 'to', 'of', 'for', 'with', 'my', 'um', 'uh', 'er', 'is', 'are', 'if', 'that', 'like', 'well',
]);

/** How finished a turn's words sound. */
export type Completeness = 'complete' | 'unsure' | 'unfinished';

/**
 * Judges by the words alone: sentence-final punctuation is complete; a trailing connective, filler, comma or lone digits (numbers
 * are dictated in groups) is unfinished; the rest is unsure.
 */
export function completenessOf(text: string): Completeness {
  const trimmed = text.trim();
  const words = splitWords(trimmed);
  const last = words.at(-1);
  if (last === undefined) return 'unsure';
  if (CONTINUATION_WORDS.has(last) || /[,;:–—-]$/.test(trimmed)) return 'unfinished';
  if (/^\d+$/.test(last) && !/[.!?]$/.test(trimmed)) return 'unfinished';
  return /[.!?…]["')\]]*$/.test(trimmed) ? 'complete' : 'unsure';
}

/** The silence after which a turn with these words is over. */
export function endpointingDelayMs(text: string, options: EndpointingOptions): number {
  switch (completenessOf(text)) {
    case 'complete':
      return options.minDelayMs;
    case 'unsure':
      return Math.min(options.maxDelayMs, options.minDelayMs * 1.5);
    case 'unfinished':
      return options.maxDelayMs;
  }
}
