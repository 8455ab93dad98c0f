import { describe, expect, it } from 'vitest';
import { heardText } from './heard-text.js';

const first = { text: 'We are open today. ', startMs: 0, audioMs: 1000, isComplete: true };
const second = { text: 'Every Sunday from ten to four.', startMs: 1000, audioMs: 2000, isComplete: true };

describe('heardText', () => {
  it('is everything once all was heard', () => {
    expect(heardText([first, second], Number.POSITIVE_INFINITY)).toBe('We are open today. Every Sunday from ten to four.');
  });
  it('is nothing before the first word was heard', () => {
    expect(heardText([first], 0)).toBe('');
    expect(heardText([first], 60)).toBe('');
  });
  it('cuts within a segment at a word', () => {
    expect(heardText([first, second], 2000)).toBe('We are open today. Every Sunday');
  });
  it('estimates a segment whose audio is still coming', () => {
    const streaming = { text: 'a'.repeat(9).concat(' ').repeat(10), startMs: 0, audioMs: 500, isComplete: false };
    expect(heardText([streaming], 500).length).toBeLessThan(20);
  });
});
