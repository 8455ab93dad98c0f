import type { AgentStreamError } from '../base/errors.js';
import type { SocketEnd } from '../base/socket-client.js';

/** When one word is spoken, in milliseconds since the first sample of its context. */
export interface SpokenWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** What a vendor says about a context: a stretch of speech under an id of ours. */
export type VoiceMessage =
  /** 8 kHz mu-law, any length. */
  | { readonly type: 'audio'; readonly contextId: string; readonly audio: Buffer }
  | { readonly type: 'words'; readonly contextId: string; readonly words: readonly SpokenWord[] }
  /** All text of the context was spoken; it takes no more. */
  | { readonly type: 'done'; readonly contextId: string }
  /** `contextId` null: it concerns every context of the connection. */
  | { readonly type: 'error'; readonly contextId: string | null; readonly error: AgentStreamError };

/**
 * How a vendor's speech WebSocket is spoken: no I/O, one for each connection. Contexts are named by the caller; the first text for an
 * id opens it.
 */
export interface VoiceProtocol {
  /** Messages that hand over `text`, which is empty only with `isLast`: no more text will come for the context. */
  speak(contextId: string, text: string, isLast: boolean): readonly string[];
  /** Messages that stop a context. */
  cancel(contextId: string): readonly string[];
  /** What a message says, in order, and as strings what it is to be answered with; nothing for what needs no action. Null: unreadable. */
  parse(data: Buffer, isBinary: boolean): readonly (VoiceMessage | string)[] | null;
  /** What a close frame means for the utterances that are under way. Default: `vendor-unreachable`. */
  errorOfClose?(end: SocketEnd): AgentStreamError;
}
