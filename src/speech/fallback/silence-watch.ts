import type { Clock, Timer } from '../../base/clock.js';

/** Notices that something that is due does not come. */
export interface SilenceWatch {
  /** From now on something is due. Costs no timer where it was due already. */
  expect(): void;
  /** It came, and nothing more is due. */
  rest(): void;
}

/** Creates a watch that calls `onSilence` once something has been due for `limitMs`; then it rests. */
export function createSilenceWatch(clock: Clock, limitMs: number, onSilence: () => void): SilenceWatch {
  let timer: Timer | null = null;
  let dueSinceMs = 0;

  const check = () => {
    const remainingMs = dueSinceMs + limitMs - clock.nowMs();
    timer = remainingMs > 0 ? clock.setTimer(remainingMs, check) : null;
    if (remainingMs <= 0) onSilence();
  };
  return {
    expect() {
      dueSinceMs = clock.nowMs();
      timer ??= clock.setTimer(limitMs, check);
    },
    rest() {
      timer?.cancel();
      timer = null;
    },
  };
}
