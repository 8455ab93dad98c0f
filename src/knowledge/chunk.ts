import type { Section } from './section.js';

/** A part is cut no earlier than this, characters, while text is left. */
const MIN_LENGTH = 700;
/** Longest part. */
export const MAX_CHUNK_LENGTH = 1200;
/** Characters of a part that the next one repeats at the most, so that a thought cut in two is whole in one of them. */
const OVERLAP_LENGTH = 120;

/** A part of a document: what a search finds and a citation names. */
export interface Chunk {
  /** Counted from 0 over the whole document. */
  readonly position: number;
  readonly heading: readonly string[];
  readonly page: number | null;
  readonly text: string;
}

/** Where a piece begins and ends, in characters (UTF-16 code units). */
export interface Piece {
  readonly start: number;
  readonly end: number;
}

/** Where a text is cut best, in this order: after a paragraph, a line, a sentence, a word. Each matches what stays before the cut. */
const seams: readonly RegExp[] = [/\n[ \t]*\n\s*/gu, /\n\s*/gu, /(?:[.!?…]["'”’)\]]*\s+|[。！？])/gu, /\s+/gu];

/** The last place in `text` from `from` up to `to` after which it may be cut; `to` itself where it has no seam. */
function cutBefore(text: string, from: number, to: number): number {
  const window = text.slice(from, to);
  for (const seam of seams) {
    let cut = 0;
    for (const match of window.matchAll(seam)) cut = match.index + match[0].length;
    if (cut > 0) return from + cut;
  }
  return isLowSurrogate(text, to) ? to - 1 : to;
}

const isLowSurrogate = (text: string, at: number): boolean => /[\uDC00-\uDFFF]/.test(text.charAt(at));

/** Where the piece after a cut begins: at the first sentence, else word, of the overlap; at the cut where it has neither. */
function overlapStart(text: string, start: number, cut: number): number {
  const from = Math.max(start + 1, cut - OVERLAP_LENGTH);
  const window = text.slice(from, cut);
  for (const seam of seams.slice(2)) {
    seam.lastIndex = 0;
    const match = seam.exec(window);
    const at = match === null ? cut : from + match.index + match[0].length;
    if (at < cut) return at;
  }
  return cut;
}

/** Cuts a text into pieces of at most {@link MAX_CHUNK_LENGTH}. Together they cover it, in order; neighbours may share a little. */
export function cutText(text: string, hasOverlap: boolean): readonly Piece[] {
  const pieces: Piece[] = [];
  for (let start = 0; start < text.length; ) {
    const isLast = text.length - start <= MAX_CHUNK_LENGTH;
    const end = isLast ? text.length : cutBefore(text, start + MIN_LENGTH, start + MAX_CHUNK_LENGTH);
    pieces.push({ start, end });
    start = isLast ? end : hasOverlap ? overlapStart(text, start, end) : end;
  }
  return pieces;
}

/** Blanks that mean nothing: ends of lines, more than one empty line, a file's own line ends. */
function tidy(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

/** The parts of a document, section by section. Deterministic. `hasOverlap` false: together the parts are the text, once. */
export function chunkSections(sections: readonly Section[], { hasOverlap }: { readonly hasOverlap: boolean }): readonly Chunk[] {
  return sections
    .flatMap(({ heading, page, text }) => {
      const whole = tidy(text);
      return cutText(whole, hasOverlap).map(({ start, end }) => ({ heading, page, text: whole.slice(start, end).trim() }));
    })
    .filter(({ text }) => text !== '')
    .map((part, position) => ({ position, ...part }));
}
