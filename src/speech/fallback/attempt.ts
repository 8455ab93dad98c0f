import type { Clock } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import type { Round } from './lineup.js';

/** One vendor asked for an answer, and given up where it stays silent and another one is left. */
export interface Attempt {
  /** Aborts as the request does, and where the vendor is given up. */
  readonly signal: AbortSignal;
  readonly hasAnswered: boolean;
  /** The vendor has begun to answer; it may take its time from now on. */
  noteAnswer(): void;
  dispose(): void;
}

/** Starts waiting for the vendor that is the round's. */
export function startAttempt(round: Round<unknown>, request: AbortSignal, clock: Clock, limitMs: number): Attempt {
  const silence = new AbortController();
  const giveUp = () => silence.abort(new AgentStreamError('vendor-unreachable', { message: 'The model did not begin to answer in time.' }));
  const timer = round.spare === null ? null : clock.setTimer(limitMs, giveUp);
  let hasAnswered = false;
  return {
    signal: AbortSignal.any([request, silence.signal]),
    get hasAnswered() {
      return hasAnswered;
    },
    noteAnswer() {
      if (hasAnswered) return;
      hasAnswered = true;
      timer?.cancel();
      round.noteAnswer();
    },
    dispose: () => timer?.cancel(),
  };
}
