import { toAgentStreamError } from '../base/errors.js';
import type { RealtimeModel, RealtimeSession } from './realtime-model.js';
import type { TextToSpeech, TextToSpeechEvent, TextToSpeechStream, Utterance } from './text-to-speech.js';

/** Speaks the words once they are complete. */
function openUtterance(session: RealtimeSession, onEvent: (event: TextToSpeechEvent) => void, ended: AbortSignal): Utterance {
  const cancelled = new AbortController();
  const signal = AbortSignal.any([cancelled.signal, ended]);
  let text = '';
  const speak = async () => {
    try {
      for await (const part of session.say(text, signal)) {
        if (signal.aborted) return;
        if (part.type === 'audio') onEvent({ type: 'audio', audio: part.audio });
      }
      if (!signal.aborted) onEvent({ type: 'tts-end' });
    } catch (error) {
      if (!signal.aborted) onEvent({ type: 'tts-failed', error: toAgentStreamError(error, 'vendor-failed') });
    }
  };
  return {
    push(more) {
      text += more;
    },
    end: () => void speak(),
    cancel: () => cancelled.abort(),
  };
}

/** A call's speech-to-speech model as the voice of its fixed words. It is open as long as the session is. */
export function createRealtimeVoice(model: RealtimeModel, session: RealtimeSession): TextToSpeech {
  const { spareCacheKeys } = model;
  return {
    get vendor() {
      return model.vendor;
    },
    get model() {
      return model.model;
    },
    get voice() {
      return model.voice;
    },
    // Another vendor's voice may take over during the call.
    get cacheKey() {
      return model.cacheKey;
    },
    ...(spareCacheKeys === undefined ? {} : { spareCacheKeys }),
    capabilities: { wordTimes: false },
    open({ signal }): TextToSpeechStream {
      const closed = new AbortController();
      const ended = AbortSignal.any([closed.signal, signal]);
      return { speak: (onEvent) => openUtterance(session, onEvent, ended), close: () => closed.abort() };
    },
  };
}
