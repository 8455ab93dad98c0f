import { performance } from 'node:perf_hooks';

/** A pending timer. `cancel` is idempotent and safe after the timer has fired. */
export interface Timer {
  cancel(): void;
}

/**
 * The only source of time. Everything that waits, measures or stamps takes a `Clock`, so that tests run in virtual time.
 * No other file calls `setTimeout`, `setInterval`, `Date.now` or `performance.now`.
 */
export interface Clock {
  /** Monotonic milliseconds with an arbitrary origin: for durations and deadlines, never for display. */
  nowMs(): number;
  /** Wall-clock milliseconds since the Unix epoch: for records, never for durations. */
  wallMs(): number;
  /** Runs `callback` once, no earlier than `delayMs` from now. Does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
}

/** Real time. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer(delayMs, callback) {
    const handle = setTimeout(callback, Math.max(0, delayMs));
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs`; rejects with the signal's reason as soon as `signal` aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Runs `callback` every `periodMs` until cancelled. The period is measured from start to start and never drifts. */
export function repeat(clock: Clock, periodMs: number, callback: () => void): Timer {
  let dueMs = clock.nowMs() + periodMs;
  let timer = clock.setTimer(periodMs, tick);
  let isCancelled = false;
  function tick() {
    if (isCancelled) return;
    dueMs = Math.max(dueMs + periodMs, clock.nowMs());
    timer = clock.setTimer(dueMs - clock.nowMs(), tick);
    callback();
  }
  return {
    cancel() {
      isCancelled = true;
      timer.cancel();
    },
  };
}

/** An `AbortSignal` that fires after `delayMs` with `reason()`, or when `parent` does. Call `dispose` when the work is done. */
export function deadlineSignal(
  clock: Clock,
  delayMs: number,
  parent: AbortSignal | undefined,
  reason: () => Error,
): { signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  const onParentAbort = () => controller.abort(parent?.reason);
  if (parent?.aborted) controller.abort(parent.reason);
  else parent?.addEventListener('abort', onParentAbort, { once: true });
  const timer = clock.setTimer(delayMs, () => controller.abort(reason()));
  return {
    signal: controller.signal,
    dispose() {
      timer.cancel();
      parent?.removeEventListener('abort', onParentAbort);
    },
  };
}
