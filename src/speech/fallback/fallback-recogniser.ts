import { FRAME_BYTES, SAMPLE_RATE_HZ } from '../../audio/frame.js';
import type { Clock } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import { createAudioRing, type AudioRing } from '../audio-ring.js';
import type { SpeechToText, SpeechToTextEvent, SpeechToTextOptions, SpeechToTextStream } from '../speech-to-text.js';
import { createDoubt, type Doubt } from './doubt.js';
import { openHearing, type Hearing } from './hearing.js';
import type { Lineup, Round } from './lineup.js';
import { createSilenceWatch, type SilenceWatch } from './silence-watch.js';

const BYTES_PER_MS = SAMPLE_RATE_HZ / 1000;

/** Audio kept for the recogniser that may have to hear it again: 10 s, whole frames. */
const RING_BYTES = 500 * FRAME_BYTES;

/** A recogniser that is not ready, or has not answered `finalize`, after this long is left, where another one can listen. */
const ANSWER_LIMIT_MS = 2000;

/** How long another recogniser may listen along to find out whether there are words that the one in use has missed. */
const AUDITION_LIMIT_MS = 3000;

/** What the recognisers of a call are made of. */
export interface FallbackRecogniserOptions {
  readonly lineup: Lineup<SpeechToText>;
  readonly clock: Clock;
  readonly capabilities: SpeechToText['capabilities'];
  readonly call: SpeechToTextOptions;
}

type State =
  | { readonly kind: 'listening'; readonly hearing: Hearing }
  /** The caller spoke and `hearing` had no word for it: `spare` is listened to as well. The first that has words is kept. */
  | { readonly kind: 'auditioning'; readonly hearing: Hearing; readonly spare: Hearing; readonly untilMs: number }
  | { readonly kind: 'over' };

/** Listens with the recogniser in use; where it is lost, the next one hears again what no final text covers. */
export class FallbackRecogniser implements SpeechToTextStream {
  readonly #options: FallbackRecogniserOptions;
  readonly #ring: AudioRing = createAudioRing(RING_BYTES);
  readonly #watch: SilenceWatch;
  readonly #doubt: Doubt;
  #round: Round<SpeechToText>;
  #state: State = { kind: 'over' };
  /** Position up to which the transcript is final. */
  #coveredBytes = 0;
  /** Requests for what is still in the recogniser that it has not answered. */
  #pendingFinalizes = 0;
  #hasBeenReady = false;

  constructor(options: FallbackRecogniserOptions) {
    const { lineup, clock, capabilities, call } = options;
    this.#options = options;
    this.#watch = createSilenceWatch(clock, ANSWER_LIMIT_MS, () => this.#failOver(unreachable('The recogniser did not answer in time.')));
    this.#doubt = createDoubt(clock, capabilities.interimTranscripts);
    this.#round = lineup.startRound();
    if (call.signal.aborted) return;
    call.signal.addEventListener('abort', this.close, { once: true });
    this.#state = { kind: 'listening', hearing: this.#open(this.#round.product) };
    this.#expectAnswer();
  }

