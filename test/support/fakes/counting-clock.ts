import { systemClock, type Clock } from '../../../src/base/clock.js';

/** Real time that knows how many timers are pending: a leak check. */
export interface CountingClock extends Clock {
  pendingTimers(): number;
}

/** Creates one. */
export function createCountingClock(): CountingClock {
  const pending = new Set<object>();
  return {
    nowMs: () => systemClock.nowMs(),
    wallMs: () => systemClock.wallMs(),
    setTimer(delayMs, callback) {
      const key = {};
      pending.add(key);
      const timer = systemClock.setTimer(delayMs, () => {
        pending.delete(key);
        callback();
      });
      return {
        cancel() {
          pending.delete(key);
          timer.cancel();
        },
      };
    },
    pendingTimers: () => pending.size,
  };
}

/** Waits in real time until `isTrue`, 10 s at most. */
export async function until(isTrue: () => boolean, what = isTrue.toString()): Promise<void> {
  const deadlineMs = systemClock.nowMs() + 10_000;
  while (!isTrue()) {
    if (systemClock.nowMs() > deadlineMs) throw new Error(`Waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Lets everything that is under way on loopback arrive. */
export function settle(ms = 60): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
