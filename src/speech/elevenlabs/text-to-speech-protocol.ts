import { mulawDurationMs } from '../../audio/frame.js';
import { AgentStreamError, type ErrorCode } from '../../base/errors.js';
import { parseJsonRecord, type JsonRecord } from '../../base/json.js';
import type { VoiceMessage, VoiceProtocol } from '../voice-protocol.js';
import type { ElevenlabsTextToSpeechSettings } from './text-to-speech-settings.js';
import { createWordReader, type WordReader } from './text-to-speech-words.js';

/** WebSocket policy violation: how the vendor ends a connection after an error message. */
const POLICY_VIOLATION = 1008;

/** A context that the vendor knows. */
interface Context {
  readonly words: WordReader;
  audioBytes: number;
}

/**
 * What the name of an error means (elevenlabs.io/docs/resources/errors). A connection that waited too long for text is not at fault:
 * it may be opened again.
 */
function codeOfName(name: string): ErrorCode {
  if (/timeout|internal|unavailable/.test(name)) return 'vendor-unreachable';
  if (/api_key|unauthori[sz]ed|permission|sign_in|authentication/.test(name)) return 'vendor-unauthorized';
  if (/rate_limit|too_many|concurren|busy/.test(name)) return 'vendor-rate-limited';
  return 'vendor-rejected';
}

/** The vendor's names for errors are words with underscores: anything else is not repeated. */
function toError(name: unknown): AgentStreamError {
  const vendorError = typeof name === 'string' && /^[a-z0-9_]{1,60}$/.test(name) ? name : 'unknown';
  return new AgentStreamError(codeOfName(vendorError), { details: { vendorError } });
}

function voiceSettings(settings: ElevenlabsTextToSpeechSettings): Record<string, number> {
  const { stability, similarity_boost, speed } = settings;
  const given = Object.entries({ stability, similarity_boost, speed }).filter((entry): entry is [string, number] => entry[1] !== undefined);
  return Object.fromEntries(given);
}

const audioOf = ({ audio }: JsonRecord): Buffer => Buffer.from(typeof audio === 'string' ? audio : '', 'base64');

/**
 * The protocol of one connection to the multi-context WebSocket. A context begins with a space and its voice settings, which may not
 * come later; every text is flushed, since it is a clause or a sentence; closing a context ends it with `isFinal` once what was
 * flushed has been spoken.
 */
export function createElevenlabsProtocol(settings: ElevenlabsTextToSpeechSettings): VoiceProtocol {
  const contexts = new Map<string, Context>();
  const voice = voiceSettings(settings);
  let lastError: AgentStreamError | null = null;

  const closeContext = (contextId: string) => JSON.stringify({ context_id: contextId, close_context: true });

  function openContext(contextId: string): string[] {
    if (contexts.has(contextId)) return [];
    contexts.set(contextId, { words: createWordReader(), audioBytes: 0 });
    return [JSON.stringify({ text: ' ', context_id: contextId, ...(Object.keys(voice).length === 0 ? {} : { voice_settings: voice }) })];
  }

  function wordsOf(contextId: string, message: JsonRecord, context: Context): VoiceMessage[] {
    if (!settings.word_times) return [];
    const startMs = mulawDurationMs(context.audioBytes);
    const words = context.words.read(message['alignment'] ?? message['normalizedAlignment'], startMs);
    return words.length === 0 ? [] : [{ type: 'words', contextId, words }];
  }

  function onAudio(contextId: string, message: JsonRecord): VoiceMessage[] {
    const audio = audioOf(message);
    const context = contexts.get(contextId);
    // What a cancelled context still brings.
    if (context === undefined) return [];
    const words = wordsOf(contextId, message, context);
    context.audioBytes += audio.length;
    return [{ type: 'audio', contextId, audio }, ...words];
  }

  function onFinal(contextId: string): VoiceMessage[] {
    const last = contexts.get(contextId)?.words.flush() ?? [];
    contexts.delete(contextId);
    return [...(last.length === 0 ? [] : [{ type: 'words' as const, contextId, words: last }]), { type: 'done', contextId }];
  }

  return {
    speak(contextId, text, isLast) {
      if (isLast) return [closeContext(contextId)];
      return [...openContext(contextId), JSON.stringify({ text: `${text.trimEnd()} `, context_id: contextId, flush: true })];
    },
    cancel(contextId) {
      contexts.delete(contextId);
      return [closeContext(contextId)];
    },
    parse(data) {
      const message = parseJsonRecord(data);
      if (message === null) return null;
      const contextId = typeof message['contextId'] === 'string' ? message['contextId'] : null;
      if (message['error'] !== undefined && message['error'] !== null) {
        lastError = toError(message['error']);
        return [{ type: 'error', contextId, error: lastError }];
      }
      if (contextId === null) return [];
      const spoken = typeof message['audio'] === 'string' ? onAudio(contextId, message) : [];
      const isFinal = message['isFinal'] === true || message['is_final'] === true;
      return isFinal ? [...spoken, ...onFinal(contextId)] : spoken;
    },
    errorOfClose(end) {
      if (lastError !== null) return lastError;
      const code = end.code === POLICY_VIOLATION ? 'vendor-rejected' : 'vendor-unreachable';
      return new AgentStreamError(code, { details: { closeCode: end.code } });
    },
  };
}
