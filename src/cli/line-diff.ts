/** One line of a comparison. */
export interface DiffLine {
  readonly kind: 'same' | 'removed' | 'added';
  readonly text: string;
}

/** Lines of either side beyond this are not compared: the table of common subsequences grows with their product. */
export const maxComparedLines = 5000;

/**
 * Compares two texts line by line by their longest common subsequence.
 * @throws RangeError where a side has more than {@link maxComparedLines} lines
 */
export function diffLines(before: string, after: string): DiffLine[] {
  const left = before.split('\n');
  const right = after.split('\n');
  if (Math.max(left.length, right.length) > maxComparedLines) throw new RangeError(`more than ${maxComparedLines} lines to compare`);
  const width = right.length + 1;
  // common[i * width + j]: length of the longest common subsequence of left[i..] and right[j..].
  const common = new Uint16Array((left.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = left[i] === right[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      lines.push({ kind: 'same', text: left[i] ?? '' });
      i += 1;
      j += 1;
    } else if (i < left.length && (j >= right.length || at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ kind: 'removed', text: left[i] ?? '' });
      i += 1;
    } else {
      lines.push({ kind: 'added', text: right[j] ?? '' });
      j += 1;
    }
  }
  return lines;
}

/** Keeps changed lines and `context` lines around them; a gap becomes one `…` line. */
export function withContext(lines: readonly DiffLine[], context: number): DiffLine[] {
  const isNear = lines.map((_, index) => lines.slice(Math.max(0, index - context), index + context + 1).some((line) => line.kind !== 'same'));
  return lines.flatMap((line, index): DiffLine[] => {
    if (isNear[index] === true) return [line];
    return index === 0 || isNear[index - 1] === true ? [{ kind: 'same', text: '…' }] : [];
  });
}
