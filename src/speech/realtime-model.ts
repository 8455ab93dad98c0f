import type { LanguageModelPart, LanguageModelRequest } from './language-model.js';
import type { SpeechToTextOptions, SpeechToTextStream } from './speech-to-text.js';

/**
 * What a speech-to-speech model streams: a language model's parts, the text being the transcript of what it says, and the speech itself.
 * `audio` is 8 kHz mu-law of any length, valid until the next part is asked for. Ends with exactly one `finish`, or the iteration throws.
 */
export type RealtimePart = LanguageModelPart | { readonly type: 'audio'; readonly audio: Uint8Array };

/** One answer of a speech-to-speech model, as part of its conversation. */
export interface RealtimeResponse {
  /**
   * To be read once. Nothing is asked of the vendor before the first part is.
   * @throws AgentStreamError `vendor-*` from the iteration; the signal's reason on abort.
   */
  readonly parts: AsyncIterable<RealtimePart>;
  /**
   * Says how much of it the caller heard, once it is over or given up: the vendor's memory keeps no more. `heardMs` is time of the
   * response's own audio, Infinity for all of it. Never throws.
   */
  settle(heardMs: number): void;
}

/** One call's connection to a speech-to-speech model: it hears, remembers, and speaks when it is asked to. */
export interface RealtimeSession {
  /**
   * Its ears: audio goes in, the transcript of the caller comes out, and where `capabilities.turnEvents` the end of the caller's turns. The
   * vendor itself answers nothing on its own. `stt-failed` means that the session as a whole is lost.
   */
  readonly recogniser: SpeechToTextStream;
  /**
   * Answers the conversation. `messages` is all of it; the session puts into the vendor's memory what that does not hold yet: notes,
   * results of functions, and everything where the vendor was connected to anew. What the caller said it has heard itself. System message
   * and tools count for this response alone. A response that was asked for before must be read to its end or aborted.
   */
  respond(request: LanguageModelRequest): RealtimeResponse;
  /**
   * Speaks exactly these words in the model's voice, apart from the conversation.
   * @throws AgentStreamError `vendor-*` from the iteration; the signal's reason on abort.
   */
  say(text: string, signal: AbortSignal): AsyncIterable<RealtimePart>;
  /** The caller heard the agent say words that no response holds, such as a fixed greeting: the vendor's memory takes them up. */
  noteSaid(text: string): void;
  /** Ends the session; idempotent, and no event follows. */
  close(): void;
}

/** How a session is opened for one call. */
export interface RealtimeOptions extends SpeechToTextOptions {
  /** The call is under way, and the vendor has heard nothing of it: it is told the conversation in words. Default: false. */
  readonly isUnderWay?: boolean;
  /** Another vendor takes the call over where this one is lost: a lost connection is opened anew once only. Default: false. */
  readonly hasSpare?: boolean;
}

/** A speech-to-speech vendor with its settings: speech-to-text, end of turn, language model and voice at once. */
export interface RealtimeModel {
  readonly vendor: string;
  readonly model: string;
  readonly voice: string;
  /** Identifies the voice, so that fixed phrases can be cached: as `cacheKey` of a text-to-speech vendor. */
  readonly cacheKey: string;
  /** As `spareCacheKeys` of a text-to-speech vendor. Where absent there are none. */
  readonly spareCacheKeys?: readonly string[];
  readonly capabilities: {
    /** True: the vendor sends `turn-end` and local endpointing stands back. */
    readonly turnEvents: boolean;
  };
  /** Opens at once and connects in the background; failures arrive as `stt-failed` and fail each response, never thrown. */
  open(options: RealtimeOptions): RealtimeSession;
}
