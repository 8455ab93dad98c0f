import type { Worker } from 'node:worker_threads';
import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { MAX_WAITING_FILES, PARSE_MEMORY_MB, PARSE_TIMEOUT_MS } from './limits.js';
import type { FileToRead, ParsedFile } from './parse-file.js';
import type { ParseAnswer } from './parse-worker.js';
import { startThread } from './thread.js';

/** Reads uploaded files, one at a time, each in a thread of its own. */
export interface FileReader {
  /** @throws AgentStreamError `document-unreadable`, `rate-limited` where too many files wait, the signal's reason */
  read(file: FileToRead, signal: AbortSignal): Promise<ParsedFile>;
}

const unreadable = (message: string) => new AgentStreamError('document-unreadable', { message });

const tooSlow = () => unreadable(`Reading the file took longer than ${PARSE_TIMEOUT_MS / 1000} s. Split it, or save it as text.`);
const tooLarge = () => unreadable('Reading the file took too much memory. Split it, or save it as text.');

/** The thread's one answer. Rejects where it failed or ended without one. */
function answerOf(worker: Worker): Promise<ParseAnswer> {
  return new Promise((resolve, reject) => {
    worker.once('message', (answer: ParseAnswer) => resolve(answer));
    worker.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? tooLarge() : error));
    worker.once('exit', () => reject(unreadable('The file cannot be read.')));
  });
}

async function readInThread(file: FileToRead, signal: AbortSignal): Promise<ParsedFile> {
  const worker = startThread('parse-worker', { workerData: file, resourceLimits: { maxOldGenerationSizeMb: PARSE_MEMORY_MB } });
  const stop = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    const answer = await Promise.race([answerOf(worker), stop]);
    if (answer.type === 'parsed') return answer.file;
    throw unreadable(answer.problem);
  } finally {
    await worker.terminate();
  }
}

/** Creates the reader of this node. */
export function createFileReader(clock: Clock): FileReader {
  let queue: Promise<unknown> = Promise.resolve();
  let held = 0;

  async function readNext(file: FileToRead, signal: AbortSignal): Promise<ParsedFile> {
    signal.throwIfAborted();
    const deadline = deadlineSignal(clock, PARSE_TIMEOUT_MS, signal, tooSlow);
    try {
      return await readInThread(file, deadline.signal);
    } finally {
      deadline.dispose();
    }
  }

  return {
    async read(file, signal) {
      if (held > MAX_WAITING_FILES) throw new AgentStreamError('rate-limited', { message: 'Too many files are being read. Upload this one again in a moment.' });
      held += 1;
      const turn = queue.then(() => readNext(file, signal));
      queue = turn.catch(() => null);
      try {
        return await turn;
      } finally {
        held -= 1;
      }
    },
  };
}
