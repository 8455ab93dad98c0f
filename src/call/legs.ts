import { AgentStreamError } from '../base/errors.js';
import type { ResolvedModels } from '../speech/models.js';
import { createRealtimeVoice } from '../speech/realtime-voice.js';
import type { SpeechToTextEvent, SpeechToTextOptions, SpeechToTextStream } from '../speech/speech-to-text.js';
import type { TextToSpeech, TextToSpeechStream } from '../speech/text-to-speech.js';
import { createSpokenResponder, createWrittenResponder, type Responder } from './responder.js';

/** Recogniser events kept until the call listens: it connects while the session is validated and has little to say. */
const MAX_EARLY_EVENTS = 16;

/** A call's open vendor connections: opened before the call is answered, so that connecting costs the caller nothing. */
export interface OpenLegs {
  readonly voice: TextToSpeechStream;
  /** What `voice` was opened from. */
  readonly voiceProduct: TextToSpeech;
  readonly recogniser: SpeechToTextStream;
  /** True: the recogniser decides when the caller's turn is over. */
  readonly hasVendorTurns: boolean;
  /** True: the recogniser may be asked for its words at every short silence. */
  readonly canFinalizeEarly: boolean;
  readonly responder: Responder;
  /** False: an answer that nobody may hear yet cannot be begun, since whoever gives it would remember it. */
  readonly canPrepare: boolean;
  /** The caller paused, and the answer is asked for in a moment: its connection, idle while the agent spoke, is opened meanwhile. */
  prewarm(): void;
  /** Takes over the recogniser's events, those that came already first. */
  listen(onEvent: (event: SpeechToTextEvent) => void): void;
  /** Closes everything. Idempotent. */
  close(): void;
}

type Connections = Omit<OpenLegs, 'listen' | 'close'>;

function connect(models: ResolvedModels, options: SpeechToTextOptions): Connections {
  const { language, signal } = options;
  if (models.kind === 'cascaded') {
    const { llm, stt, tts } = models;
    llm.prewarm?.();
    return {
      voice: tts.open({ language, signal }),
      voiceProduct: tts,
      recogniser: stt.open(options),
      hasVendorTurns: stt.capabilities.turnEvents,
      canFinalizeEarly: stt.capabilities.earlyFinalize && !stt.capabilities.turnEvents,
      responder: createWrittenResponder(llm),
      canPrepare: true,
      prewarm: () => llm.prewarm?.(),
    };
  }
  const { realtime, tts } = models;
  const session = realtime.open(options);
  const voiceProduct = tts ?? createRealtimeVoice(realtime, session);
  return {
    voice: voiceProduct.open({ language, signal }),
    voiceProduct,
    recogniser: session.recogniser,
    hasVendorTurns: realtime.capabilities.turnEvents,
    canFinalizeEarly: false,
    responder: createSpokenResponder(session),
    canPrepare: false,
    prewarm: () => undefined,
  };
}

/** Opens the connections of one call; they connect in the background. */
export function openLegs(models: ResolvedModels, options: { language: string; keyterms: readonly string[] }): OpenLegs {
  const controller = new AbortController();
  const early: SpeechToTextEvent[] = [];
  let deliver = (event: SpeechToTextEvent) => {
    if (early.length < MAX_EARLY_EVENTS) early.push(event);
  };
  const connections = connect(models, { ...options, signal: controller.signal, onEvent: (event) => deliver(event) });
  return {
    ...connections,
    listen(onEvent) {
      deliver = onEvent;
      for (const event of early.splice(0)) onEvent(event);
    },
    close() {
      deliver = () => undefined;
      connections.recogniser.close();
      connections.voice.close();
      controller.abort(new AgentStreamError('run-not-live', { message: 'The call has ended' }));
    },
  };
}
