import { MAX_PAGES, MAX_TEXT_LENGTH } from '../limits.js';
import type { Section } from '../section.js';
import { UnreadableFileError } from '../unreadable.js';

/** What PDF.js raises (its src/shared/util.js), by name: what is wrong, and what to do. */
const faults: Readonly<Record<string, string>> = {
  PasswordException: 'The PDF is protected by a password. Save a copy without one.',
  InvalidPDFException: 'The file is no PDF, or a broken one. Open it in a reader and save it again.',
};

function unreadable(error: unknown): UnreadableFileError {
  if (error instanceof UnreadableFileError) return error;
  const name = error instanceof Error ? error.name : '';
  return new UnreadableFileError(faults[name] ?? 'The PDF cannot be read. Open it in a reader and save it again.');
}

/** As much of a PDF.js text item as is used (its src/display/api.js, `TextItem`); marked content has no `str`. */
interface TextItem {
  readonly str?: string;
  readonly hasEOL?: boolean;
}

/** As much of a PDF.js document as is used (its src/display/api.js, `PDFDocumentProxy`); unpdf ships types that do not resolve. */
interface PdfDocument {
  readonly numPages: number;
  getPage(page: number): Promise<{ getTextContent(): Promise<{ readonly items: readonly TextItem[] }> }>;
}

async function readPages(bytes: Uint8Array): Promise<readonly Section[]> {
  const { getDocumentProxy } = await import('unpdf');
  // The text alone is wanted: no fonts are drawn, no code of the file is run.
  const pdf = (await getDocumentProxy(bytes, { isEvalSupported: false, disableFontFace: true, verbosity: 0 })) as PdfDocument;
  if (pdf.numPages > MAX_PAGES) throw new UnreadableFileError(`The PDF has ${pdf.numPages} pages; ${MAX_PAGES} are taken. Split it.`);
  const sections: Section[] = [];
  let length = 0;
  for (let page = 1; page <= pdf.numPages; page += 1) {
    const { items } = await (await pdf.getPage(page)).getTextContent();
    const text = items.map(({ str, hasEOL }) => (str ?? '') + (hasEOL === true ? '\n' : '')).join('');
    length += text.length;
    if (length > MAX_TEXT_LENGTH) throw new UnreadableFileError(`The PDF holds more than ${MAX_TEXT_LENGTH} characters of text. Split it.`);
    sections.push({ heading: [], page, text });
  }
  return sections;
}

/** A PDF is a section per page. Pages that are pictures give no text. Throws {@link UnreadableFileError}. */
export async function parsePdf(bytes: Uint8Array): Promise<readonly Section[]> {
  try {
    return await readPages(bytes);
  } catch (error) {
    throw unreadable(error);
  }
}
