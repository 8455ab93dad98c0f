import { describe, expect, it } from 'vitest';
import { createPace, createSpokenText } from './spoken-text.js';

const TEXT = 'It is twelve euros. Children come in free.';

function spoken(audioMs: number, words: readonly { text: string; startMs: number; endMs: number }[] = []) {
  const record = createSpokenText();
  record.addText('It is twelve euros. ');
  record.addText('Children come in free.');
  record.addAudio(new Uint8Array(audioMs * 8));
  record.addWords(words);
  return record;
}

describe('what a voice has left to say', () => {
  it.each([
    [0, TEXT],
    [100, TEXT],
    // 60 ms a character: within "twelve", at its end, in the space after a sentence, in the next sentence.
    [600, 'twelve euros. Children come in free.'],
    [720, 'euros. Children come in free.'],
    [1140, 'Children come in free.'],
    [1300, 'Children come in free.'],
    [TEXT.length * 60, ''],
    [60_000, ''],
  ])('after %i ms, by its pace', (audioMs, left) => expect(spoken(audioMs).undelivered(createPace())).toBe(left));

  it('is by its word times where it gives them, however they are cut', () => {
    const words = ['It', 'is', 'twelve', 'euros', '.', 'Children', 'come', 'in', 'free.'].map((text, index) => ({ text, startMs: index * 300, endMs: index * 300 + 280 }));
    expect(spoken(900, words).undelivered(createPace())).toBe('euros. Children come in free.');
    expect(spoken(1500, words).undelivered(createPace())).toBe('Children come in free.');
    expect(spoken(1700, words).undelivered(createPace())).toBe('Children come in free.');
    expect(spoken(200, words).undelivered(createPace())).toBe(TEXT);
    expect(spoken(9000, words).undelivered(createPace())).toBe('');
  });

  it('follows the pace that the voice has shown', () => {
    const pace = createPace();
    pace.learn(5, 5000);
    expect(pace.characterMs).toBe(60);
    pace.learn(100, 5500);
    expect(pace.characterMs).toBe(100);
    expect(spoken(1250).undelivered(createPace())).toBe('Children come in free.');
    expect(spoken(1250).undelivered(pace)).toBe('euros. Children come in free.');
  });
});
