/** One stretch of a reply's speech: the text and where its audio lies in the reply. */
export interface SpokenSegment {
  readonly text: string;
  /** Where the segment's audio begins, ms from the reply's first sample. */
  readonly startMs: number;
  /** Length of the audio so far; grows while the voice streams. */
  readonly audioMs: number;
  /** True once the voice delivered everything. */
  readonly isComplete: boolean;
}

/** Speech of about 14 characters a second: the estimate while a segment's length is not known yet. */
const ESTIMATED_MS_PER_CHAR = 70;

/**
 * The words of a reply that were heard by `heardMs`: whole segments, then the proportional part of the segment that was cut, at a
 * word boundary. A word that was only begun does not count.
 */
export function heardText(segments: readonly SpokenSegment[], heardMs: number): string {
  const parts: string[] = [];
  for (const segment of segments) {
    const intoMs = heardMs - segment.startMs;
    if (intoMs <= 0) break;
    const lengthMs = segment.isComplete ? segment.audioMs : Math.max(segment.audioMs, segment.text.length * ESTIMATED_MS_PER_CHAR);
    if (intoMs >= lengthMs) {
      parts.push(segment.text.trim());
      continue;
    }
    const cut = segment.text.slice(0, Math.floor((segment.text.length * intoMs) / lengthMs));
    const atWord = cut.includes(' ') ? cut.slice(0, cut.lastIndexOf(' ')) : '';
    parts.push(atWord.trim());
    break;
  }
  return parts.filter((part) => part !== '').join(' ');
}
