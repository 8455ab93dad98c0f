import type { Clock } from '../../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../../base/errors.js';
import type { LanguageModel, LanguageModelPart, LanguageModelRequest } from '../language-model.js';
import { streamModelPass } from '../model-pass.js';
import type { Lineup, Round } from './lineup.js';

/** A model that says nothing for this long is left, where another one can be asked; the last one may take its time. */
const FIRST_PART_LIMIT_MS = 2000;

/**
 * A language model that asks the vendors of `lineup` one after the other until one begins to answer. Once something was streamed, a failure
 * is the request's: what the caller may have heard is not said again.
 */
export function createFallbackLanguageModel(lineup: Lineup<LanguageModel>, clock: Clock): LanguageModel {
  return {
    get vendor() {
      return lineup.current.product.vendor;
    },
    get model() {
      return lineup.current.product.model;
    },
    stream: (request) => streamAlong(lineup.startRound(), request, clock),
    prewarm: () => lineup.current.product.prewarm?.(),
  };
}

async function* streamAlong(round: Round<LanguageModel>, request: LanguageModelRequest, clock: Clock): AsyncGenerator<LanguageModelPart> {
  request.signal.throwIfAborted();
  for (;;) {
    const attempt = startAttempt(round, request, clock);
    try {
      for await (const part of attempt.parts) {
        // Some vendors begin with nothing, and then fail.
        if (part.type === 'text-delta' && part.text === '') continue;
        attempt.noteAnswer();
        yield part;
      }
      return;
    } catch (error) {
      request.signal.throwIfAborted();
      const failure = toAgentStreamError(error, 'vendor-failed');
      if (!attempt.hasAnswered && round.failOver(failure)) continue;
      if (attempt.hasAnswered) round.noteFailure(failure);
      throw failure;
    } finally {
      attempt.dispose();
    }
  }
}

/** Asks the vendor that is the round's, and gives it up where it stays silent and another one is left. */
function startAttempt(round: Round<LanguageModel>, request: LanguageModelRequest, clock: Clock) {
  const silence = new AbortController();
  const giveUp = () => silence.abort(new AgentStreamError('vendor-unreachable', { message: 'The model did not begin to answer in time.' }));
  const hasSpare = round.spare !== null;
  const timer = hasSpare ? clock.setTimer(FIRST_PART_LIMIT_MS, giveUp) : null;
  let hasAnswered = false;
  return {
    parts: streamModelPass(round.product, { ...request, hasSpare, signal: AbortSignal.any([request.signal, silence.signal]) }),
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
