import { AgentStreamError } from '../../base/errors.js';
import { parseJsonRecord, type JsonRecord } from '../../base/json.js';
import { createContextSequence } from '../context-sequence.js';
import type { VoiceMessage, VoiceProtocol } from '../voice-protocol.js';

/** Characters that one message may hold (developers.deepgram.com/docs/tts-ws-flush and its limits). */
const MAX_CHARACTERS = 2000;
/** WebSocket policy violation: the request was refused, which does not get better by trying again. */
const POLICY_VIOLATION = 1008;

const flushMessage = '{"type":"Flush"}';
const clearMessage = '{"type":"Clear"}';

const isLimit = ({ code, description }: JsonRecord): boolean => /exceed|limit/i.test(`${String(code)} ${String(description)}`);

/**
 * The protocol of one connection to Aura. The vendor knows no contexts: one stretch of text at a time is handed over and flushed, and
 * `Flushed` says that it was spoken. So texts that come faster than they are spoken share a flush, of which 20 a minute are allowed.
 * Audio between a `Clear` and its `Cleared` is what is left of a cancelled context.
 */
export function createDeepgramVoiceProtocol(): VoiceProtocol {
  const sequence = createContextSequence(MAX_CHARACTERS, (text) => [JSON.stringify({ type: 'Speak', text }), flushMessage]);
  let pendingClears = 0;

  function drop(contextId: string): string[] {
    const { wasCurrent, messages } = sequence.drop(contextId);
    if (!wasCurrent) return messages;
    pendingClears += 1;
    return [clearMessage, ...messages];
  }

  function failCurrent(error: AgentStreamError): (VoiceMessage | string)[] {
    const contextId = sequence.current();
    return contextId === null ? [] : [...drop(contextId), { type: 'error', contextId, error }];
  }

  function onAudio(audio: Buffer): VoiceMessage[] {
    const contextId = sequence.current();
    return pendingClears > 0 || contextId === null ? [] : [{ type: 'audio', contextId, audio }];
  }

  return {
    speak: (contextId, text) => (text === '' ? [] : sequence.add(contextId, text)),
    cancel: drop,
    parse(data, isBinary) {
      if (isBinary) return onAudio(data);
      const message = parseJsonRecord(data);
      if (message === null) return null;
      switch (message['type']) {
        case 'Flushed':
          return pendingClears > 0 ? [] : sequence.advance();
        case 'Cleared':
          pendingClears = Math.max(0, pendingClears - 1);
          return [];
        case 'Warning':
          return isLimit(message) ? failCurrent(new AgentStreamError('vendor-rate-limited')) : [];
        case 'Error':
          return [{ type: 'error', contextId: null, error: new AgentStreamError('vendor-rejected') }];
        default:
          return [];
      }
    },
    errorOfClose(end) {
      const code = end.code === POLICY_VIOLATION ? 'vendor-rejected' : 'vendor-unreachable';
      return new AgentStreamError(code, { details: { closeCode: end.code } });
    },
  };
}
