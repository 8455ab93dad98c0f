import type { Words } from './turn.js';

/** Adds a settled segment; the interim text it replaces is dropped. */
export function addFinal(words: Words, text: string, atMs: number): Words {
  return { final: [words.final, text.trim()].filter((part) => part !== '').join(' '), interim: '', atMs };
}

/** Replaces the revisable rest. */
export function setInterim(words: Words, text: string, atMs: number): Words {
  return { final: words.final, interim: text.trim(), atMs };
}

/** What of `text` is new where `known` was taken before: a recogniser that comes late says it once more, and perhaps goes on. */
export function withoutKnown(text: string, known: string): string {
  const knownWords = splitWords(known);
  if (knownWords.length === 0) return text;
  const words = text.trim().split(/\s+/);
  const isRepeated = knownWords.every((word, index) => splitWords(words[index] ?? '').join(' ') === word);
  return isRepeated ? words.slice(knownWords.length).join(' ') : text;
}

/** Everything said so far, settled or not. */
export function allText(words: Words): string {
  return [words.final, words.interim].filter((part) => part !== '').join(' ');
}

/** Words of a text, lower-cased, punctuation dropped. */
export function splitWords(text: string): string[] {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}'\s-]/gu, ' ')
    .split(/\s+/)
    .filter((word) => word !== '');
}

/** True where the text only shows attention ("mm-hm", "okay, right") and takes no turn. */
export function isAcknowledgement(text: string, acknowledgementWords: readonly string[]): boolean {
  const said = splitWords(text).join(' ');
  if (said === '') return false;
  const phrases = acknowledgementWords.map((phrase) => splitWords(phrase).join(' ')).sort((a, b) => b.length - a.length);
  let rest = ` ${said} `;
  for (const phrase of phrases) rest = rest.replaceAll(` ${phrase} `, '  ').replaceAll(` ${phrase} `, '  ');
  return rest.trim() === '';
}
