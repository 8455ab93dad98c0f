import { randomUUID } from 'node:crypto';
import type { Clock } from '../base/clock.js';
import { createSpeechRequests, type SpeechRequests, type SpeechRequestWire } from './speech-requests.js';
import { createSpokenUtterance, type SpokenUtterance, type UtteranceWire } from './spoken-utterance.js';
import type { TextToSpeechEvent, TextToSpeechOptions, TextToSpeechStream } from './text-to-speech.js';

/** A sentence is answered from its beginning, which takes a model its time. */
const STALL_AFTER_MS = 6000;

/** Speaks one call's replies by requests; connections are the process's, kept alive between them. */
export function openRequestVoice(wire: SpeechRequestWire, clock: Clock, { signal }: Pick<TextToSpeechOptions, 'signal'>): TextToSpeechStream {
  const contexts = new Map<string, { readonly utterance: SpokenUtterance; readonly requests: SpeechRequests }>();
  let isOpen = !signal.aborted;

  function openContext(utterance: SpokenUtterance): string {
    const contextId = randomUUID();
    const requests = createSpeechRequests({
      wire,
      onAudio: (audio) => utterance.receive({ type: 'audio', contextId, audio }),
      onDry: () => utterance.receive({ type: 'done', contextId }),
      onFailed: (error) => utterance.receive({ type: 'error', contextId, error }),
    });
    contexts.set(contextId, { utterance, requests });
    return contextId;
  }

  function forget(contextId: string): void {
    contexts.get(contextId)?.requests.abort();
    contexts.delete(contextId);
  }

  function close(): void {
    isOpen = false;
    signal.removeEventListener('abort', close);
    for (const { utterance } of [...contexts.values()]) utterance.cancel();
  }

  if (isOpen) signal.addEventListener('abort', close, { once: true });
  return {
    speak(onEvent) {
      const utteranceWire: UtteranceWire = {
        openContext: () => openContext(utterance),
        speak(contextId, text) {
          if (isOpen) contexts.get(contextId)?.requests.push(text);
          return isOpen;
        },
        cancel: forget,
        forget,
        // The utterance forgets its contexts by itself, which ends their requests.
        abandon: () => undefined,
      };
      // One whose text pauses has no context, so that closing does not find it.
      const tell = (event: TextToSpeechEvent) => isOpen && onEvent(event);
      const utterance = createSpokenUtterance(clock, utteranceWire, tell, { stallAfterMs: STALL_AFTER_MS });
      return utterance;
    },
    close,
  };
}
