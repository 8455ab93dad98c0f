/** Requests of one call that may be sent twice: a model that is slow throughout must not double what its calls cost. */
const MAX_HEDGES_PER_CALL = 20;

/** When the requests of one call are hedged. */
export interface Hedging {
  /** From a request to the second one, where nothing came. */
  readonly afterMs: number;
  /** Takes one of the call's hedges. False: none is left. */
  take(): boolean;
}

/** Creates the hedging of one call, with all its hedges left. */
export function createHedging(afterMs: number): Hedging {
  let taken = 0;
  return {
    afterMs,
    take() {
      if (taken >= MAX_HEDGES_PER_CALL) return false;
      taken += 1;
      return true;
    },
  };
}
