import type { Clock, Timer } from '../base/clock.js';
import { createPendingFinalizes } from './pending-finalizes.js';

/** A request that finds nothing may not be answered at all. */
const FINALIZE_LIMIT_MS = 1500;

/** The calls' requests to finalize, each answered exactly once: by the vendor, by what it reported, or by time. */
export interface FinalizeRequests {
  readonly count: number;
  /** Remembers a request for everything before `position`. What is covered already is answered at once, but after this call. */
  add(position: number, isCovered: boolean): void;
  /** See {@link PendingFinalizes}. */
  settleAnswered(position: number): void;
  /** See {@link PendingFinalizes}. */
  settleCovered(position: number): void;
  close(): void;
}

/** Creates an empty list; `onAnswered` runs once for each request. */
export function createFinalizeRequests(clock: Clock, onAnswered: () => void): FinalizeRequests {
  const pending = createPendingFinalizes();
  let timer: Timer | null = null;

  /** Answers `count` requests and waits for the next one that is open. */
  function answer(count: number): void {
    for (let i = 0; i < count; i += 1) onAnswered();
    timer?.cancel();
    timer = null;
    const { dueMs } = pending;
    if (dueMs !== undefined) timer = clock.setTimer(dueMs - clock.nowMs(), () => answer(pending.settleDue(clock.nowMs())));
  }

  return {
    get count() {
      return pending.count;
    },
    add: (position, isCovered) => answer(pending.add(position, clock.nowMs() + (isCovered ? 0 : FINALIZE_LIMIT_MS))),
    settleAnswered: (position) => answer(pending.settleAnswered(position)),
    settleCovered: (position) => answer(pending.settleCovered(position)),
    close() {
      timer?.cancel();
      pending.clear();
    },
  };
}
