import { FRAME_BYTES, SAMPLE_RATE_HZ } from '../../audio/frame.js';
import type { Clock } from '../../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../../base/errors.js';
import { createAudioRing, type AudioRing } from '../audio-ring.js';
import type { LanguageModelRequest } from '../language-model.js';
import type { RealtimeModel, RealtimeOptions, RealtimePart, RealtimeResponse, RealtimeSession } from '../realtime-model.js';
import type { SpeechToTextEvent, SpeechToTextStream } from '../speech-to-text.js';
import { startAttempt } from './attempt.js';
import { openHearing, type Hearing } from './hearing.js';
import type { Lineup, Round } from './lineup.js';
import { createSilenceWatch, type SilenceWatch } from './silence-watch.js';
import { createPace, createSpokenText, type Pace, type SpokenText } from './spoken-text.js';

const BYTES_PER_MS = SAMPLE_RATE_HZ / 1000;
/** Audio kept for the vendor that may have to hear it again: 10 s, whole frames. */
const RING_BYTES = 500 * FRAME_BYTES;
/** A session that is not set up after this long is left, where another one can be opened. */
const READY_LIMIT_MS = 2500;
/** A model that gives no part of its answer for this long is left, where another one can be asked. */
const FIRST_PART_LIMIT_MS = 2500;

/** What the sessions of a call are made of. */
export interface FallbackRealtimeOptions {
  readonly lineup: Lineup<RealtimeModel>;
  readonly clock: Clock;
  readonly capabilities: RealtimeModel['capabilities'];
  readonly call: RealtimeOptions;
}

/** A session as the ears that it has. */
interface Ears extends SpeechToTextStream {
  readonly session: RealtimeSession;
  /** How fast its voice speaks. */
  readonly pace: Pace;
}

type State =
  | { readonly kind: 'live'; readonly hearing: Hearing<Ears> }
  | { readonly kind: 'over'; readonly failure: AgentStreamError };

/** Asks a session for speech. */
type Ask = (ears: Ears, signal: AbortSignal) => AsyncIterable<RealtimePart>;

const ENDED: RealtimePart = { type: 'finish', reason: 'stop', usage: undefined };

async function* nothingLeft(): AsyncGenerator<RealtimePart> {
  yield await Promise.resolve(ENDED);
}

/** An error that names the vendor it is of: another one may serve the call by the time it is recorded. */
const ofVendor = (vendor: string, error: AgentStreamError): AgentStreamError =>
  new AgentStreamError(error.code, { message: error.message, cause: error, details: { ...error.details, vendor } });

/**
 * One call's session with the vendor in use. Where that is lost, or fails to begin an answer, the next one takes over. An answer that
 * breaks off is not given again: the next vendor goes on with the call. Fixed words go on at the word that broke off.
 */
export class FallbackRealtimeSession implements RealtimeSession {
  readonly recogniser: SpeechToTextStream;
  readonly #options: FallbackRealtimeOptions;
  readonly #ring: AudioRing = createAudioRing(RING_BYTES);
  readonly #watch: SilenceWatch;
  #round: Round<RealtimeModel>;
  #state: State = { kind: 'over', failure: new AgentStreamError('vendor-failed', { message: 'The session is closed' }) };
  /** Position up to which the transcript is final. */
  #coveredBytes = 0;
  /** Requests for the caller's words that were not answered. */
  #pendingFinalizes = 0;
  #hasBeenReady = false;

  constructor(options: FallbackRealtimeOptions) {
    const { lineup, clock, call } = options;
    this.#options = options;
    this.#watch = createSilenceWatch(clock, READY_LIMIT_MS, () =>
      this.#failOver(new AgentStreamError('vendor-unreachable', { message: 'The speech-to-speech model did not set the session up in time.' })),
    );
    this.#round = lineup.startRound();
    this.recogniser = { push: (audio) => this.#push(audio), finalize: () => this.#finalize(), close: this.close };
    if (call.signal.aborted) return;
    call.signal.addEventListener('abort', this.close, { once: true });
    this.#state = { kind: 'live', hearing: this.#open(call.isUnderWay ?? false) };
  }

