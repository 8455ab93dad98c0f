import { asRecord, type JsonRecord } from '../../base/json.js';

/** A word, an entity of several words, or a punctuation mark. Times in ms of the session's audio. */
export interface Result {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  /** True: no space before it. */
  readonly isAttached: boolean;
  /** True: a sentence ends with it. */
  readonly isSentenceEnd: boolean;
}

/** Speechmatics' seconds in ms; 0 for what is none. */
export const toMs = (seconds: unknown): number => (typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0);

/** The results of an AddTranscript or AddPartialTranscript. */
export function resultsOf(message: JsonRecord): readonly Result[] {
  const { results } = message;
  if (!Array.isArray(results)) return [];
  return results.map(asRecord).flatMap(({ start_time, end_time, alternatives, attaches_to, is_eos }) => {
    const { content } = asRecord(Array.isArray(alternatives) ? alternatives[0] : undefined);
    if (typeof content !== 'string' || content === '') return [];
    const startMs = toMs(start_time);
    const isAttached = attaches_to === 'previous' || attaches_to === 'both';
    return [{ text: content, startMs, endMs: Math.max(startMs, toMs(end_time)), isAttached, isSentenceEnd: is_eos === true }];
  });
}

/** The words, each with the marks that belong to it. */
export function wordsOf(results: readonly Result[]): readonly { readonly text: string; readonly endMs: number }[] {
  const words: { text: string; endMs: number }[] = [];
  for (const { text, endMs, isAttached } of results) {
    const last = words.at(-1);
    if (last === undefined || !isAttached) words.push({ text, endMs });
    else words[words.length - 1] = { text: last.text + text, endMs };
  }
  return words;
}
