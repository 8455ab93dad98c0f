import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { asRecord, parseJsonRecord } from '../../base/json.js';
import { cartesiaLanguage, type CartesiaSettings } from './settings.js';

/** When one word is spoken, in milliseconds since the first sample of its context. */
export interface SpokenWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * A message of Cartesia's speech WebSocket (docs.cartesia.ai/api-reference/tts/websocket). `contextId` is null where the vendor
 * names none.
 */
export type SpeechMessage =
  | { readonly type: 'chunk'; readonly contextId: string | null; readonly audio: Buffer }
  | { readonly type: 'words'; readonly contextId: string | null; readonly words: readonly SpokenWord[] }
  | { readonly type: 'done'; readonly contextId: string | null }
  | { readonly type: 'error'; readonly contextId: string | null; readonly httpStatus: number }
  /** Flush marks, phonemes, and what may come. */
  | { readonly type: 'unknown' };

function parseWords(timestamps: unknown): SpokenWord[] {
  const { words, start, end } = asRecord(timestamps);
  if (!Array.isArray(words) || !Array.isArray(start) || !Array.isArray(end)) return [];
  return words.flatMap((text: unknown, index) => {
    const startSeconds: unknown = start[index];
    const endSeconds: unknown = end[index];
    if (typeof text !== 'string' || typeof startSeconds !== 'number' || typeof endSeconds !== 'number') return [];
    return [{ text, startMs: startSeconds * 1000, endMs: endSeconds * 1000 }];
  });
}

function decodeAudio(base64: unknown): Buffer {
  return Buffer.from(typeof base64 === 'string' ? base64 : '', 'base64');
}

/** Reads a message; null for what is not a JSON object. */
export function parseSpeechMessage(data: Buffer): SpeechMessage | null {
  const message = parseJsonRecord(data);
  if (message === null) return null;
  const contextId = typeof message['context_id'] === 'string' ? message['context_id'] : null;
  switch (message['type']) {
    case 'chunk':
      return { type: 'chunk', contextId, audio: decodeAudio(message['data']) };
    case 'timestamps':
      return { type: 'words', contextId, words: parseWords(message['word_timestamps']) };
    case 'done':
      return { type: 'done', contextId };
    case 'error':
      return { type: 'error', contextId, httpStatus: typeof message['status_code'] === 'number' ? message['status_code'] : 500 };
    default:
      return { type: 'unknown' };
  }
}

/** Writes one generation request; `isLast`: no more text will come for the context. */
export type WriteRequest = (contextId: string, transcript: string, isLast: boolean) => string;

/** Writes the requests of one call. Every request of a context must repeat the same fields besides its text. */
export function createRequestWriter(settings: CartesiaSettings, callLanguage: string): WriteRequest {
  const fields = JSON.stringify({
    model_id: settings.model,
    voice: { mode: 'id', id: settings.voice },
    language: cartesiaLanguage(settings, callLanguage),
    output_format: { container: 'raw', encoding: 'pcm_mulaw', sample_rate: SAMPLE_RATE_HZ },
    add_timestamps: settings.word_times,
    // Text arrives here in clauses and sentences already; the default would hold it back for up to 3 s.
    max_buffer_delay_ms: 0,
    ...(settings.speed === undefined ? {} : { generation_config: { speed: settings.speed } }),
  });
  const prefix = fields.slice(0, -1);
  return (contextId, transcript, isLast) =>
    `${prefix},"context_id":${JSON.stringify(contextId)},"continue":${!isLast},"transcript":${JSON.stringify(transcript)}}`;
}

/** Stops a context. */
export function cancelRequest(contextId: string): string {
  return JSON.stringify({ context_id: contextId, cancel: true });
}
