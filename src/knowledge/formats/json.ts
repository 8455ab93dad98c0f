import { MAX_HEADING_LENGTH, MAX_TEXT_LENGTH } from '../limits.js';
import type { Section } from '../section.js';
import { UnreadableFileError } from '../unreadable.js';
import { decodeText } from './plain-text.js';

/** Deeper documents are made to exhaust a stack. */
const MAX_DEPTH = 64;

/** A value that holds no others, with the way to it. */
interface Leaf {
  /** `products[3].price` */
  readonly path: string;
  /** What it belongs to: the path as far as the first item of a list, else its first key. */
  readonly record: string;
  readonly text: string;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decodeText(bytes));
  } catch (error) {
    if (error instanceof UnreadableFileError) throw error;
    throw new UnreadableFileError('The file is not valid JSON. Correct it, or upload it as .txt.');
  }
}

const isScalar = (value: unknown) => typeof value !== 'object' || value === null;

/** A scalar, or a list of scalars; null for what must be taken apart. */
function textOf(value: unknown): string | null {
  if (isScalar(value)) return String(value);
  return Array.isArray(value) && value.every(isScalar) ? value.map(String).join(', ') : null;
}

function childrenOf(value: object, path: string): readonly (readonly [path: string, value: unknown])[] {
  if (Array.isArray(value)) return value.map((item: unknown, index) => [`${path}[${index}]`, item] as const);
  return Object.entries(value).map(([key, item]) => [path === '' ? key : `${path}.${key}`, item] as const);
}

/** Every leaf in the document's order. Throws where the paths make more text than a document may hold. */
function flatten(root: unknown): readonly Leaf[] {
  const leaves: Leaf[] = [];
  let length = 0;
  const visit = (value: unknown, at: { readonly path: string; readonly record: string | null }, depth: number) => {
    if (depth > MAX_DEPTH) throw new UnreadableFileError(`The JSON is nested more than ${MAX_DEPTH} levels deep. Flatten it.`);
    const text = textOf(value);
    if (text !== null) {
      length += at.path.length + text.length;
      if (length > MAX_TEXT_LENGTH) throw new UnreadableFileError(`The file holds more than ${MAX_TEXT_LENGTH} characters of text. Split it.`);
      leaves.push({ path: at.path, record: at.record ?? at.path, text });
      return;
    }
    if (isScalar(value)) return;
    for (const [path, item] of childrenOf(value as object, at.path)) {
      const isRecord = at.record === null && (path.endsWith(']') || !isListOfRecords(item));
      visit(item, { path, record: at.record ?? (isRecord ? path : null) }, depth + 1);
    }
  };
  visit(root, { path: '', record: null }, 0);
  return leaves;
}

/** A list whose items are records of their own. */
function isListOfRecords(value: unknown): boolean {
  return Array.isArray(value) && textOf(value) === null;
}

/** A JSON file is a line `path: value` per value, and a section per item of a list or per key at the top. */
export function parseJson(bytes: Uint8Array): readonly Section[] {
  const sections: Section[] = [];
  let lines: string[] = [];
  let record: string | null = null;
  const finish = () => {
    if (lines.length > 0) sections.push({ heading: record === null || record === '' ? [] : [record.slice(0, MAX_HEADING_LENGTH)], page: null, text: lines.join('\n') });
    lines = [];
  };
  for (const leaf of flatten(parse(bytes))) {
    if (leaf.record !== record) finish();
    record = leaf.record;
    lines.push(leaf.path === '' ? leaf.text : `${leaf.path}: ${leaf.text}`);
  }
  finish();
  return sections;
}
