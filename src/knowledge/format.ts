import type { Section } from './section.js';
import { parseDocx } from './formats/docx.js';
import { parseJson } from './formats/json.js';
import { parseMarkdown } from './formats/markdown.js';
import { parsePdf } from './formats/pdf.js';
import { parsePlainText } from './formats/plain-text.js';

/** A kind of file that can be a document. */
interface FileFormat {
  readonly mimeType: string;
  readonly extensions: readonly string[];
  /** @throws UnreadableFileError */
  parse(bytes: Uint8Array): Promise<readonly Section[]> | readonly Section[];
}

/** Every format, by name. Parsers load their libraries when they are used. */
export const fileFormats = {
  pdf: { mimeType: 'application/pdf', extensions: ['pdf'], parse: parsePdf },
  docx: { mimeType: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', extensions: ['docx'], parse: parseDocx },
  markdown: { mimeType: 'text/markdown', extensions: ['md', 'markdown'], parse: parseMarkdown },
  text: { mimeType: 'text/plain', extensions: ['txt', 'text'], parse: parsePlainText },
  json: { mimeType: 'application/json', extensions: ['json'], parse: parseJson },
} as const satisfies Readonly<Record<string, FileFormat>>;

/** Name of a format. */
export type FormatName = keyof typeof fileFormats;

const formatNames = Object.keys(fileFormats) as FormatName[];

/** The format of a file by the end of its name, else by its media type; null where neither is known. */
export function formatOf(fileName: string, mediaType: string): FormatName | null {
  const extension = /\.([a-z0-9]+)$/i.exec(fileName)?.[1]?.toLowerCase() ?? '';
  const essence = mediaType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const byName = formatNames.find((name) => fileFormats[name].extensions.some((known) => known === extension));
  return byName ?? formatNames.find((name) => fileFormats[name].mimeType === essence) ?? null;
}
