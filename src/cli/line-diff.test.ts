import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffLines, maxComparedLines, withContext } from './line-diff.js';

const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 12 }).map((lines) => lines.join('\n'));

describe('diffLines', () => {
  it('tells what was removed and added', () => {
    expect(diffLines('a\nb\nc', 'a\nx\nc')).toEqual([
      { kind: 'same', text: 'a' },
      { kind: 'removed', text: 'b' },
      { kind: 'added', text: 'x' },
      { kind: 'same', text: 'c' },
    ]);
  });

  it('holds both texts, whatever they are', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const lines = diffLines(before, after);
        expect(lines.filter((line) => line.kind !== 'added').map((line) => line.text).join('\n')).toBe(before);
        expect(lines.filter((line) => line.kind !== 'removed').map((line) => line.text).join('\n')).toBe(after);
      }),
    );
  });

  it('refuses texts whose table would not fit', () => {
    expect(() => diffLines('\n'.repeat(maxComparedLines), 'a')).toThrow(RangeError);
  });
});

describe('withContext', () => {
  it('keeps the lines around a change and marks each gap once', () => {
    const lines = diffLines('1\n2\n3\n4\n5\n6\n7', '1\n2\n3\n4\n5\n6\nx');
    expect(withContext(lines, 1).map((line) => line.text)).toEqual(['…', '6', '7', 'x']);
  });
});
