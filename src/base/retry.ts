import { sleep, type Clock } from './clock.js';
import { AgentStreamError, toAgentStreamError } from './errors.js';

/** How often and how patiently something is tried again. */
export interface RetryPolicy {
  /** Tries in all, the first one included. */
  readonly attempts: number;
  /** Wait before the second try; doubles from try to try. */
  readonly baseDelayMs: number;
  /** Longest wait. A peer that asks for more (`details.retryAfterMs`) is not tried again. */
  readonly maxDelayMs: number;
  /** Failures that are final here although the same may succeed later. Default: none. */
  readonly isFinal?: (error: AgentStreamError) => boolean;
}

/**
 * How long to wait after the `failures`-th failure in a row (1, 2, …), or null when it is final.
 * The wait is between half and all of `baseDelayMs · 2^(failures-1)`, so that callers that failed together do not return
 * together.
 * An error that is not `retryable`, or that `isFinal` names, is final. `details.retryAfterMs`, what the peer asked for, is a lower bound.
 */
export function retryDelayMs(
  error: AgentStreamError,
  failures: number,
  policy: RetryPolicy,
  random: () => number = Math.random,
): number | null {
  if (!error.retryable || failures >= policy.attempts || policy.isFinal?.(error) === true) return null;
  const backoffMs = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (failures - 1));
  const askedMs = error.details?.['retryAfterMs'];
  const jitteredMs = backoffMs * (0.5 + random() / 2);
  if (typeof askedMs !== 'number') return jitteredMs;
  return askedMs > policy.maxDelayMs ? null : Math.max(askedMs, jitteredMs);
}

/**
 * Runs `operation` until it succeeds or its failure is final, waiting as {@link retryDelayMs} says.
 * @throws the last failure; the signal's reason once `signal` aborts. Anything but an `AgentStreamError` is a bug: it becomes
 *   `internal-error`, which is never tried again.
 */
export async function retry<Result>(
  operation: (attempt: number) => Promise<Result>,
  options: RetryPolicy & { readonly clock: Clock; readonly signal: AbortSignal; readonly random?: () => number },
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    options.signal.throwIfAborted();
    try {
      return await operation(attempt);
    } catch (error) {
      options.signal.throwIfAborted();
      const delayMs = error instanceof AgentStreamError ? retryDelayMs(error, attempt, options, options.random) : null;
      if (delayMs === null) throw toAgentStreamError(error);
      await sleep(options.clock, delayMs, options.signal);
    }
  }
}
