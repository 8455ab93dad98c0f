import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { vendorStatusError } from '../../base/http-status.js';
import { asRecord, parseJsonRecord } from '../../base/json.js';
import type { SpokenWord, VoiceMessage, VoiceProtocol } from '../voice-protocol.js';
import { cartesiaLanguage, type CartesiaSettings } from './settings.js';

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

/**
 * Reads a message of Cartesia's speech WebSocket (docs.cartesia.ai/api-reference/tts/websocket); null for what is not a JSON object.
 * An error without a context concerns all. Flush marks, phonemes and what may come need no action.
 */
export function parseSpeechMessage(data: Buffer): readonly VoiceMessage[] | null {
  const message = parseJsonRecord(data);
  if (message === null) return null;
  const contextId = typeof message['context_id'] === 'string' ? message['context_id'] : null;
  if (message['type'] === 'error') {
    const httpStatus = typeof message['status_code'] === 'number' ? message['status_code'] : 500;
    return [{ type: 'error', contextId, error: vendorStatusError(httpStatus) }];
  }
  if (contextId === null) return [];
  switch (message['type']) {
    case 'chunk':
      return [{ type: 'audio', contextId, audio: decodeAudio(message['data']) }];
    case 'timestamps':
      return [{ type: 'words', contextId, words: parseWords(message['word_timestamps']) }];
    case 'done':
      return [{ type: 'done', contextId }];
    default:
      return [];
  }
}

/** The protocol of one call's connections. Every request of a context must repeat the same fields besides its text. */
export function createCartesiaProtocol(settings: CartesiaSettings, callLanguage: string): VoiceProtocol {
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
  return {
    speak: (contextId, transcript, isLast) => [
      `${prefix},"context_id":${JSON.stringify(contextId)},"continue":${!isLast},"transcript":${JSON.stringify(transcript)}}`,
    ],
    cancel: (contextId) => [JSON.stringify({ context_id: contextId, cancel: true })],
    parse: parseSpeechMessage,
  };
}
