import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunkSections, cutText, MAX_CHUNK_LENGTH } from './chunk.js';

const words = fc.array(fc.constantFrom('word ', 'sentence. ', 'line\n', 'paragraph\n\n', 'x'.repeat(300), '😀', '句。', ' ', '\r\n'), { maxLength: 2000 }).map((parts) => parts.join(''));

describe('cutting a text', () => {
  it('loses nothing, keeps its bounds and moves on, with overlap and without', () => {
    fc.assert(
      fc.property(fc.oneof(words, fc.string({ maxLength: 5000, unit: 'binary' })), fc.boolean(), (text, hasOverlap) => {
        const pieces = cutText(text, hasOverlap);
        expect(pieces[0]?.start ?? 0).toBe(0);
        expect(pieces.at(-1)?.end ?? 0).toBe(text.length);
        for (const [index, { start, end }] of pieces.entries()) {
          expect(end - start).toBeGreaterThan(0);
          expect(end - start).toBeLessThanOrEqual(MAX_CHUNK_LENGTH);
          const next = pieces[index + 1];
          if (next === undefined) continue;
          expect(next.start).toBeGreaterThan(start);
          expect(next.end).toBeGreaterThan(end);
          expect(end - next.start).toBeGreaterThanOrEqual(0);
          expect(end - next.start).toBeLessThanOrEqual(hasOverlap ? 120 : 0);
        }
      }),
    );
  });

  it('never splits a character outside the basic plane', () => {
    for (const { start, end } of cutText(`x${'😀'.repeat(3000)}`, true)) {
      const piece = `x${'😀'.repeat(3000)}`.slice(start, end);
      expect(piece).not.toMatch(/\p{Surrogate}/u);
    }
  });

  it('prefers the end of a paragraph, then of a sentence', () => {
    const text = `${'a'.repeat(800)}\n\n${'Short. '.repeat(200)}`;
    const [first, second] = cutText(text, false);
    expect(first?.end).toBe(802);
    expect(text.slice(second?.start, second?.end).trimEnd()).toMatch(/Short\.$/);
  });
});

describe('the parts of a document', () => {
  it('keep heading and page, are numbered over the whole document, and leave out what is blank', () => {
    const chunks = chunkSections(
      [
        { heading: ['A'], page: 1, text: ` one  \r\n\r\n\r\n\r\ntwo ` },
        { heading: ['B'], page: 2, text: ' \n ' },
        { heading: ['C', 'D'], page: 3, text: 'words '.repeat(400) },
      ],
      { hasOverlap: true },
    );
    expect(chunks[0]).toEqual({ position: 0, heading: ['A'], page: 1, text: 'one\n\ntwo' });
    expect(chunks.slice(1).map(({ heading, page }) => [heading, page])).toEqual(chunks.slice(1).map(() => [['C', 'D'], 3]));
    expect(chunks.map(({ position }) => position)).toEqual([...chunks.keys()]);
    expect(chunks.length).toBeGreaterThan(2);
  });
});
