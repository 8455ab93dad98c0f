import type { Clock, Timer } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';

/** Ends a request whose answer does not go on. */
export interface StallGuard {
  /** Aborts with the parent's reason, or with `vendor-unreachable` after a stall. */
  readonly signal: AbortSignal;
  /** Something arrived. Only notes the time, so that a fast stream costs no timers. */
  touch(): void;
  /** Frees the timer. */
  dispose(): void;
  /** Aborts what is still running. */
  abort(): void;
}

/** Starts guarding; nothing may arrive for `limitMs` at a time. */
export function createStallGuard(clock: Clock, limitMs: number, parent: AbortSignal): StallGuard {
  const controller = new AbortController();
  let touchedMs = clock.nowMs();
  let timer: Timer = clock.setTimer(limitMs, check);
  const onAbort = () => controller.abort(parent.reason);
  if (parent.aborted) onAbort();
  else parent.addEventListener('abort', onAbort, { once: true });

  function check(): void {
    const remainingMs = touchedMs + limitMs - clock.nowMs();
    if (remainingMs > 0) timer = clock.setTimer(remainingMs, check);
    else controller.abort(new AgentStreamError('vendor-unreachable', { message: 'The model stayed silent for too long.' }));
  }

  return {
    signal: controller.signal,
    touch() {
      touchedMs = clock.nowMs();
    },
    dispose() {
      timer.cancel();
      parent.removeEventListener('abort', onAbort);
    },
    abort: () => controller.abort(),
  };
}
