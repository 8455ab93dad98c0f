import { setMaxListeners } from 'node:events';
import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { RunStore } from '../store/store.js';
import { createEventFlusher, type EventFlusher } from './event-flusher.js';
import { abandon, createEventQueue, enqueue, type EventQueue } from './event-queue.js';

/** How long a run's last events wait for a database that is away: what was said outlives the call. */
export const CLOSE_PATIENCE_MS = 600_000;
/** How long they wait once the process ends. */
export const SHUTDOWN_TIMEOUT_MS = 5_000;

/** Appends the events of one run. */
export interface EventWriter {
  /**
   * Takes an event (`noun-action`) at `atMs` on the call clock; numbers it and returns at once. Never throws and never waits: where the
   * database is too slow for too long the oldest events but transcripts are dropped.
   */
  append(type: string, data: Readonly<Record<string, unknown>>, atMs: number): void;
  /** Resolves when everything appended so far is stored. Rejects when `signal` aborts, or the writer closes without having managed. */
  flush(signal?: AbortSignal): Promise<void>;
  /** Stores what is waiting, for at most {@link CLOSE_PATIENCE_MS}; then drops and logs it. Later events are dropped. Idempotent. */
  close(): Promise<void>;
  /** Events that were not stored and will not be. */
  readonly droppedCount: number;
}

/** The writers of a process. */
export interface EventWriters {
  /** One writer per run and process: it numbers the events from 1. */
  open(runId: string): EventWriter;
  /** Closes all writers, also those that are closing, within {@link SHUTDOWN_TIMEOUT_MS}. */
  close(): Promise<void>;
}

/** Somebody who waits for a queue to be stored up to an event. */
interface Waiter {
  readonly queue: EventQueue;
  readonly seq: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

interface Shared {
  readonly flusher: EventFlusher;
  readonly waiters: Set<Waiter>;
  /** Aborts when the process has no more time. */
  readonly outOfTime: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
}

const wasClosed = () => new AgentStreamError('database-unavailable', { message: 'The events could not be stored before the writer closed.' });

/** The event logs of all calls of this process, off the media path: one loop writes them together. */
export function createEventWriters(options: {
  store: { readonly runs: Pick<RunStore, 'appendEventBatches'> };
  clock: Clock;
  log: Log;
}): EventWriters {
  const waiters = new Set<Waiter>();
  const writers = new Set<EventWriter>();
  const onRound = () => {
    for (const waiter of [...waiters]) if (waiter.queue.events.length === 0 || waiter.queue.settledSeq >= waiter.seq) waiter.resolve();
  };
  const flusher = createEventFlusher({ ...options, onRound });
  const shutdown = new AbortController();
  // Every run that is being closed listens to it.
  setMaxListeners(0, shutdown.signal);
  const shared: Shared = { flusher, waiters, outOfTime: shutdown.signal, clock: options.clock, log: options.log };

  return {
    open(runId) {
      const writer = openWriter(runId, shared, () => void writers.delete(writer));
      writers.add(writer);
      return writer;
    },
    async close() {
      const timer = options.clock.setTimer(SHUTDOWN_TIMEOUT_MS, () => shutdown.abort(wasClosed()));
      await Promise.all([...writers].map((writer) => writer.close()));
      timer.cancel();
      flusher.stop();
    },
  };
}

function openWriter(runId: string, shared: Shared, onClosed: () => void): EventWriter {
  const { flusher, clock } = shared;
  const queue = createEventQueue();
  let lastSeq = 0;
  let closing: Promise<void> | null = null;

  function flush(signal: AbortSignal | undefined): Promise<void> {
    if (queue.events.length === 0) return Promise.resolve();
    const stored = waitUntilStored(queue, lastSeq, signal, shared.waiters);
    flusher.submit(runId, queue, true);
    return stored;
  }

  async function drain(): Promise<void> {
    const deadline = deadlineSignal(clock, CLOSE_PATIENCE_MS, shared.outOfTime, wasClosed);
    try {
      await flush(deadline.signal);
    } catch (error) {
      giveUp(runId, queue, shared, toAgentStreamError(error));
    } finally {
      deadline.dispose();
      onClosed();
    }
  }

  return {
    append(type, data, atMs) {
      lastSeq += 1;
      if (closing !== null) {
        queue.droppedCount += 1;
        return;
      }
      enqueue(queue, { seq: lastSeq, atMs, type, data });
      flusher.submit(runId, queue, false);
    },
    flush,
    close: () => (closing ??= drain()),
    get droppedCount() {
      return queue.droppedCount;
    },
  };
}

function waitUntilStored(queue: EventQueue, seq: number, signal: AbortSignal | undefined, waiters: Set<Waiter>): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const onAbort = () => waiter.reject(signal?.reason);
    const finish = (settle: () => void) => {
      waiters.delete(waiter);
      signal?.removeEventListener('abort', onAbort);
      settle();
    };
    const waiter: Waiter = { queue, seq, resolve: () => finish(resolve), reject: (reason) => finish(() => reject(reason)) };
    waiters.add(waiter);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
  });
}

/** Drops what the run has waiting. What is being written at this moment may still arrive. */
function giveUp(runId: string, queue: EventQueue, { flusher, waiters, log }: Shared, reason: AgentStreamError): void {
  const dropped = abandon(queue);
  flusher.forget(runId);
  for (const waiter of [...waiters]) if (waiter.queue === queue) waiter.reject(reason);
  log.error('Run events were lost: the database did not take them in time', { runId, dropped, code: reason.code });
}
