import type { AgentStreamError } from '../base/errors.js';

/** What a voice reports about one utterance. */
export type TextToSpeechEvent =
  /** 8 kHz mu-law, any length; valid during the callback only. */
  | { readonly type: 'audio'; readonly audio: Uint8Array }
  /** When words are spoken, ms from the utterance's first sample (only where `capabilities.wordTimes`). */
  | { readonly type: 'words'; readonly words: readonly { readonly text: string; readonly startMs: number; readonly endMs: number }[] }
  /** All audio has been delivered; no event follows. */
  | { readonly type: 'tts-end' }
  /** The utterance is lost; no event follows. */
  | { readonly type: 'tts-failed'; readonly error: AgentStreamError };

/** One reply being spoken: text streams in, audio streams out. */
export interface Utterance {
  /** A clause or sentence, with its spaces. */
  push(text: string): void;
  /** No more text will come. */
  end(): void;
  /** Stops at once; no event follows. */
  cancel(): void;
}

/** One call's connection to a voice, kept warm between utterances. */
export interface TextToSpeechStream {
  speak(onEvent: (event: TextToSpeechEvent) => void): Utterance;
  close(): void;
}

/** How a voice is opened for one call. */
export interface TextToSpeechOptions {
  /** BCP 47 tag of what will be said; a voice whose settings name a language keeps to that. */
  readonly language: string;
  /** Ends the stream and frees its socket. */
  readonly signal: AbortSignal;
}

/** A text-to-speech vendor with its settings. */
export interface TextToSpeech {
  readonly vendor: string;
  readonly model: string;
  readonly voice: string;
  /**
   * Identifies voice and settings, so that fixed phrases can be cached: within one {@link TextToSpeechOptions.language}, equal keys and
   * texts give equal audio. The language is the cache's to add, since it is chosen only when the voice is opened.
   */
  readonly cacheKey: string;
  /** Keys of other voices whose cached phrases are better than silence, best first. Where absent there are none. */
  readonly spareCacheKeys?: readonly string[];
  readonly capabilities: { readonly wordTimes: boolean };
  /** Opens at once and connects in the background; a failure fails each utterance, never throws. */
  open(options: TextToSpeechOptions): TextToSpeechStream;
}
