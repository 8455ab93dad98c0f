import { mulawDurationMs } from '../../audio/frame.js';
import { AgentStreamError } from '../../base/errors.js';
import { asRecord, parseJsonRecord, type JsonRecord } from '../../base/json.js';
import { createContextSequence } from '../context-sequence.js';
import type { SpokenWord, VoiceMessage, VoiceProtocol } from '../voice-protocol.js';

/** Characters of one request (docs.rime.ai/api-reference). */
const MAX_CHARACTERS = 500;

const flushMessage = '{"operation":"flush"}';
const clearMessage = '{"operation":"clear"}';

/** The text that the vendor is speaking, under an id of its own: audio of a cleared one is on its way for a while. */
interface Segment {
  readonly id: string;
  readonly contextId: string;
  /** Where its audio starts in its context. */
  readonly startBytes: number;
  audioBytes: number;
}

function parseWords(timestamps: unknown, offsetMs: number): SpokenWord[] {
  const { words, start, end } = asRecord(timestamps);
  if (!Array.isArray(words) || !Array.isArray(start) || !Array.isArray(end)) return [];
  return words.flatMap((text: unknown, index) => {
    const startSeconds: unknown = start[index];
    const endSeconds: unknown = end[index];
    if (typeof text !== 'string' || typeof startSeconds !== 'number' || typeof endSeconds !== 'number') return [];
    return [{ text, startMs: offsetMs + startSeconds * 1000, endMs: offsetMs + endSeconds * 1000 }];
  });
}

/**
 * The protocol of one connection to Rime's JSON WebSocket (docs.rime.ai/api-reference/mistv3/websockets-json). The vendor keeps one
 * context id at a time, so one stretch of text is handed over and flushed, and `done` says that it was spoken.
 */
export function createRimeProtocol(hasWordTimes: boolean): VoiceProtocol {
  let segmentCount = 0;
  let segment: Segment | null = null;
  const sequence = createContextSequence(MAX_CHARACTERS, (text, contextId) => {
    segmentCount += 1;
    const startBytes = segment?.contextId === contextId ? segment.startBytes + segment.audioBytes : 0;
    segment = { id: `segment-${segmentCount}`, contextId, startBytes, audioBytes: 0 };
    return [JSON.stringify({ text, contextId: segment.id }), flushMessage];
  });

  function drop(contextId: string): string[] {
    const { wasCurrent, messages } = sequence.drop(contextId);
    return wasCurrent ? [clearMessage, ...messages] : messages;
  }

  function onChunk(current: Segment, message: JsonRecord): VoiceMessage[] {
    const audio = Buffer.from(typeof message['data'] === 'string' ? message['data'] : '', 'base64');
    current.audioBytes += audio.length;
    return [{ type: 'audio', contextId: current.contextId, audio }];
  }

  function onWords({ contextId, startBytes }: Segment, message: JsonRecord): VoiceMessage[] {
    if (!hasWordTimes) return [];
    return [{ type: 'words', contextId, words: parseWords(message['word_timestamps'], mulawDurationMs(startBytes)) }];
  }

  return {
    speak: (contextId, text) => (text === '' ? [] : sequence.add(contextId, text)),
    cancel: drop,
    parse(data) {
      const message = parseJsonRecord(data);
      if (message === null) return null;
      const contextId = sequence.current();
      if (contextId === null || segment?.contextId !== contextId) return [];
      // An error names no context; what is tagged belongs to the segment of that id.
      if (typeof message['contextId'] === 'string' && message['contextId'] !== segment.id) return [];
      switch (message['type']) {
        case 'chunk':
          return onChunk(segment, message);
        case 'timestamps':
          return onWords(segment, message);
        case 'done':
          return sequence.advance();
        case 'error':
          return [...drop(contextId), { type: 'error', contextId, error: new AgentStreamError('vendor-rejected') }];
        default:
          return [];
      }
    },
  };
}
