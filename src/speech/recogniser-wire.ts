import type { AgentStreamError } from '../base/errors.js';

/** One word and when it ended, in ms of the connection's audio. */
export interface RecognisedWord {
  readonly text: string;
  readonly endMs: number;
}

/** What a vendor's message says, in the terms of all vendors. Times are ms of the connection's audio. */
export type Recognition =
  /** The vendor takes audio now (only where `isReadyOnOpen` is false). */
  | { readonly type: 'session-ready' }
  /** Revisable text since the last settled one. `words` let those survive that a lost connection can no longer be sent again. */
  | { readonly type: 'text-revised'; readonly text: string; readonly words?: readonly RecognisedWord[] }
  /** Text that will not change. Empty text is not reported, but covers its stretch. */
  | { readonly type: 'text-settled'; readonly text: string; readonly startMs: number; readonly endMs: number }
  /** Everything before is reported, though perhaps not settled yet: a finalize request up to there is answered. */
  | { readonly type: 'audio-covered'; readonly endMs: number }
  /** The explicit answer to a finalize message, which had heard everything before `endMs`. */
  | { readonly type: 'finalize-answered'; readonly endMs: number }
  | { readonly type: 'speech-start' | 'turn-pause' | 'turn-resumed' | 'turn-end' }
  /** The vendor reported an error: the connection is given up. */
  | { readonly type: 'session-failed'; readonly error: AgentStreamError }
  /** Nothing to do, but a sign that the recogniser works. */
  | { readonly type: 'unknown' }
  /** Nothing to do, and no such sign: the vendor only says that it got something. */
  | { readonly type: 'audio-received' };

/** One connection's way of saying things: made anew for each, so that it may count. */
export interface RecogniserCodec {
  /** First message; null: none. */
  readonly opening: string | null;
  /** The message that carries audio; may be a view that is valid during the call. `endMs`: the connection's audio with this batch. */
  audio(batch: Buffer, endMs: number): string | Buffer;
  /** Asks for what is still in the recogniser after `endMs` of audio; null: the vendor cannot be asked. */
  finalize(endMs: number): string | null;
  /** Last message; null: none. */
  close(): string | null;
  /** Reads a message; null for what is not of the protocol. Never throws. */
  parse(data: Buffer): readonly Recognition[] | null;
}

/**
 * When a vendor's silence is no longer believed. `owes`: what it always answers, with a message that is not `audio-received`.
 * - `speech`: loud audio, whatever it holds.
 * - `request`: every finalize message.
 * - `words`: a request that ends words. Noise may be asked for in vain, so a silent connection is replaced, but counts as no failure.
 */
export interface StallRule {
  readonly owes: 'speech' | 'request' | 'words';
  readonly afterMs: number;
}

/** How a vendor's recogniser is spoken with. */
export interface RecogniserWire {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Audio per message, in bytes of 8 kHz mu-law. */
  readonly batchBytes: number;
  /** Least audio per message: a remainder that is shorter waits for more. */
  readonly minBatchBytes: number;
  /** False: audio waits for `session-ready`. */
  readonly isReadyOnOpen: boolean;
  /** Sent when no audio went out for so long; null: the vendor needs none, or knows none. */
  readonly keepAlive: { readonly message: string; readonly afterMs: number } | null;
  readonly stall: StallRule;
  /** The meaning of a close frame (RFC 6455 §7.4, or the vendor's own code); null: the common one. */
  readonly closeError?: (code: number, reason: string) => AgentStreamError | null;
  readonly createCodec: () => RecogniserCodec;
}
