import { expect } from 'vitest';
import type { PlacedCall } from '../../src/simulator/place-call.js';

/** What a call came to, as far as it is judged by what was heard. */
type HeardCall = Pick<PlacedCall, 'turns' | 'stats'>;

/** Sound of a text at least, where its words are not judged. */
const MIN_SOUND_MS = 500;

/** The words of a text, as they can be compared: without case, punctuation and pauses. */
const wordsOf = (text: string): string => text.toLowerCase().match(/[a-z']+/g)?.join(' ') ?? '';

/**
 * The caller heard the agent say these texts, one after the other: read from the audio, to the word; at the start or the end of the call,
 * or nothing else in all of it. Where the machine was so busy that the play-out ran dry, words are lost with it; then the texts must at
 * least have sounded.
 */
export function expectHeard({ turns, stats }: HeardCall, texts: readonly string[], place: 'whole' | 'start' | 'end' = 'whole'): void {
  const heard = turns.filter((turn) => turn.who === 'agent');
  if (stats.underruns === 0) {
    const words = heard.map(({ text }) => wordsOf(text)).join(' ');
    const expected = texts.map(wordsOf).join(' ');
    expect(place === 'whole' ? words : place === 'start' ? words.slice(0, expected.length) : words.slice(-expected.length)).toBe(expected);
    return;
  }
  process.stdout.write(`The play-out ran dry ${stats.underruns} times: what was heard is judged by its sound, not by its words\n`);
  const soundMs = heard.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
  expect(soundMs).toBeGreaterThan(MIN_SOUND_MS * texts.length);
}
