import { inflateRawSync } from 'node:zlib';
import { UnreadableFileError } from '../unreadable.js';

/** Signatures and offsets of the ZIP format (APPNOTE 6.3.10, §4.3.7, §4.3.12, §4.3.16). */
const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;
const END_LENGTH = 22;
const MAX_COMMENT_LENGTH = 0xffff;
const ENTRY_LENGTH = 46;
const LOCAL_LENGTH = 30;
const STORED = 0;
const DEFLATED = 8;
/** Most files in an archive; a document of Word has about twenty, and one per picture. */
const MAX_ENTRIES = 5000;

const broken = () => new UnreadableFileError('The file is no DOCX, or a broken one. Open it in a word processor and save it again.');
const tooLarge = () => new UnreadableFileError('The DOCX unpacks to far more than a document holds. Remove its pictures, or save it as PDF.');

/** The end record is the last thing of the file but for a comment. */
function findEnd(bytes: Buffer): number {
  const lowest = Math.max(0, bytes.length - END_LENGTH - MAX_COMMENT_LENGTH);
  for (let at = bytes.length - END_LENGTH; at >= lowest; at -= 1) if (bytes.readUInt32LE(at) === END_OF_DIRECTORY) return at;
  throw broken();
}

/** Bytes an entry inflates to. What its header says is not believed. */
function inflatedBytes(bytes: Buffer, entryAt: number, maxBytes: number): number {
  const method = bytes.readUInt16LE(entryAt + 10);
  const compressedBytes = bytes.readUInt32LE(entryAt + 20);
  const localAt = bytes.readUInt32LE(entryAt + 42);
  if (bytes.readUInt32LE(localAt) !== LOCAL_HEADER) throw broken();
  const from = localAt + LOCAL_LENGTH + bytes.readUInt16LE(localAt + 26) + bytes.readUInt16LE(localAt + 28);
  const data = bytes.subarray(from, from + compressedBytes);
  if (method === STORED) return data.length;
  if (method !== DEFLATED) throw broken();
  return inflateRawSync(data, { maxOutputLength: Math.max(1, maxBytes) }).length;
}

function checkEntries(bytes: Buffer, maxBytes: number): void {
  const endAt = findEnd(bytes);
  const count = bytes.readUInt16LE(endAt + 10);
  if (count > MAX_ENTRIES) throw tooLarge();
  let at = bytes.readUInt32LE(endAt + 16);
  let leftBytes = maxBytes;
  for (let entry = 0; entry < count; entry += 1) {
    if (bytes.readUInt32LE(at) !== DIRECTORY_ENTRY) throw broken();
    leftBytes -= inflatedBytes(bytes, at, leftBytes);
    if (leftBytes < 0) throw tooLarge();
    at += ENTRY_LENGTH + bytes.readUInt16LE(at + 28) + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
}

/** Throws {@link UnreadableFileError} where the bytes are no whole ZIP archive, or one whose files inflate to more than `maxBytes` in all. */
export function checkZip(bytes: Buffer, maxBytes: number): void {
  try {
    checkEntries(bytes, maxBytes);
  } catch (error) {
    if (error instanceof UnreadableFileError) throw error;
    // zlib: the output grew past the limit. Anything else is an offset that leads out of the file, or data that does not inflate.
    throw (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge() : broken();
  }
}
