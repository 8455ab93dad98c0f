import type { Clock, Timer } from '../../base/clock.js';
import type { AgentStreamError } from '../../base/errors.js';
import type { Hedge, LanguageModel, LanguageModelPart, LanguageModelRequest } from '../language-model.js';
import type { Hedging } from './hedging.js';
import { sideOf, type Round } from './lineup.js';
import { startModelAttempt, type Beginning, type ModelAttempt } from './model-attempt.js';

/** What a race is made of. */
export interface AnswerRaceOptions {
  readonly clock: Clock;
  /** Null: one model is asked at a time. */
  readonly hedging: Hedging | null;
}

/** The request whose answer is taken, and how that begins. */
export interface AnswerBeginning {
  readonly attempt: ModelAttempt;
  readonly first: IteratorResult<LanguageModelPart, unknown>;
}

/**
 * Asks along the line until one model begins to answer; where that takes long, and somebody waits, two at once. The one that says something
 * first is taken and the other one ended, which is no failure of it.
 * @throws AgentStreamError the last failure, once nobody is left; the request's signal's reason on abort
 */
export function findAnswer(round: Round<LanguageModel>, request: LanguageModelRequest, options: AnswerRaceOptions): Promise<AnswerBeginning> {
  return new AnswerRace(request, options).run(round);
}

/** A second request under way or done; what came of it is told once. */
interface OpenHedge extends Omit<Hedge, 'winner'> {
  readonly attempt: ModelAttempt;
}

class AnswerRace {
  readonly #request: LanguageModelRequest;
  readonly #options: AnswerRaceOptions;
  readonly #racers = new Set<ModelAttempt>();
  #timer: Timer | null = null;
  /** At most one in a race. */
  #hedge: 'unused' | 'settled' | OpenHedge;
  #resolve: (answer: AnswerBeginning) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(request: LanguageModelRequest, options: AnswerRaceOptions) {
    this.#request = request;
    this.#options = options;
    this.#hedge = options.hedging === null || request.onHedged === undefined ? 'settled' : 'unused';
  }

  async run(round: Round<LanguageModel>): Promise<AnswerBeginning> {
    const { signal } = this.#request;
    signal.throwIfAborted();
    const answer = new Promise<AnswerBeginning>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#ask(round);
    try {
      const won = await answer;
      this.#racers.delete(won.attempt);
      return won;
    } finally {
      signal.removeEventListener('abort', this.#onAbort);
      this.#timer?.cancel();
      for (const loser of this.#racers) loser.end();
    }
  }

  readonly #onAbort = (): void => {
    try {
      this.#settleHedge('none');
    } finally {
      this.#reject(this.#request.signal.reason);
    }
  };

  #ask(round: Round<LanguageModel>): ModelAttempt {
    const { clock, hedging } = this.#options;
    const attempt = startModelAttempt(round, this.#request, clock);
    this.#racers.add(attempt);
    attempt.beginning.then((beginning) => this.#onBeginning(attempt, beginning)).catch(this.#reject);
    if (this.#hedge === 'unused' && hedging !== null) {
      this.#timer?.cancel();
      this.#timer = clock.setTimer(hedging.afterMs, () => this.#askAnother(attempt, hedging));
    }
    return attempt;
  }

  #askAnother({ round }: ModelAttempt, { afterMs, take }: Hedging): void {
    this.#hedge = 'settled';
    if (!take()) return;
    const from = sideOf(round.candidate);
    const attempt = this.#ask(round.hedge());
    this.#hedge = { attempt, from, to: sideOf(attempt.round.candidate), afterMs };
  }

  #onBeginning(attempt: ModelAttempt, beginning: Beginning): void {
    // The race was decided in the same moment.
    if (!this.#racers.has(attempt) || this.#request.signal.aborted) return;
    if (beginning.ok) this.#decide(attempt, beginning.first);
    else this.#goOnWithout(attempt, beginning.error);
  }

  #decide(attempt: ModelAttempt, first: AnswerBeginning['first']): void {
    for (const loser of this.#racers) if (loser !== attempt) loser.end();
    this.#racers.clear();
    attempt.round.noteAnswer();
    this.#settleHedge(typeof this.#hedge === 'object' && this.#hedge.attempt === attempt ? 'second' : 'first');
    this.#resolve({ attempt, first });
  }

  #goOnWithout(attempt: ModelAttempt, error: AgentStreamError): void {
    const { round } = attempt;
    this.#racers.delete(attempt);
    const [other] = this.#racers;
    if (other !== undefined) {
      round.failOverTo(other.round.candidate, error);
      return;
    }
    this.#settleHedge('none');
    if (round.failOver(error)) this.#ask(round);
    else this.#reject(error);
  }

  #settleHedge(winner: Hedge['winner']): void {
    if (typeof this.#hedge !== 'object') return;
    const { from, to, afterMs } = this.#hedge;
    this.#hedge = 'settled';
    this.#request.onHedged?.({ from, to, afterMs, winner });
  }
}
