import type { Clock } from '../../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../../base/errors.js';
import type { LanguageModel, LanguageModelPart, LanguageModelRequest } from '../language-model.js';
import { streamModelPass } from '../model-pass.js';
import type { Round } from './lineup.js';

/** A model that says nothing for this long is left, where another one can be asked; the last one may take its time. */
export const FIRST_PART_LIMIT_MS = 2000;

/** A request at one vendor. */
export interface ModelAttempt {
  readonly round: Round<LanguageModel>;
  /** What follows the first part. */
  readonly rest: AsyncGenerator<LanguageModelPart>;
  /** The first part that says something, or the failure before it. Never rejects. */
  readonly beginning: Promise<Beginning>;
  /** Ends the request at its vendor, where it is not over. Idempotent. */
  end(): void;
}

/** How an attempt began. */
export type Beginning =
  | { readonly ok: true; readonly first: IteratorResult<LanguageModelPart, unknown> }
  | { readonly ok: false; readonly error: AgentStreamError };

/** Asks the vendor that is the round's, and gives it up where it stays silent and another one is left. */
export function startModelAttempt(round: Round<LanguageModel>, request: LanguageModelRequest, clock: Clock): ModelAttempt {
  const ending = new AbortController();
  const hasSpare = round.spare !== null;
  const giveUp = () => ending.abort(new AgentStreamError('vendor-unreachable', { message: 'The model did not begin to answer in time.' }));
  const timer = hasSpare ? clock.setTimer(FIRST_PART_LIMIT_MS, giveUp) : null;
  const rest = streamModelPass(round.product, { ...request, hasSpare, signal: AbortSignal.any([request.signal, ending.signal]) });
  return {
    round,
    rest,
    beginning: readFirst(rest)
      .then<Beginning, Beginning>(
        (first) => ({ ok: true, first }),
        (error: unknown) => ({ ok: false, error: toAgentStreamError(error, 'vendor-failed') }),
      )
      .finally(() => timer?.cancel()),
    end() {
      timer?.cancel();
      ending.abort(new AgentStreamError('vendor-failed', { message: 'The model is not needed any more.' }));
      rest.return(undefined).catch(() => undefined);
    },
  };
}

/** Some vendors begin with nothing, and then fail, or take long. */
async function readFirst(parts: AsyncIterator<LanguageModelPart>): Promise<IteratorResult<LanguageModelPart, unknown>> {
  for (;;) {
    const next = await parts.next();
    if (next.done === true || next.value.type !== 'text-delta' || next.value.text !== '') return next;
  }
}
