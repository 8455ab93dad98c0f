import { AgentStreamError } from '../base/errors.js';
import type { ResolvedModels } from '../speech/models.js';
import type { SpeechToTextEvent, SpeechToTextStream } from '../speech/speech-to-text.js';
import type { TextToSpeechStream } from '../speech/text-to-speech.js';

/** Recogniser events kept until the call listens: it connects while the session is validated and has little to say. */
const MAX_EARLY_EVENTS = 16;

/** A call's open vendor connections: opened before the call is answered, so that connecting costs the caller nothing. */
export interface OpenLegs {
  readonly voice: TextToSpeechStream;
  readonly recogniser: SpeechToTextStream;
  /** Takes over the recogniser's events, those that came already first. */
  listen(onEvent: (event: SpeechToTextEvent) => void): void;
  /** Closes both. Idempotent. */
  close(): void;
}

/** Opens the connections of one call; they connect in the background. */
export function openLegs(models: ResolvedModels, options: { language: string; keyterms: readonly string[] }): OpenLegs {
  const controller = new AbortController();
  const { signal } = controller;
  const early: SpeechToTextEvent[] = [];
  let deliver = (event: SpeechToTextEvent) => {
    if (early.length < MAX_EARLY_EVENTS) early.push(event);
  };
  models.llm.prewarm?.();
  const voice = models.tts.open({ language: options.language, signal });
  const recogniser = models.stt.open({ ...options, signal, onEvent: (event) => deliver(event) });
  return {
    voice,
    recogniser,
    listen(onEvent) {
      deliver = onEvent;
      for (const event of early.splice(0)) onEvent(event);
    },
    close() {
      deliver = () => undefined;
      recogniser.close();
      voice.close();
      controller.abort(new AgentStreamError('run-not-live', { message: 'The call has ended' }));
    },
  };
}
