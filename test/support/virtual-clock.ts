import type { Clock, Timer } from '../../src/base/clock.js';

/** A clock that stands still until a test moves it. Timers fire in due order, at their due time. */
export interface VirtualClock extends Clock {
  /** Moves time forward, firing due timers and letting promise callbacks run between them. */
  advance(ms: number): Promise<void>;
  /** Timers not yet fired or cancelled: a leak check. */
  pendingTimers(): number;
}

/** Creates a clock at monotonic 0 and wall time 2026-01-01T00:00:00Z. */
export function createVirtualClock(): VirtualClock {
  const epochMs = Date.UTC(2026, 0, 1);
  let nowMs = 0;
  let nextId = 0;
  const timers = new Map<number, { dueMs: number; callback: () => void }>();

  const settle = async () => {
    for (let i = 0; i < 10; i += 1) await new Promise<void>((resolve) => setImmediate(resolve));
  };

  return {
    nowMs: () => nowMs,
    wallMs: () => epochMs + Math.round(nowMs),
    setTimer(delayMs, callback): Timer {
      const id = (nextId += 1);
      timers.set(id, { dueMs: nowMs + Math.max(0, delayMs), callback });
      return { cancel: () => void timers.delete(id) };
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      await settle();
      for (;;) {
        let next: { id: number; dueMs: number } | undefined;
        for (const [id, timer] of timers) {
          if (timer.dueMs <= untilMs && (next === undefined || timer.dueMs < next.dueMs)) next = { id, dueMs: timer.dueMs };
        }
        if (next === undefined) break;
        nowMs = Math.max(nowMs, next.dueMs);
        const timer = timers.get(next.id);
        timers.delete(next.id);
        timer?.callback();
        await settle();
      }
      nowMs = untilMs;
      await settle();
    },
    pendingTimers: () => timers.size,
  };
}
