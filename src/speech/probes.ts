import { keyTones } from '../audio/key-tones.js';
import { MULAW_SILENCE, SAMPLE_RATE_HZ } from '../audio/frame.js';
import { AgentStreamError } from '../base/errors.js';
import type { LanguageModel } from './language-model.js';
import { streamModelPass } from './model-pass.js';
import type { RealtimeModel } from './realtime-model.js';
import type { SpeechToText } from './speech-to-text.js';
import type { TextToSpeech } from './text-to-speech.js';
import type { Leg } from './vendor.js';

/** What the legs of an agent are made into, by leg. */
export interface LegProducts {
  readonly stt: SpeechToText;
  readonly llm: LanguageModel;
  readonly tts: TextToSpeech;
  readonly realtime: RealtimeModel;
}

/**
 * Finds out whether a vendor serves a leg, with the least it can be asked.
 * `onAnswer` runs once, with the vendor's first answer.
 * @throws AgentStreamError `vendor-*`; the signal's reason on abort
 */
export type Probe<Product> = (product: Product, signal: AbortSignal, onAnswer?: () => void) => Promise<void>;

/** What a recogniser is probed with, 8 kHz mu-law: as little as makes it answer. */
const silence = Buffer.alloc(SAMPLE_RATE_HZ / 10, MULAW_SILENCE);
/** Loud enough to be taken for speech: 600 ms of a phone's keys. */
const sound = keyTones('159');

/** The smallest thing a model can be asked. */
const smallestRequest = { messages: [{ role: 'user', text: 'Hi' }], tools: [], maxOutputTokens: 16 } as const;

/** What a voice is probed with. */
const PROBE_TEXT = 'Hello.';

/**
 * A recogniser takes audio and, where it answers requests for its text, answers one: some look at the key after they are connected. One that
 * asks by segment answers once it has written down a sound: before, it has only shown that somebody is there.
 */
async function probeSpeechToText(recogniser: SpeechToText, signal: AbortSignal, onAnswer?: () => void): Promise<void> {
  const { asksBySegment = false } = recogniser.capabilities;
  let close = () => undefined as void;
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      let isReady = false;
      const stream = recogniser.open({
        language: 'en',
        keyterms: [],
        signal,
        onEvent(event) {
          if (event.type === 'stt-failed') reject(event.error);
          else if (event.type === 'finalized') {
            if (asksBySegment) onAnswer?.();
            resolve();
          }
          else if (event.type === 'stt-ready' && !isReady) {
            isReady = true;
            if (!asksBySegment) onAnswer?.();
            stream.push(asksBySegment ? sound : silence);
            stream.finalize();
          }
        },
      });
      close = () => stream.close();
    });
  } finally {
    close();
  }
}

/** A model begins an answer. */
async function probeLanguageModel(model: LanguageModel, signal: AbortSignal, onAnswer?: () => void): Promise<void> {
  const parts = streamModelPass(model, { ...smallestRequest, signal });
  try {
    await parts.next();
    onAnswer?.();
  } finally {
    await parts.return(undefined);
  }
}

/** A voice begins to speak. */
async function probeTextToSpeech(voice: TextToSpeech, signal: AbortSignal, onAnswer?: () => void): Promise<void> {
  const stream = voice.open({ language: 'en', signal });
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      const utterance = stream.speak((event) => {
        if (event.type === 'audio') resolve();
        else if (event.type === 'tts-failed') reject(event.error);
        else if (event.type === 'tts-end') reject(new AgentStreamError('vendor-protocol'));
      });
      utterance.push(PROBE_TEXT);
      utterance.end();
    });
    onAnswer?.();
  } finally {
    stream.close();
  }
}

/** A speech-to-speech model sets a session up: it is asked nothing, since each answer of such a model costs more than the test is worth. */
async function probeRealtime(model: RealtimeModel, signal: AbortSignal, onAnswer?: () => void): Promise<void> {
  let close = () => undefined as void;
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      const session = model.open({
        language: 'en',
        keyterms: [],
        signal,
        onEvent(event) {
          if (event.type === 'stt-failed') reject(event.error);
          else if (event.type === 'stt-ready') resolve();
        },
      });
      close = () => session.close();
    });
    onAnswer?.();
  } finally {
    close();
  }
}

/** How each leg is probed. */
export const probes: { readonly [L in Leg]: Probe<LegProducts[L]> } = {
  stt: probeSpeechToText,
  llm: probeLanguageModel,
  tts: probeTextToSpeech,
  realtime: probeRealtime,
};
