import type { Clock } from '../base/clock.js';
import type { WorkflowSettings } from '../workflow/settings.js';

/** Past a limit, a call gets this long for its goodbye; then it is cut. */
const GOODBYE_LIMIT_MS = 15_000;

/** A warning that could not be given is tried again after this long. */
const WARNING_RETRY_MS = 500;

/** Reasons for which a call ends with a goodbye although both sides would go on. */
export type LimitReason = 'max_duration' | 'quota_exceeded' | 'drained' | 'vendor_error';

/** The wall around a call: independent of media, marks and vendors. */
export interface CallLimits {
  /** Begins the goodbye now; the call is cut if it does not come to an end. */
  reach(reason: LimitReason): void;
  cancel(): void;
}

/** Starts the timers of one call. */
export function startCallLimits(options: {
  readonly clock: Clock;
  readonly settings: Pick<WorkflowSettings, 'max_call_duration' | 'max_duration_warning_seconds'>;
  /** What the owner's quota leaves; null: unlimited. */
  readonly remainingMs: number | null;
  /** False: the caller cannot be told now. It is asked again until the limit. */
  readonly onWarning: () => boolean;
  readonly onReached: (reason: LimitReason) => void;
  readonly onOverdue: (reason: LimitReason) => void;
}): CallLimits {
  const { clock, settings } = options;
  const maxMs = settings.max_call_duration * 1000;
  const warningMs = settings.max_duration_warning_seconds * 1000;
  let hasReached = false;

  const reach = (reason: LimitReason) => {
    if (hasReached) return;
    hasReached = true;
    timers.push(clock.setTimer(GOODBYE_LIMIT_MS, () => options.onOverdue(reason)));
    options.onReached(reason);
  };

  const warn = () => {
    if (hasReached || options.onWarning()) return;
    timers.push(clock.setTimer(WARNING_RETRY_MS, warn));
  };

  const timers = [clock.setTimer(maxMs, () => reach('max_duration'))];
  if (warningMs > 0) timers.push(clock.setTimer(maxMs - warningMs, warn));
  // A quota of months is no timer: the call's own limit comes first.
  if (options.remainingMs !== null && options.remainingMs < maxMs)
    timers.push(clock.setTimer(options.remainingMs, () => reach('quota_exceeded')));

  return {
    reach,
    cancel: () => {
      hasReached = true;
      for (const timer of timers) timer.cancel();
    },
  };
}
