import { asRecord, type JsonRecord } from '../../base/json.js';
import type { RecognisedWord } from '../recogniser-wire.js';

/** A piece of a word, or a mark: `<end>` the vendor heard an end, `<fin>` it answers a finalize message. Times in ms since the first byte. */
export interface Token {
  readonly text: string;
  readonly isFinal: boolean;
  readonly startMs: number;
  readonly endMs: number;
}

const numberOf = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0);

/** The tokens of a response. */
export function tokensOf(response: JsonRecord): readonly Token[] {
  const { tokens } = response;
  if (!Array.isArray(tokens)) return [];
  return tokens.map(asRecord).flatMap(({ text, is_final, start_ms, end_ms }) => {
    const startMs = numberOf(start_ms);
    return typeof text === 'string' ? [{ text, isFinal: is_final === true, startMs, endMs: Math.max(startMs, numberOf(end_ms)) }] : [];
  });
}

/** How much audio the response says is settled, ms. */
export const settledMsOf = (response: JsonRecord): number => numberOf(response['final_audio_proc_ms']);

/** What the tokens say together. */
export function textOf(tokens: readonly Token[]): string {
  return tokens
    .map((token) => token.text)
    .join('')
    .trim();
}

/** The words that tokens make: a leading space begins one. */
export function wordsOf(tokens: readonly Token[]): readonly RecognisedWord[] {
  const words: { text: string; endMs: number }[] = [];
  for (const { text, endMs } of tokens) {
    const last = words.at(-1);
    if (last === undefined || text.startsWith(' ')) words.push({ text: text.trim(), endMs });
    else words[words.length - 1] = { text: last.text + text, endMs };
  }
  return words;
}
