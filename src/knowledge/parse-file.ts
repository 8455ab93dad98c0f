import { chunkSections, type Chunk } from './chunk.js';
import { fileFormats, type FormatName } from './format.js';
import { MAX_CHUNKS, MAX_FULL_TEXT_LENGTH, MAX_TEXT_LENGTH } from './limits.js';
import { UnreadableFileError } from './unreadable.js';

/** How a document reaches the model: found by a function's query, or put whole into the prompt. */
export type DocumentMode = 'retrieval' | 'full';

/** A file to be read. */
export interface FileToRead {
  readonly bytes: Uint8Array;
  readonly format: FormatName;
  readonly mode: DocumentMode;
}

/** What a file holds. */
export interface ParsedFile {
  readonly chunks: readonly Chunk[];
  /** Characters (UTF-16 code units), without what neighbouring parts repeat. */
  readonly textLength: number;
}

const emptyTexts: Partial<Readonly<Record<FormatName, string>>> = {
  pdf: 'The PDF holds no text: its pages are pictures. Run text recognition (OCR) over it and upload the result.',
};

/** Reads a file into the parts of a document. Throws {@link UnreadableFileError} where it cannot be one. */
export async function parseFile({ bytes, format, mode }: FileToRead): Promise<ParsedFile> {
  const sections = await fileFormats[format].parse(bytes);
  const textLength = sections.reduce((sum, { text }) => sum + text.trim().length, 0);
  if (textLength === 0) throw new UnreadableFileError(emptyTexts[format] ?? 'The file holds no text.');
  if (textLength > MAX_TEXT_LENGTH) throw new UnreadableFileError(`The file holds ${textLength} characters of text; ${MAX_TEXT_LENGTH} are taken. Split it.`);
  if (mode === 'full' && textLength > MAX_FULL_TEXT_LENGTH) {
    throw new UnreadableFileError(
      `The file holds ${textLength} characters of text; with mode=full, where the model is shown all of it, ${MAX_FULL_TEXT_LENGTH} are taken. Use mode=retrieval.`,
    );
  }
  const chunks = chunkSections(sections, { hasOverlap: mode === 'retrieval' });
  if (chunks.length > MAX_CHUNKS) throw new UnreadableFileError(`The file has ${chunks.length} sections; ${MAX_CHUNKS} are taken. Use fewer headings, or split it.`);
  return { chunks, textLength };
}
