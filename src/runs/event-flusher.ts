import type { Clock, Timer } from '../base/clock.js';
import { toAgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { RunStore } from '../store/store.js';
import { confirmWritten, dropOldest, returnUnwritten, takeForWriting, type EventQueue } from './event-queue.js';

/** How long an event waits for others to be written with. */
export const FLUSH_DELAY_MS = 100;
/** Events of one INSERT, over all runs. */
const MAX_BATCH_EVENTS = 500;
const FIRST_RETRY_DELAY_MS = 200;
const MAX_RETRY_DELAY_MS = 5_000;

/** Writes the queues of all runs. */
export interface EventFlusher {
  /** The run has events waiting. `isUrgent`: somebody waits for them, so that they are written without delay. */
  submit(runId: string, queue: EventQueue, isUrgent: boolean): void;
  /** The run's queue was given up. */
  forget(runId: string): void;
  /** Writes no more. */
  stop(): void;
}

/** `refused`: the database is there and does not take what it was given. */
type WriteOutcome = 'stored' | 'away' | 'refused';

/** Classes of PostgreSQL's states that trying again does not cure: data exceptions, violated constraints, exceeded limits. */
const refusingClasses = new Set(['22', '23', '54']);

/** What the one loop that writes is doing. */
type Flushing =
  | { readonly kind: 'idle' }
  | { readonly kind: 'waiting'; readonly timer: Timer }
  | { readonly kind: 'writing'; isUrgent: boolean }
  | { readonly kind: 'stopped' };

/**
 * One loop for all calls of the process: whatever they append within {@link FLUSH_DELAY_MS} is stored by one statement. A failed write is
 * tried again with growing delays, in order; after a failure runs are written one by one, so that one run's events cannot hold up the others',
 * and an event that the database refuses for what it is cannot hold up its run's.
 * `onRound` is called after every round, successful or not.
 */
export function createEventFlusher(options: {
  store: { readonly runs: Pick<RunStore, 'appendEventBatches'> };
  clock: Clock;
  log: Log;
  onRound: () => void;
}): EventFlusher {
  const { clock } = options;
  /** Runs with events waiting, the longest waiting first. */
  const pending = new Map<string, EventQueue>();
  let flushing: Flushing = { kind: 'idle' };
  let failedRounds = 0;

  /** Sees to it that a round comes. A failing database is given its time. */
  function schedule(isUrgent: boolean): void {
    if (flushing.kind === 'stopped') return;
    if (flushing.kind === 'writing') {
      flushing.isUrgent ||= isUrgent;
      return;
    }
    if (flushing.kind === 'waiting') {
      if (!isUrgent || failedRounds > 0) return;
      flushing.timer.cancel();
    }
    flushing = { kind: 'waiting', timer: clock.setTimer(delayMs(failedRounds, isUrgent), () => void writeRound()) };
  }

  async function writeRound(): Promise<void> {
    const round: Flushing = { kind: 'writing', isUrgent: false };
    flushing = round;
    const ok = failedRounds === 0 ? (await write(batchOf(pending))) === 'stored' : await writeApart();
    failedRounds = ok ? 0 : failedRounds + 1;
    if (isStopped()) return;
    flushing = { kind: 'idle' };
    if (pending.size > 0) schedule(round.isUrgent);
    options.onRound();
  }

  const isStopped = () => flushing.kind === 'stopped';

  /** Goes on past one run that fails, and stops at the second: then it is the database. */
  async function writeApart(): Promise<boolean> {
    let failures = 0;
    for (const entry of [...pending]) {
      const outcome = await write([entry]);
      if (outcome === 'refused') await writeSingly(entry);
      if (outcome === 'away') failures += 1;
      if (failures > 1) break;
    }
    return failures === 0;
  }

  /** Finds the events that the database refuses, and drops them. */
  async function writeSingly(entry: readonly [string, EventQueue]): Promise<void> {
    const [runId, queue] = entry;
    while (queue.events.length > 0 && !isStopped()) {
      const outcome = await write([entry], 1);
      if (outcome === 'away') return;
      if (outcome === 'stored') continue;
      options.log.error('A run event was dropped: the database refuses it', { runId });
      dropOldest(queue);
    }
    if (queue.events.length === 0) pending.delete(runId);
  }

  async function write(entries: readonly (readonly [string, EventQueue])[], limit = MAX_BATCH_EVENTS): Promise<WriteOutcome> {
    const outcome = await append(entries, limit, options);
    for (const [runId, queue] of entries) {
      if (outcome === 'stored') confirmWritten(queue);
      else returnUnwritten(queue);
      // To the end of the line.
      pending.delete(runId);
      if (queue.events.length > 0) pending.set(runId, queue);
    }
    return outcome;
  }

  return {
    submit(runId, queue, isUrgent) {
      pending.set(runId, queue);
      schedule(isUrgent);
    },
    forget: (runId) => void pending.delete(runId),
    stop() {
      if (flushing.kind === 'waiting') flushing.timer.cancel();
      flushing = { kind: 'stopped' };
    },
  };
}

function delayMs(failedRounds: number, isUrgent: boolean): number {
  if (failedRounds > 0) return Math.min(FIRST_RETRY_DELAY_MS * 2 ** (failedRounds - 1), MAX_RETRY_DELAY_MS);
  return isUrgent ? 0 : FLUSH_DELAY_MS;
}

/** As many queues as fill one statement. */
function batchOf(pending: ReadonlyMap<string, EventQueue>): (readonly [string, EventQueue])[] {
  const entries: (readonly [string, EventQueue])[] = [];
  let events = 0;
  for (const entry of pending) {
    if (events >= MAX_BATCH_EVENTS) break;
    entries.push(entry);
    events += entry[1].events.length;
  }
  return entries;
}

async function append(
  entries: readonly (readonly [string, EventQueue])[],
  limit: number,
  { store, log }: { store: { readonly runs: Pick<RunStore, 'appendEventBatches'> }; log: Log },
): Promise<WriteOutcome> {
  let room = limit;
  const batches = entries.map(([runId, queue]) => {
    const events = takeForWriting(queue, room);
    room -= events.length;
    return { runId, events };
  });
  try {
    await store.runs.appendEventBatches(batches);
    return 'stored';
  } catch (error) {
    const { code, details } = toAgentStreamError(error);
    log.warn('Run events could not be stored; trying again', { code, runs: entries.length });
    const state = details?.['sqlState'];
    return typeof state === 'string' && refusingClasses.has(state.slice(0, 2)) ? 'refused' : 'away';
  }
}
