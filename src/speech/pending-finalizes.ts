/** Requests waiting for an answer; more than anyone asks for while the vendor is away. */
const MAX_PENDING = 8;
/** Rounding of the vendor's times, in bytes of 8 kHz mu-law: 20 ms. */
const COVERAGE_TOLERANCE_BYTES = 160;

/** Finalize requests that the vendor has not answered yet, oldest first. Each method returns how many were answered. */
export interface PendingFinalizes {
  readonly count: number;
  /** When the oldest one is given up, on the clock; undefined when none waits. */
  readonly dueMs: number | undefined;
  /** Remembers a request for everything before `position`. Answers the oldest when there are too many. */
  add(position: number, dueMs: number): number;
  /**
   * The vendor answered one explicitly, having heard everything before `position`. Not counted when that reaches no further than
   * what was settled before: it is the late answer to a request that is settled already.
   */
  settleAnswered(position: number): number;
  /** The vendor reported everything before `position`. Not every vendor answers a request that finds nothing to finalize. */
  settleCovered(position: number): number;
  /** The vendor let them pass. */
  settleDue(nowMs: number): number;
  /** Forgets them all. */
  clear(): void;
}

/** Creates an empty list. */
export function createPendingFinalizes(): PendingFinalizes {
  const pending: { position: number; dueMs: number }[] = [];
  let settledPosition = -1;
  const settleWhile = (isSettled: (request: { position: number; dueMs: number }) => boolean): number => {
    let settled = 0;
    for (let first = pending[0]; first !== undefined && isSettled(first); first = pending[0]) {
      pending.shift();
      settledPosition = first.position;
      settled += 1;
    }
    return settled;
  };
  return {
    get count() {
      return pending.length;
    },
    get dueMs() {
      return pending[0]?.dueMs;
    },
    add(position, dueMs) {
      pending.push({ position, dueMs });
      return settleWhile(() => pending.length > MAX_PENDING);
    },
    settleAnswered(position) {
      const oldest = pending[0];
      const isLate = settledPosition >= 0 && position <= settledPosition + COVERAGE_TOLERANCE_BYTES;
      return oldest === undefined || isLate ? 0 : settleWhile((request) => request === oldest);
    },
    settleCovered: (position) => settleWhile((request) => request.position <= position + COVERAGE_TOLERANCE_BYTES),
    clear: () => void pending.splice(0),
    settleDue: (nowMs) => settleWhile((request) => request.dueMs <= nowMs),
  };
}
