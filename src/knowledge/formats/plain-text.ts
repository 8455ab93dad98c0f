import type { Section } from '../section.js';
import { UnreadableFileError } from '../unreadable.js';

/** Byte order marks (Unicode 16, §23.8) of what is not UTF-8. */
function encodingOf(bytes: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
}

/** Text of a file: UTF-8, or UTF-16 with a byte order mark. Throws {@link UnreadableFileError} for anything else. */
export function decodeText(bytes: Uint8Array): string {
  try {
    const text = new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes);
    if (!text.includes('\0')) return text;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  throw new UnreadableFileError('The file is not text in UTF-8. Save it as UTF-8, or upload it with the name of its real format.');
}

/** A text file is one section. */
export function parsePlainText(bytes: Uint8Array): readonly Section[] {
  return [{ heading: [], page: null, text: decodeText(bytes) }];
}
