import type { AgentStreamError } from '../base/errors.js';

/** How a recogniser is opened for one call. Audio is always 8 kHz mu-law. */
export interface SpeechToTextOptions {
  /** BCP 47 tag, or `multi` where the vendor detects it. */
  readonly language: string;
  /** Words the recogniser should expect: names, products. */
  readonly keyterms: readonly string[];
  /** Ends the stream and frees its socket. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: SpeechToTextEvent) => void;
}

/** What a recogniser reports. Times are on its own audio clock: ms since the first pushed byte. */
export type SpeechToTextEvent =
  /** The vendor is connected and takes audio without queueing. */
  | { readonly type: 'stt-ready' }
  /** Revisable text of the current turn so far, replacing the former interim text. */
  | { readonly type: 'transcript-interim'; readonly text: string }
  /** Settled text of one segment. A turn may hold several. */
  | { readonly type: 'transcript-final'; readonly text: string; readonly startMs?: number; readonly endMs?: number }
  /** The vendor heard speech begin (only where `capabilities.speechEvents`). */
  | { readonly type: 'speech-start' }
  /** The vendor believes the turn may be over: work may begin that can be discarded. */
  | { readonly type: 'turn-pause' }
  /** The caller went on after `turn-pause`. */
  | { readonly type: 'turn-resumed' }
  /** The vendor decided that the turn is over (only where `capabilities.turnEvents`). */
  | { readonly type: 'turn-end' }
  /** The answer to `finalize`: everything pushed before it has been reported. */
  | { readonly type: 'finalized' }
  /** The stream is lost, once; no event follows. */
  | { readonly type: 'stt-failed'; readonly error: AgentStreamError };

/** One call's recogniser. Calls after the end are ignored. */
export interface SpeechToTextStream {
  /** 8 kHz mu-law, any length, copied before the call returns. Queued (bounded) until the vendor is ready. */
  push(audio: Uint8Array): void;
  /** Asks for what is still in the recogniser: the caller paused. Answered by finals, then `finalized`. */
  finalize(): void;
  close(): void;
}

/** A speech-to-text vendor with its settings. */
export interface SpeechToText {
  readonly vendor: string;
  readonly model: string;
  readonly capabilities: {
    readonly interimTranscripts: boolean;
    /** True: `speech-start` is sent; false: only local voice activity tells. */
    readonly speechEvents: boolean;
    /** True: the vendor sends `turn-end` and local endpointing stands back. */
    readonly turnEvents: boolean;
    /**
     * True: `finalize` is cheap, quick and harmless in the middle of a sentence, and may be called at every short silence; false: it costs a
     * request, ends the vendor's turn, or is limited in how often it may come.
     */
    readonly earlyFinalize: boolean;
    /** True: nothing is asked of the vendor before somebody speaks, each segment of speech being a request of its own. Default: false. */
    readonly asksBySegment?: boolean;
  };
  /** Opens at once and connects in the background; failures arrive as `stt-failed`, never thrown. */
  open(options: SpeechToTextOptions): SpeechToTextStream;
}
