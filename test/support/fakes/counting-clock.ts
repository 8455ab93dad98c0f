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
