import type { Clock, Timer } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { createTokenBucket, type TokenBucket } from './token-bucket.js';

/** Requests that may wait at once; one more is refused. */
const MAX_WAITING = 200;

/** A provider that answered 429 is held to its published rate for this long. */
const CAUTION_MS = 60_000;

/** How many requests a window takes. */
export interface RateLimit {
  readonly requests: number;
  readonly windowMs: number;
}

/**
 * What an account is held to. Published limits differ and are often not enforced: `unlessLimited` lets a burst of calls through for as
 * long as the provider does not object; after a 429 `limit` holds.
 */
export interface RatePolicy {
  readonly limit: RateLimit;
  /** Left out: `limit` always holds. */
  readonly unlessLimited?: RateLimit | undefined;
}

/** `urgent` requests (hang-ups) go before all others. */
export type RequestPriority = 'urgent' | 'normal';

/** Admits requests to one account of a provider at the rate that the provider allows. */
export interface RateLimiter {
  /**
   * Resolves when the request may be sent.
   * @throws AgentStreamError `provider-rate-limited` where too many wait; the signal's reason when it aborts.
   */
  acquire(priority: RequestPriority, signal: AbortSignal): Promise<void>;
  /** The provider answered 429: nothing is sent for this long. */
  pause(pauseMs: number): void;
}

interface Waiter {
  readonly priority: RequestPriority;
  readonly admit: () => void;
}

function bucketOf({ requests, windowMs }: RateLimit): TokenBucket {
  return createTokenBucket({ capacity: requests, perSecond: (requests * 1000) / windowMs });
}

/** Token buckets with two queues in front. */
export function createRateLimiter(clock: Clock, { limit, unlessLimited }: RatePolicy): RateLimiter {
  const cautious = bucketOf(limit);
  const trusting = unlessLimited === undefined ? cautious : bucketOf(unlessLimited);
  let cautiousUntilMs = -Infinity;
  const waiting: Record<RequestPriority, Waiter[]> = { urgent: [], normal: [] };
  let timer: Timer | null = null;

  function admitWaiting(): void {
    timer?.cancel();
    timer = null;
    while (waiting.urgent.length + waiting.normal.length > 0) {
      const nowMs = clock.nowMs();
      const bucket = nowMs < cautiousUntilMs ? cautious : trusting;
      if (!bucket.take(nowMs, 1)) {
        timer = clock.setTimer(Math.ceil(bucket.waitMs(nowMs, 1)), admitWaiting);
        return;
      }
      (waiting.urgent.shift() ?? waiting.normal.shift())?.admit();
    }
  }

  function forget(waiter: Waiter): void {
    const queue = waiting[waiter.priority];
    const index = queue.indexOf(waiter);
    if (index !== -1) queue.splice(index, 1);
    if (waiting.urgent.length + waiting.normal.length === 0) {
      timer?.cancel();
      timer = null;
    }
  }

  return {
    acquire(priority, signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (waiting.urgent.length + waiting.normal.length >= MAX_WAITING) return Promise.reject(new AgentStreamError('provider-rate-limited'));
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          forget(waiter);
          reject(signal.reason);
        };
        const waiter: Waiter = {
          priority,
          admit() {
            signal.removeEventListener('abort', onAbort);
            resolve();
          },
        };
        signal.addEventListener('abort', onAbort, { once: true });
        waiting[priority].push(waiter);
        admitWaiting();
      });
    },
    pause(pauseMs) {
      const nowMs = clock.nowMs();
      cautiousUntilMs = nowMs + pauseMs + CAUTION_MS;
      cautious.drain(nowMs + pauseMs);
      admitWaiting();
    },
  };
}
