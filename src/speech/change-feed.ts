import type { Clock } from '../base/clock.js';

/** Lets those who wait for something look again whenever it may have come true. */
export interface ChangeFeed {
  /** Something has changed. */
  wake(): void;
  /** Settles once `holds`, when the time is up, or when the signal aborts; never throws. */
  until(holds: () => boolean, limitMs: number, signal: AbortSignal): Promise<void>;
}

/** Creates a feed that nobody waits for. */
export function createChangeFeed(clock: Clock): ChangeFeed {
  const waiting = new Set<() => void>();

  const change = (limitMs: number, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const settle = () => {
        timer.cancel();
        waiting.delete(settle);
        signal.removeEventListener('abort', settle);
        resolve();
      };
      const timer = clock.setTimer(limitMs, settle);
      waiting.add(settle);
      signal.addEventListener('abort', settle, { once: true });
    });

  return {
    wake() {
      for (const settle of [...waiting]) settle();
    },
    async until(holds, limitMs, signal) {
      const dueMs = clock.nowMs() + limitMs;
      while (!signal.aborted && !holds() && clock.nowMs() < dueMs) await change(dueMs - clock.nowMs(), signal);
    },
  };
}
