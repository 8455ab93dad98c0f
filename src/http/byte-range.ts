/** A part of a file; both ends are inclusive byte offsets. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Understands a `Range` header (RFC 9110 §14.2) for a file of `size` bytes. `null`: send the whole file, because there is no header, or
 * it is malformed, of another unit, or asks for several ranges. `unsatisfiable`: answer 416.
 */
export function parseByteRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  const [, first = '', last = ''] = match ?? [];
  if (match === null || (first === '' && last === '')) return null;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < start) return null;
  return start >= size ? 'unsatisfiable' : { start, end };
}
