/** A stretch of a document under one heading and on one page, in the document's order. */
export interface Section {
  /** Headings above it, the outermost first; of a JSON document the path. Empty where there are none. */
  readonly heading: readonly string[];
  /** Counted from 1; null where the format has no pages. */
  readonly page: number | null;
  /** Plain text. Paragraphs are parted by an empty line. */
  readonly text: string;
}
