import type { AudioFormat } from '../audio/frame.js';
import type { ErrorCode } from '../base/errors.js';

/** Facts a provider states about the call in its start message. Identifiers are claims until the session is validated. */
export interface StreamStart {
  /** Identifies the media stream; echoed in everything we send. Cloudonix: `streamSid`. */
  readonly streamId: string;
  /** The id the provider's REST API knows the call by. Cloudonix: `start.session`, never `callSid`. */
  readonly sessionId: string;
  /** The provider's media call id, kept as context. Cloudonix: `start.callSid`. */
  readonly callId: string;
  /** The provider account or domain, as sent. Cloudonix: `start.accountSid`, a domain. */
  readonly account: string | undefined;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly direction: 'inbound' | 'outbound';
  readonly tracks: readonly string[];
  /** What the caller's audio is encoded in. */
  readonly inboundFormat: AudioFormat;
  /** What our audio must be encoded in. */
  readonly outboundFormat: AudioFormat;
  /** Custom parameters: flat, size-capped, without built-in or prototype keys. */
  readonly customParameters: Readonly<Record<string, string>>;
  /** Provider facts worth keeping on the run (`logs.inbound_webhook`), in snake_case. */
  readonly webhookLog: Readonly<Record<string, unknown>>;
}

/** Every message of a stream but media, which takes the hot path of {@link StreamReaderSink.onMedia}. */
export type StreamMessage =
  | { readonly type: 'connected' }
  | { readonly type: 'start'; readonly start: StreamStart }
  | { readonly type: 'dtmf'; readonly digit: string }
  | { readonly type: 'mark'; readonly name: string }
  | { readonly type: 'stop' }
  /** A message the dialect does not know: counted, logged once per name, ignored. */
  | { readonly type: 'unknown'; readonly name: string }
  /** A message that cannot be understood. `code` is the error to close with while the handshake lasts. */
  | { readonly type: 'malformed'; readonly code: ErrorCode; readonly problem: string };

/** Receives what a {@link StreamReader} finds. Callbacks are synchronous and must not throw. */
export interface StreamReaderSink {
  /**
   * One media message of the caller's track, undecoded.
   * `payload` is a view into a scratch buffer, valid during the callback only.
   * `sequence` counts media messages (NaN where the provider sends none); `timestampMs` is the provider's stream time (NaN if absent).
   */
  onMedia(payload: Uint8Array, sequence: number, timestampMs: number): void;
  onMessage(message: StreamMessage): void;
}

/** Parses one socket's messages. Pure but for its scratch buffer; never throws on what a peer sends. */
export interface StreamReader {
  read(message: Buffer, isBinary: boolean): void;
}

/** Serialises what we send on one stream. `null` where the provider has no such message. */
export interface StreamWriter {
  /** `audio`: whole frames in the stream's outbound format. */
  media(audio: Uint8Array): string | Buffer;
  mark(name: string): string | Buffer | null;
  /** Empties the provider's play-out buffer. */
  clear(): string | Buffer | null;
}

/** What a provider's stream can do, and what follows where it cannot. */
export interface DialectCapabilities {
  /** `unreliable`: marks may never be echoed; the play-out clock is the truth and an echo corrects it. */
  readonly marks: 'echoed' | 'unreliable' | 'none';
  /** False: barge-in can only stop feeding, so the lead must stay short. */
  readonly clear: boolean;
  readonly dtmfIn: boolean;
  readonly dtmfOut: 'stream' | 'rest' | 'none';
  /** Audio we may keep at the carrier beyond real time. */
  readonly maxLeadMs: number;
}

/** The wire format of one provider's media stream. A dialect is not a client: it does no I/O. */
export interface Dialect {
  readonly capabilities: DialectCapabilities;
  /** Messages that must arrive first, in this order, before media counts. */
  readonly handshake: readonly ('connected' | 'start')[];
  createReader(sink: StreamReaderSink): StreamReader;
  createWriter(start: StreamStart): StreamWriter;
}
