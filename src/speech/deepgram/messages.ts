import { asRecord, parseJsonRecord } from '../../base/json.js';

/**
 * A message of Deepgram's streaming API (developers.deepgram.com/reference/speech-to-text/listen-streaming).
 * Times are milliseconds since the first byte of the connection.
 */
export type ListenMessage =
  | {
      readonly type: 'results';
      readonly text: string;
      /** The text of this stretch will not change. */
      readonly isFinal: boolean;
      /** The stretch ends in the silence that `endpointing` asks for. */
      readonly isSpeechFinal: boolean;
      /** It answers a Finalize. */
      readonly isFromFinalize: boolean;
      readonly startMs: number;
      readonly endMs: number;
    }
  | { readonly type: 'error' }
  /** Metadata, speech events, and what may come: alive, and nothing to do. */
  | { readonly type: 'unknown' };

/** Keeps a connection open that gets no audio. Control messages are text frames; audio is binary frames. */
export const keepAliveMessage = '{"type":"KeepAlive"}';
/** Asks for what is still in the recogniser. */
export const finalizeMessage = '{"type":"Finalize"}';
/** Ends the stream in order. */
export const closeStreamMessage = '{"type":"CloseStream"}';

function toMs(seconds: unknown): number {
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
}

/** Reads a message; null for what is not a JSON object. */
export function parseListenMessage(data: Buffer): ListenMessage | null {
  const message = parseJsonRecord(data);
  if (message === null) return null;
  if (message['type'] === 'Error') return { type: 'error' };
  if (message['type'] !== 'Results') return { type: 'unknown' };
  const alternatives = asRecord(message['channel'])['alternatives'];
  const best = asRecord(Array.isArray(alternatives) ? alternatives[0] : undefined);
  const startMs = toMs(message['start']);
  return {
    type: 'results',
    text: typeof best['transcript'] === 'string' ? best['transcript'].trim() : '',
    isFinal: message['is_final'] === true,
    isSpeechFinal: message['speech_final'] === true,
    isFromFinalize: message['from_finalize'] === true,
    startMs,
    endMs: startMs + toMs(message['duration']),
  };
}
