import { MAX_INFLATED_BYTES, MAX_TEXT_LENGTH } from '../limits.js';
import type { Section } from '../section.js';
import { UnreadableFileError } from '../unreadable.js';
import { createHeadingPath } from './heading-path.js';
import { checkZip } from './zip-guard.js';

/** Elements after which a new paragraph begins. */
const blocks: ReadonlySet<string> = new Set(['p', 'li', 'tr', 'table', 'ul', 'ol']);

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

const unescape = (text: string): string => text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => entities[name] ?? '');

/** Sections of the HTML that mammoth writes: flat, well-formed, its text escaped. */
function sectionsOfHtml(html: string): readonly Section[] {
  const sections: Section[] = [];
  const path = createHeadingPath();
  let text = '';
  let title: string | null = null;
  let isInCell = false;
  const finish = () => {
    if (text.trim() !== '') sections.push({ heading: path.titles, page: null, text: text.trim() });
    text = '';
  };
  for (const [, slash, name = '', words] of html.matchAll(/<(\/?)([a-z0-9]+)[^>]*>|([^<]+)/g)) {
    const level = /^h([1-6])$/.exec(name)?.[1];
    if (words !== undefined) {
      if (title === null) text += unescape(words);
      else title += unescape(words);
    } else if (level !== undefined) {
      if (slash === '') {
        finish();
        title = '';
      } else {
        path.enter(Number(level), title ?? '');
        title = null;
      }
    } else if (name === 'br') text += '\n';
    else if (name === 'td' || name === 'th') {
      isInCell = slash === '';
      if (!isInCell) text += '| ';
    } else if (slash === '/' && blocks.has(name)) text += isInCell ? ' ' : name === 'p' ? '\n\n' : '\n';
  }
  finish();
  return sections;
}

/** A DOCX is a section per heading; pictures are left out. Throws {@link UnreadableFileError}. */
export async function parseDocx(bytes: Uint8Array): Promise<readonly Section[]> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkZip(buffer, MAX_INFLATED_BYTES);
  const { default: mammoth } = await import('mammoth');
  let html: string;
  try {
    const convertImage = mammoth.images.imgElement(() => Promise.resolve({ src: '' }));
    html = (await mammoth.convertToHtml({ buffer }, { convertImage })).value;
  } catch {
    throw new UnreadableFileError('The file is no DOCX, or a broken one. Open it in a word processor and save it again.');
  }
  // Escapes and elements take room too; a document this far beyond is not worth taking apart.
  if (html.length > 4 * MAX_TEXT_LENGTH) throw new UnreadableFileError(`The DOCX holds more than ${MAX_TEXT_LENGTH} characters of text. Split it.`);
  return sectionsOfHtml(html);
}
