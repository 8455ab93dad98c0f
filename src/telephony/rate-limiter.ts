import type { Clock, Timer } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { createTokenBucket } from './token-bucket.js';

/** Requests that may wait at once; one more is refused. */
const MAX_WAITING = 200;

/** How many requests a window takes. */
export interface RateLimit {
  readonly requests: number;
  readonly windowMs: number;
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

/** A token bucket with two queues in front. */
export function createRateLimiter(clock: Clock, limit: RateLimit): RateLimiter {
  const bucket = createTokenBucket({ capacity: limit.requests, perSecond: (limit.requests * 1000) / limit.windowMs });
  const waiting: Record<RequestPriority, Waiter[]> = { urgent: [], normal: [] };
  let timer: Timer | null = null;

  function admitWaiting(): void {
    timer?.cancel();
    timer = null;
    while (waiting.urgent.length + waiting.normal.length > 0) {
      const nowMs = clock.nowMs();
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
      bucket.drain(clock.nowMs() + pauseMs);
      admitWaiting();
    },
  };
}
