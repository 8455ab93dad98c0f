import { parentPort, workerData } from 'node:worker_threads';
import { parseFile, type FileToRead, type ParsedFile } from './parse-file.js';
import { UnreadableFileError } from './unreadable.js';

/** What the thread answers, once. */
export type ParseAnswer = { readonly type: 'parsed'; readonly file: ParsedFile } | { readonly type: 'unreadable'; readonly problem: string };

/** The thread that reads one file and ends: whatever a file makes of its reader, calls go on. */
async function answer(): Promise<ParseAnswer> {
  try {
    return { type: 'parsed', file: await parseFile(workerData as FileToRead) };
  } catch (error) {
    if (error instanceof UnreadableFileError) return { type: 'unreadable', problem: error.message };
    throw error;
  }
}

parentPort?.postMessage(await answer());