  push(audio: Uint8Array): void {
    if (this.#state.kind === 'over') return;
    const firstFrame = Math.ceil(this.#ring.end / FRAME_BYTES) * FRAME_BYTES;
    this.#ring.push(audio);
    this.#state.hearing.pump();
    if (this.#state.kind === 'auditioning') this.#state.spare.pump();
    for (let at = Math.max(firstFrame, this.#ring.start); at + FRAME_BYTES <= this.#ring.end; at += FRAME_BYTES)
      if (this.#doubt.hear(this.#ring.view(at, FRAME_BYTES))) this.#audition();
  }

  finalize(): void {
    if (this.#state.kind === 'over') return;
    this.#doubt.noteFinalize();
    this.#pendingFinalizes += 1;
    if (this.#pendingFinalizes === 1) this.#expectAnswer();
    this.#state.hearing.finalize();
  }

  readonly close = (): void => {
    const state = this.#state;
    this.#state = { kind: 'over' };
    this.#watch.rest();
    this.#options.call.signal.removeEventListener('abort', this.close);
    if (state.kind !== 'over') state.hearing.close();
    if (state.kind === 'auditioning') state.spare.close();
  };

  #open(product: SpeechToText): Hearing {
    return openHearing({
      product,
      ring: this.#ring,
      fromPosition: Math.max(this.#ring.start, this.#coveredBytes - (this.#coveredBytes % FRAME_BYTES)),
      call: this.#options.call,
      onEvent: (event, hearing) => this.#onEvent(event, hearing),
    });
  }

  /** The last recogniser is given the time that its vendor takes. */
  #expectAnswer(): void {
    if (this.#round.spare !== null) this.#watch.expect();
  }

  #onEvent(event: SpeechToTextEvent, hearing: Hearing): void {
    if (this.#state.kind === 'auditioning' && this.#state.spare === hearing) this.#onSpareEvent(event);
    else if (this.#state.kind !== 'over' && this.#state.hearing === hearing) this.#onUsedEvent(event, hearing);
  }

  #onSpareEvent(event: SpeechToTextEvent): void {
    if (event.type === 'stt-failed') this.#endAudition();
    if (!hasWords(event)) return;
    this.#failOver(unreachable('The recogniser had no words for speech.'));
    if (this.#state.kind !== 'over') this.#onUsedEvent(event, this.#state.hearing);
  }

  #onUsedEvent(event: SpeechToTextEvent, hearing: Hearing): void {
    switch (event.type) {
      case 'stt-failed':
        this.#failOver(event.error);
        return;
      case 'stt-ready':
        this.#onReady(hearing);
        return;
      case 'finalized':
        this.#pendingFinalizes = Math.max(0, this.#pendingFinalizes - 1);
        if (this.#pendingFinalizes === 0) this.#watch.rest();
        break;
      default:
        if (hasWords(event)) this.#onWords(event);
    }
    if (this.#isOffered(event)) this.#options.call.onEvent(event);
  }

  /** What only some of the vendors report is not part of what all of them do. */
  #isOffered({ type }: SpeechToTextEvent): boolean {
    const { speechEvents, turnEvents } = this.#options.capabilities;
    return type === 'speech-start' ? speechEvents : type !== 'turn-end' || turnEvents;
  }

  #onReady(hearing: Hearing): void {
    this.#watch.rest();
    if (!this.#hasBeenReady) this.#options.call.onEvent({ type: 'stt-ready' });
    this.#hasBeenReady = true;
    if (this.#pendingFinalizes > 0) this.#expectAnswer();
    for (let left = this.#pendingFinalizes; left > 0; left -= 1) hearing.finalize();
  }

  #onWords(event: SpeechToTextEvent): void {
    this.#doubt.noteWords();
    this.#endAudition();
    this.#round.noteAnswer();
    // A recogniser that works earns all others another chance, should it be lost.
    this.#round = this.#options.lineup.startRound();
    if (event.type !== 'transcript-final') return;
    const end = event.endMs === undefined ? this.#ring.end : Math.round(event.endMs * BYTES_PER_MS);
    this.#coveredBytes = Math.min(this.#ring.end, Math.max(this.#coveredBytes, end));
  }

  #audition(): void {
    const { clock } = this.#options;
    if (this.#state.kind === 'auditioning' && clock.nowMs() >= this.#state.untilMs) {
      this.#endAudition();
      this.#doubt.settle();
      return;
    }
    const product = this.#round.spare;
    if (this.#state.kind !== 'listening' || !this.#state.hearing.isReady || product === null) return;
    const { hearing } = this.#state;
    this.#state = { kind: 'auditioning', hearing, spare: this.#open(product), untilMs: clock.nowMs() + AUDITION_LIMIT_MS };
  }

  #endAudition(): void {
    if (this.#state.kind !== 'auditioning') return;
    this.#state.spare.close();
    this.#state = { kind: 'listening', hearing: this.#state.hearing };
  }

  #failOver(error: AgentStreamError): void {
    const state = this.#state;
    if (state.kind === 'over') return;
    if (!this.#round.failOver(error)) {
      this.close();
      this.#options.call.onEvent({ type: 'stt-failed', error });
      return;
    }
    state.hearing.close();
    this.#watch.rest();
    const { product } = this.#round;
    const spare = state.kind === 'auditioning' ? state.spare : null;
    if (spare?.product === product) this.#take(spare);
    else {
      spare?.close();
      this.#take(this.#open(product));
    }
  }

  #take(hearing: Hearing): void {
    this.#state = { kind: 'listening', hearing };
    if (hearing.isReady) this.#onReady(hearing);
    else this.#expectAnswer();
  }
}

const unreachable = (message: string) => new AgentStreamError('vendor-unreachable', { message });

const hasWords = (event: SpeechToTextEvent): boolean =>
  (event.type === 'transcript-interim' || event.type === 'transcript-final') && event.text.trim() !== '';
