import type { Worker } from 'node:worker_threads';
import type { Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { HostedIndex, IndexHost } from './index-host.js';
import type { IndexAnswer, IndexCommand, IndexRequest } from './index-worker.js';
import type { Passage } from './passage-index.js';
import { startThread } from './thread.js';

/** Memory of the thread for words, MB; vectors are beside it. */
const MEMORY_MB = 1024;
/** An answer takes milliseconds, and tens of them where many ask: a thread without one for so long hangs, and is ended. */
export const ANSWER_TIMEOUT_MS = 10_000;
/** Commands under way; more are turned away. */
const MAX_PENDING = 1000;

interface Pending {
  resolve(passages: readonly Passage[]): void;
  reject(error: Error): void;
}

const lost = () => new AgentStreamError('internal-error', { message: 'The documents’ index was lost.' });
const closed = () => new AgentStreamError('server-going-away', { message: 'The documents’ index is closed.' });

/** A running thread with what it was asked and has not answered. */
interface IndexThread {
  readonly isAlive: () => boolean;
  send(indexId: number, command: IndexCommand, transfer?: readonly ArrayBuffer[]): Promise<readonly Passage[]>;
  forget(indexId: number): void;
  end(error: Error): Promise<void>;
}

function createThread(clock: Clock, start: () => Worker): IndexThread {
  const worker = start();
  // A server that has nothing else to do may end.
  worker.unref();
  const pending = new Map<number, Pending>();
  let nextId = 0;
  let failure: Error | null = null;

  function fail(error: Error): void {
    failure ??= error;
    for (const { reject } of pending.values()) reject(failure);
    pending.clear();
  }
  async function end(error: Error): Promise<void> {
    fail(error);
    await worker.terminate();
  }
  worker.on('message', (answer: IndexAnswer) => {
    const asked = pending.get(answer.requestId);
    if ('passages' in answer) asked?.resolve(answer.passages);
    else asked?.reject(new AgentStreamError('internal-error', { message: `The documents’ index failed: ${answer.problem}` }));
  });
  worker.on('error', () => fail(lost()));
  worker.on('exit', () => fail(lost()));

  return {
    isAlive: () => failure === null,
    forget(indexId) {
      if (failure === null) worker.postMessage({ requestId: (nextId += 1), indexId, command: { type: 'close' } } satisfies IndexRequest);
    },
    async send(indexId, command, transfer = []) {
      if (failure !== null) throw failure;
      if (pending.size >= MAX_PENDING) throw new AgentStreamError('rate-limited', { message: 'Too many searches of documents are under way.' });
      const requestId = (nextId += 1);
      const timer = clock.setTimer(ANSWER_TIMEOUT_MS, () => void end(lost()));
      try {
        return await new Promise<readonly Passage[]>((resolve, reject) => {
          pending.set(requestId, { resolve, reject });
          worker.postMessage({ requestId, indexId, command } satisfies IndexRequest, [...transfer]);
        });
      } finally {
        timer.cancel();
        pending.delete(requestId);
      }
    },
    end,
  };
}

/**
 * Keeps indexes in a thread of its own, so that neither building nor searching them holds up calls. The thread starts with the first index. One
 * that dies or hangs costs what it was asked, and its indexes; the next index opened starts another.
 */
export function createIndexThread(clock: Clock, start: () => Worker = () => startThread('index-worker', { resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB } })): IndexHost {
  let current: IndexThread | null = null;
  let isClosed = false;
  let nextIndexId = 0;

  return {
    open(): HostedIndex {
      if (isClosed) throw closed();
      if (current?.isAlive() !== true) current = createThread(clock, start);
      const thread = current;
      const indexId = (nextIndexId += 1);
      let isForgotten = false;
      const send = async (command: IndexCommand, transfer?: readonly ArrayBuffer[]) => {
        if (isForgotten) throw closed();
        return thread.send(indexId, command, transfer);
      };
      return {
        async add(document, chunks) {
          await send({ type: 'add', document, chunks });
        },
        async addVectors(documentUuid, vectors) {
          await send({ type: 'add-vectors', documentUuid, vectors }, [...new Set(vectors.map(({ values }) => values.buffer as ArrayBuffer))]);
        },
        search: (query) => send({ type: 'search', query }),
        close() {
          if (!isForgotten) thread.forget(indexId);
          isForgotten = true;
        },
      };
    },
    async close() {
      isClosed = true;
      await current?.end(closed());
    },
  };
}
