import { randomUUID } from 'node:crypto';
import { endpointUrl } from '../ai-sdk/endpoint-url.js';
import { createSpokenUtterance, type SpokenUtterance, type UtteranceWire } from '../spoken-utterance.js';
import type { TextToSpeech, TextToSpeechOptions, TextToSpeechStream } from '../text-to-speech.js';
import type { VendorContext, VendorLeg } from '../vendor.js';
import { createSpeechRequests, type SpeechRequests } from './text-to-speech-requests.js';
import { openaiTextToSpeechSchema, openaiVoiceCacheKey, speechRequestBody, type OpenaiTextToSpeechSettings } from './text-to-speech-settings.js';

/** A sentence is answered from its beginning, which takes a model its time. */
const STALL_AFTER_MS = 6000;

/** What a call's voice asks and where. */
interface SpeechTarget {
  readonly url: string;
  readonly settings: OpenaiTextToSpeechSettings;
  readonly context: VendorContext;
}

/** Speaks one call's replies by requests; connections are the process's, kept alive between them. */
function openRequestStream({ url, settings, context }: SpeechTarget, { signal }: Pick<TextToSpeechOptions, 'signal'>): TextToSpeechStream {
  const { apiKey, clock, fetch } = context;
  const contexts = new Map<string, { readonly utterance: SpokenUtterance; readonly requests: SpeechRequests }>();
  const headers = { 'Content-Type': 'application/json', ...(apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` }) };
  const ask = (input: string, requestSignal: AbortSignal) => fetch(url, { method: 'POST', headers, body: speechRequestBody(settings, input), signal: requestSignal });
  let isOpen = !signal.aborted;

  function openContext(utterance: SpokenUtterance): string {
    const contextId = randomUUID();
    const requests = createSpeechRequests({
      ask,
      sampleRateHz: settings.sample_rate_hz,
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
      const wire: UtteranceWire = {
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
      const utterance = createSpokenUtterance(clock, wire, onEvent, { stallAfterMs: STALL_AFTER_MS });
      return utterance;
    },
    close,
  };
}

function createOpenaiTextToSpeech(settings: OpenaiTextToSpeechSettings, context: VendorContext): TextToSpeech {
  const url = `${endpointUrl(context.baseUrl, '/v1')}/audio/speech`;
  return {
    vendor: 'openai',
    model: settings.model,
    voice: settings.voice,
    cacheKey: openaiVoiceCacheKey(url, settings),
    capabilities: { wordTimes: false },
    open: (options) => openRequestStream({ url, settings, context }, options),
  };
}

/** Text-to-speech of OpenAI and of servers with its speech API, such as Kokoro-FastAPI and speaches. */
export const openaiTextToSpeech: VendorLeg<TextToSpeech, OpenaiTextToSpeechSettings> = {
  settingsSchema: openaiTextToSpeechSchema,
  create: createOpenaiTextToSpeech,
};
