import type { Clock } from '../../base/clock.js';
import { toAgentStreamError } from '../../base/errors.js';
import type { LanguageModel, LanguageModelPart, LanguageModelRequest } from '../language-model.js';
import { findAnswer, type AnswerRaceOptions } from './answer-race.js';
import type { Hedging } from './hedging.js';
import type { Lineup, Round } from './lineup.js';

/**
 * A language model that asks the vendors of `lineup` one after the other until one begins to answer; with `hedging`, two at once where the
 * first is slow. Once something was streamed, a failure is the request's: what the caller may have heard is not said again.
 */
export function createFallbackLanguageModel(lineup: Lineup<LanguageModel>, clock: Clock, hedging: Hedging | null = null): LanguageModel {
  return {
    get vendor() {
      return lineup.current.product.vendor;
    },
    get model() {
      return lineup.current.product.model;
    },
    stream: (request) => streamAlong(lineup.startRound(), request, { clock, hedging }),
    prewarm: () => lineup.current.product.prewarm?.(),
  };
}

async function* streamAlong(round: Round<LanguageModel>, request: LanguageModelRequest, options: AnswerRaceOptions): AsyncGenerator<LanguageModelPart> {
  const { attempt, first } = await findAnswer(round, request, options);
  try {
    for (let next = first; next.done !== true; next = await attempt.rest.next()) {
      if (next.value.type !== 'text-delta' || next.value.text !== '') yield next.value;
    }
  } catch (error) {
    request.signal.throwIfAborted();
    const failure = toAgentStreamError(error, 'vendor-failed');
    attempt.round.noteFailure(failure);
    throw failure;
  } finally {
    attempt.end();
  }
}
