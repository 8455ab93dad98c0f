import type { TextToSpeech } from '../text-to-speech.js';
import type { VendorContext, VendorLeg } from '../vendor.js';
import { openVoiceStream } from '../voice-stream.js';
import { createElevenlabsProtocol } from './text-to-speech-protocol.js';
import {
  elevenlabsCacheKey,
  elevenlabsTextToSpeechSchema,
  multiStreamUrl,
  type ElevenlabsTextToSpeechSettings,
} from './text-to-speech-settings.js';

/** The vendor ends a context that gets no text for its inactivity timeout of 180 s. */
const CONTEXT_QUIET_MS = 170_000;

function createElevenlabsTextToSpeech(settings: ElevenlabsTextToSpeechSettings, context: VendorContext): TextToSpeech {
  const { apiKey, baseUrl, clock, lookup } = context;
  const headers: Record<string, string> = apiKey === undefined ? {} : { 'xi-api-key': apiKey };
  return {
    vendor: 'elevenlabs',
    model: settings.model,
    voice: settings.voice,
    cacheKey: elevenlabsCacheKey(settings),
    capabilities: { wordTimes: settings.word_times },
    open(options) {
      const url = multiStreamUrl(baseUrl, settings, options.language);
      const createProtocol = () => createElevenlabsProtocol(settings);
      return openVoiceStream({ url, headers, clock, lookup, contextQuietMs: CONTEXT_QUIET_MS, createProtocol }, options);
    },
  };
}

/** Streaming text-to-speech over one WebSocket with a context per reply. */
export const elevenlabsTextToSpeech: VendorLeg<TextToSpeech, ElevenlabsTextToSpeechSettings> = {
  settingsSchema: elevenlabsTextToSpeechSchema,
  create: createElevenlabsTextToSpeech,
};
