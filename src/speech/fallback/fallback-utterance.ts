import type { Clock } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import type { TextToSpeech, TextToSpeechEvent, TextToSpeechStream, Utterance } from '../text-to-speech.js';
import type { Round } from './lineup.js';
import { createSilenceWatch, type SilenceWatch } from './silence-watch.js';
import { createSpokenText, type Pace, type SpokenText } from './spoken-text.js';

/** Text that brings no audio, or its end that does not come, for this long: the voice is left, where another one can be asked. */
const AUDIO_LIMIT_MS = 1500;

/** What an utterance needs of the call's voices. */
export interface AlongOptions {
  readonly clock: Clock;
  readonly round: Round<TextToSpeech>;
  readonly hasWordTimes: boolean;
  readonly streamOf: (voice: TextToSpeech) => TextToSpeechStream;
  readonly paceOf: (voice: TextToSpeech) => Pace;
  readonly onOver: (utterance: Utterance) => void;
  readonly onEvent: (event: TextToSpeechEvent) => void;
}

type Words = Extract<TextToSpeechEvent, { type: 'words' }>['words'];

/** What one voice speaks of the utterance. */
interface Part {
  readonly voice: TextToSpeech;
  readonly utterance: Utterance;
  readonly spoken: SpokenText;
  /** Audio of the parts before it: where its word times start. */
  readonly startMs: number;
}

type State = { readonly kind: 'speaking'; readonly part: Part; readonly isEnded: boolean } | { readonly kind: 'over' };

/** Speaks one reply with the voice in use, and goes on with the next one where it fails. */
export class FallbackUtterance implements Utterance {
  readonly #options: AlongOptions;
  readonly #watch: SilenceWatch;
  #state: State;

  constructor(options: AlongOptions) {
    this.#options = options;
    this.#watch = createSilenceWatch(options.clock, AUDIO_LIMIT_MS, () => this.#onSilence());
    this.#state = { kind: 'speaking', part: this.#startPart(0), isEnded: false };
  }

  push(text: string): void {
    if (this.#state.kind === 'speaking' && !this.#state.isEnded) this.#give(this.#state.part, text);
  }

  end(): void {
    if (this.#state.kind !== 'speaking' || this.#state.isEnded) return;
    const { part } = this.#state;
    this.#state = { kind: 'speaking', part, isEnded: true };
    if (part.spoken.text.trim() !== '') this.#expectAudio();
    part.utterance.end();
  }

  cancel(): void {
    if (this.#state.kind !== 'speaking') return;
    this.#state.part.utterance.cancel();
    this.#leave();
  }

  #startPart(startMs: number): Part {
    const { round, streamOf } = this.#options;
    const voice = round.product;
    const utterance = streamOf(voice).speak((event) => {
      if (this.#isCurrent(part)) this.#receive(event, part);
    });
    const part: Part = { voice, utterance, spoken: createSpokenText(), startMs };
    return part;
  }

  /** False for a voice that was left. It may be so in the very moment it was given text. */
  #isCurrent(part: Part): boolean {
    return this.#state.kind === 'speaking' && this.#state.part === part;
  }

  /** Text for the voice in use; audio is due from then on. */
  #give(part: Part, text: string): void {
    part.spoken.addText(text);
    if (text.trim() !== '') this.#expectAudio();
    part.utterance.push(text);
  }

  /** The last voice is given the time that the call gives it. */
  #expectAudio(): void {
    if (this.#options.round.spare !== null) this.#watch.expect();
  }

  #receive(event: TextToSpeechEvent, part: Part): void {
    if (event.type === 'audio') this.#onAudio(event, part);
    else if (event.type === 'words') part.spoken.addWords(event.words);
    else if (event.type === 'tts-failed') this.#failOver(event.error, part);
    else this.#onEnd(event, part);
  }

  #onAudio(event: Extract<TextToSpeechEvent, { type: 'audio' }>, part: Part): void {
    const { spoken } = part;
    if (spoken.audioMs === 0) this.#options.round.noteAnswer();
    spoken.addAudio(event.audio);
    // Before the end of the text, silence may just mean that all of it was spoken.
    if (this.#state.kind === 'speaking' && this.#state.isEnded) this.#expectAudio();
    else this.#watch.rest();
    this.#options.onEvent(event);
    if (this.#isCurrent(part)) this.#reportWords(spoken.takeDelivered(), part);
  }

  /** Words are reported with their audio: what a voice announced and did not say is the next one's. */
  #reportWords(words: Words, { startMs: shiftMs }: Part): void {
    if (!this.#options.hasWordTimes || words.length === 0) return;
    const shifted = words.map(({ text, startMs, endMs }) => ({ text, startMs: startMs + shiftMs, endMs: endMs + shiftMs }));
    this.#options.onEvent({ type: 'words', words: shifted });
  }

  #onEnd(event: TextToSpeechEvent, part: Part): void {
    const { voice, spoken } = part;
    if (spoken.audioMs === 0 && /[\p{L}\p{N}]/u.test(spoken.text)) {
      this.#failOver(new AgentStreamError('vendor-protocol', { message: 'The voice spoke no audio for the text.' }), part);
      return;
    }
    this.#options.paceOf(voice).learn(spoken.text.trim().length, spoken.audioMs);
    this.#reportWords(spoken.takeDelivered(true), part);
    this.#leave();
    this.#options.onEvent(event);
  }

  #onSilence(): void {
    if (this.#state.kind !== 'speaking') return;
    const { part } = this.#state;
    part.utterance.cancel();
    this.#failOver(new AgentStreamError('vendor-unreachable', { message: 'The voice gave no audio in time.' }), part);
  }

  #failOver(error: AgentStreamError, { voice, spoken, startMs }: Part): void {
    if (this.#state.kind !== 'speaking') return;
    const { round, paceOf, onEvent } = this.#options;
    const { isEnded } = this.#state;
    this.#watch.rest();
    if (!round.failOver(error)) {
      this.#leave();
      onEvent({ type: 'tts-failed', error });
      return;
    }
    const next = this.#startPart(startMs + spoken.audioMs);
    this.#state = { kind: 'speaking', part: next, isEnded };
    this.#give(next, spoken.undelivered(paceOf(voice)));
    if (isEnded && this.#isCurrent(next)) next.utterance.end();
  }

  #leave(): void {
    this.#state = { kind: 'over' };
    this.#watch.rest();
    this.#options.onOver(this);
  }
}
