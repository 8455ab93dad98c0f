import type { TextToSpeech } from '../text-to-speech.js';
import type { VendorContext, VendorLeg } from '../vendor.js';
import { openVoiceStream } from '../voice-stream.js';
import { createDeepgramVoiceProtocol } from './text-to-speech-protocol.js';
import { deepgramCacheKey, deepgramTextToSpeechSchema, speakUrl, type DeepgramTextToSpeechSettings } from './text-to-speech-settings.js';

function createDeepgramTextToSpeech(settings: DeepgramTextToSpeechSettings, context: VendorContext): TextToSpeech {
  const { apiKey, clock, lookup } = context;
  const headers: Record<string, string> = apiKey === undefined ? {} : { Authorization: `Token ${apiKey}` };
  const url = speakUrl(context.baseUrl, settings);
  return {
    vendor: 'deepgram',
    model: settings.model,
    voice: settings.model,
    cacheKey: deepgramCacheKey(settings),
    capabilities: { wordTimes: false },
    open: (options) => openVoiceStream({ url, headers, clock, lookup, createProtocol: createDeepgramVoiceProtocol }, options),
  };
}

/** Streaming text-to-speech with Aura voices (developers.deepgram.com/docs/streaming-text-to-speech). */
export const deepgramTextToSpeech: VendorLeg<TextToSpeech, DeepgramTextToSpeechSettings> = {
  settingsSchema: deepgramTextToSpeechSchema,
  create: createDeepgramTextToSpeech,
};
