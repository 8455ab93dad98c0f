import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSentenceSplitter, stripMarkup } from './sentences.js';

function split(...deltas: string[]) {
  const splitter = createSentenceSplitter();
  return [...deltas.flatMap((delta) => splitter.push(delta)), ...splitter.flush()].map((piece) => piece.trim());
}

describe('createSentenceSplitter', () => {
  it('gives the first clause early, then whole sentences', () => {
    expect(split('We are open on Sundays, ', 'from ten to four, every week. ', 'Anything', ' else?')).toEqual([
      'We are open on Sundays,',
      'from ten to four, every week.',
      'Anything else?',
    ]);
  });

  it('does not cut a clause that is too short to speak', () => {
    expect(split('Yes, of course we do. Bye.')).toEqual(['Yes, of course we do.', 'Bye.']);
  });

  it('does not end a sentence at an abbreviation, an initial or a decimal', () => {
    expect(split('Dr. Brown charges 3.50 at 9 a.m. on Mondays. Fine?')).toEqual(['Dr. Brown charges 3.50 at 9 a.m. on Mondays.', 'Fine?']);
  });

  it('cuts a text without breaks at a space', () => {
    const pieces = split('word '.repeat(120));
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.every((piece) => piece.length <= 240)).toBe(true);
  });

  it('speaks nothing for white space', () => {
    expect(split(' ', '\n', '  ')).toEqual([]);
  });

  it('loses no word, however the text is cut into deltas', () => {
    const words = fc.array(fc.stringMatching(/^[a-z]{1,9}[.,!?]?$/), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(words, fc.array(fc.nat(20), { minLength: 1 }), (list, cuts) => {
        const text = list.join(' ');
        const deltas: string[] = [];
        for (let at = 0, i = 0; at < text.length; i += 1) {
          const length = 1 + (cuts[i % cuts.length] ?? 0);
          deltas.push(text.slice(at, at + length));
          at += length;
        }
        expect(split(...deltas).join(' ').split(' ')).toEqual(list);
      }),
    );
  });
});

describe('stripMarkup', () => {
  it('removes what a voice would read out', () => {
    expect(stripMarkup('**Bold** and `code`, [our site](https://x.example) 🎉')).toBe('Bold and code, our site ');
    expect(stripMarkup('- one\n- two\n# Title')).toBe('one\ntwo\nTitle');
  });
});
