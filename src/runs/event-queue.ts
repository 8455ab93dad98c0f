import type { RunEvent } from './events.js';

/** Events a run may have waiting to be stored; a call makes some ten per turn. */
export const MAX_QUEUED_EVENTS = 1_000;

/**
 * What one run has waiting, oldest first. The first `inFlightCount` are being written: they stay until that is known to have worked, and
 * are not dropped meanwhile.
 */
export interface EventQueue {
  readonly events: RunEvent[];
  inFlightCount: number;
  droppedCount: number;
  /** Every event up to this one is stored or dropped. */
  settledSeq: number;
  /** Given up: what is being written is not tried again. */
  isAbandoned: boolean;
}

/** An empty queue. */
export const createEventQueue = (): EventQueue => ({ events: [], inFlightCount: 0, droppedCount: 0, settledSeq: 0, isAbandoned: false });

/** Adds an event; a full queue drops its oldest one that is no transcript, for what was said is what the run is for. */
export function enqueue(queue: EventQueue, event: RunEvent): void {
  if (queue.events.length >= MAX_QUEUED_EVENTS) {
    const found = queue.events.findIndex((waiting, index) => index >= queue.inFlightCount && !waiting.type.startsWith('transcript-'));
    const victim = found === -1 ? queue.inFlightCount : found;
    // All of them are being written: the new one has to go.
    queue.droppedCount += 1;
    if (victim >= queue.events.length) return;
    queue.events.splice(victim, 1);
  }
  queue.events.push(event);
}

/** Takes up to `limit` events for writing. They stay in the queue until {@link confirmWritten}. */
export function takeForWriting(queue: EventQueue, limit: number): readonly RunEvent[] {
  const batch = queue.events.slice(0, limit);
  queue.inFlightCount = batch.length;
  return batch;
}

/** The events taken are stored. */
export function confirmWritten(queue: EventQueue): void {
  const written = queue.events.splice(0, queue.inFlightCount);
  queue.inFlightCount = 0;
  queue.settledSeq = written.at(-1)?.seq ?? queue.settledSeq;
}

/** The events taken are not stored: they are tried again, in order, unless the queue was given up meanwhile. */
export function returnUnwritten(queue: EventQueue): void {
  queue.inFlightCount = 0;
  if (queue.isAbandoned) abandon(queue);
}

/** The database will never take the oldest event: it is dropped, so that the others can follow. */
export function dropOldest(queue: EventQueue): void {
  const [dropped] = queue.events.splice(0, 1);
  if (dropped === undefined) return;
  queue.droppedCount += 1;
  queue.settledSeq = dropped.seq;
}

/** Gives the queue up. Returns how many events were dropped; those being written may still arrive. */
export function abandon(queue: EventQueue): number {
  const dropped = queue.events.splice(queue.inFlightCount).length;
  queue.isAbandoned = true;
  queue.droppedCount += dropped;
  return dropped;
}