  respond(request: LanguageModelRequest): RealtimeResponse {
    let response: RealtimeResponse | null = null;
    const ask: Ask = ({ session }, signal) => {
      response = session.respond({ ...request, signal });
      return response.parts;
    };
    return { parts: this.#answer(ask, request.signal, false), settle: (heardMs) => response?.settle(heardMs) };
  }

  say(text: string, signal: AbortSignal): AsyncIterable<RealtimePart> {
    let rest = text;
    let said: { readonly spoken: SpokenText; readonly pace: Pace } | null = null;
    const listen = async function* (parts: AsyncIterable<RealtimePart>, spoken: SpokenText, pace: Pace): AsyncGenerator<RealtimePart> {
      for await (const part of parts) {
        if (part.type === 'audio') spoken.addAudio(part.audio);
        yield part;
      }
      pace.learn(spoken.text.length, spoken.audioMs);
    };
    const sayRest: Ask = ({ session, pace }, attemptSignal) => {
      if (said !== null) rest = said.spoken.undelivered(said.pace);
      if (rest === '') return nothingLeft();
      said = { spoken: createSpokenText(), pace };
      said.spoken.addText(rest);
      return listen(session.say(rest, attemptSignal), said.spoken, pace);
    };
    return this.#answer(sayRest, signal, true);
  }

  noteSaid(text: string): void {
    if (this.#state.kind === 'live') this.#state.hearing.stream.session.noteSaid(text);
  }

  readonly close = (): void => {
    this.#end(new AgentStreamError('vendor-failed', { message: 'The session is closed' }));
  };

  #end(failure: AgentStreamError): void {
    const state = this.#state;
    if (state.kind === 'over') return;
    this.#state = { kind: 'over', failure };
    this.#watch.rest();
    this.#options.call.signal.removeEventListener('abort', this.close);
    state.hearing.close();
  }

  #push(audio: Uint8Array): void {
    if (this.#state.kind === 'over') return;
    this.#ring.push(audio);
    this.#state.hearing.pump();
  }

  #finalize(): void {
    if (this.#state.kind === 'over') return;
    this.#pendingFinalizes += 1;
    this.#state.hearing.finalize();
  }

  /** Opens a session of the vendor in use; the last one is given the time that it takes. */
  #open(isUnderWay: boolean): Hearing<Ears> {
    const { product, spare } = this.#round;
    const { language, keyterms, signal } = this.#options.call;
    const hasSpare = spare !== null;
    if (hasSpare) this.#watch.expect();
    return openHearing<Ears>({
      product: {
        open(options) {
          const session = product.open({ ...options, isUnderWay, hasSpare });
          const { recogniser } = session;
          return { session, pace: createPace(), push: (audio) => recogniser.push(audio), finalize: () => recogniser.finalize(), close: () => session.close() };
        },
      },
      ring: this.#ring,
      fromPosition: Math.max(this.#ring.start, this.#coveredBytes - (this.#coveredBytes % FRAME_BYTES)),
      call: { language, keyterms, signal },
      onEvent: (event, hearing) => {
        if (this.#isCurrent(hearing)) this.#onEvent(event, hearing);
      },
    });
  }

  #isCurrent(hearing: Hearing<Ears>): boolean {
    return this.#state.kind === 'live' && this.#state.hearing === hearing;
  }

  #onEvent(event: SpeechToTextEvent, hearing: Hearing<Ears>): void {
    switch (event.type) {
      case 'stt-failed':
        if (this.#failOver(event.error)) return;
        this.#end(event.error);
        break;
      case 'stt-ready':
        return this.#onReady(hearing);
      case 'finalized':
        this.#pendingFinalizes = Math.max(0, this.#pendingFinalizes - 1);
        break;
      case 'transcript-final':
        this.#cover(event.endMs);
        break;
      case 'turn-end':
        if (!this.#options.capabilities.turnEvents) return;
        break;
      default:
    }
    this.#options.call.onEvent(event);
  }

  #onReady(hearing: Hearing<Ears>): void {
    this.#watch.rest();
    if (!this.#hasBeenReady) this.#options.call.onEvent({ type: 'stt-ready' });
    this.#hasBeenReady = true;
    for (let left = this.#pendingFinalizes; left > 0; left -= 1) hearing.finalize();
  }

  #cover(endMs: number | undefined): void {
    const end = endMs === undefined ? this.#ring.end : Math.round(endMs * BYTES_PER_MS);
    this.#coveredBytes = Math.min(this.#ring.end, Math.max(this.#coveredBytes, end));
  }

  /** Goes over to the next vendor, which has heard nothing of the call. False: nobody is left. */
  #failOver(error: AgentStreamError): boolean {
    const state = this.#state;
    if (state.kind === 'over' || !this.#round.failOver(error)) return false;
    this.#watch.rest();
    this.#state = { kind: 'live', hearing: this.#open(true) };
    state.hearing.close();
    return true;
  }

  /** Leaves a vendor that failed to answer. False: nobody is left. */
  #leave(hearing: Hearing<Ears>, error: AgentStreamError): boolean {
    if (this.#state.kind === 'over') return false;
    return !this.#isCurrent(hearing) || this.#failOver(error);
  }

  /** Speech of the vendor in use. `canGoOn`: what is asked after a break is only what is left. */
  async *#answer(ask: Ask, signal: AbortSignal, canGoOn: boolean): AsyncGenerator<RealtimePart> {
    // A vendor that begins and breaks off, again and again, would be gone back to for ever.
    for (let left = this.#options.lineup.candidates.length; ; left -= 1) {
      signal.throwIfAborted();
      if (this.#state.kind === 'over') throw this.#state.failure;
      const { hearing } = this.#state;
      const { vendor } = this.#round.product;
      const attempt = startAttempt(this.#round, signal, this.#options.clock, FIRST_PART_LIMIT_MS);
      try {
        for await (const part of ask(hearing.stream, attempt.signal)) {
          if (!attempt.hasAnswered) this.#noteAnswer(attempt.noteAnswer, hearing);
          yield part;
        }
        return;
      } catch (error) {
        signal.throwIfAborted();
        const failure = toAgentStreamError(error, 'vendor-failed');
        const isElsewhere = this.#leave(hearing, failure);
        if (isElsewhere && left > 1 && (canGoOn || !attempt.hasAnswered)) continue;
        throw ofVendor(vendor, failure);
      } finally {
        attempt.dispose();
      }
    }
  }

  /** A vendor that answers earns all others another chance, should it be lost. */
  #noteAnswer(note: () => void, hearing: Hearing<Ears>): void {
    note();
    if (this.#isCurrent(hearing)) this.#round = this.#options.lineup.startRound();
  }
}
