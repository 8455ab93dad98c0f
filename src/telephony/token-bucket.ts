/** Spends a budget that refills with time. */
export interface TokenBucket {
  /** Takes `cost` tokens; false, taking none, where there are fewer. */
  take(nowMs: number, cost: number): boolean;
  /** Milliseconds until `cost` tokens are there; 0 where they are. */
  waitMs(nowMs: number, cost: number): number;
  /** Empties the bucket until `resumeMs`, when there is one token and refilling starts. */
  drain(resumeMs: number): void;
}

/** A full bucket of `capacity` tokens that refills by `perSecond`. Pure: time is an argument. */
export function createTokenBucket(options: { readonly capacity: number; readonly perSecond: number }): TokenBucket {
  let tokens = options.capacity;
  let updatedMs = -Infinity;

  function refill(nowMs: number): void {
    if (nowMs <= updatedMs) return;
    if (updatedMs !== -Infinity) tokens = Math.min(options.capacity, tokens + ((nowMs - updatedMs) * options.perSecond) / 1000);
    updatedMs = nowMs;
  }

  return {
    take(nowMs, cost) {
      refill(nowMs);
      if (tokens < cost || nowMs < updatedMs) return false;
      tokens -= cost;
      return true;
    },
    waitMs(nowMs, cost) {
      refill(nowMs);
      return Math.max(0, updatedMs - nowMs) + (Math.max(0, cost - tokens) * 1000) / options.perSecond;
    },
    drain(resumeMs) {
      tokens = 1;
      updatedMs = Math.max(updatedMs, resumeMs);
    },
  };
}
