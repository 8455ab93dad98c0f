import type { TextToSpeech } from '../text-to-speech.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { openVoiceStream } from '../voice-stream.js';
import { createRimeProtocol } from './protocol.js';
import { rimeCacheKey, rimeSettingsSchema, rimeUrl, type RimeSettings } from './settings.js';

function createRimeTextToSpeech(settings: RimeSettings, context: VendorContext): TextToSpeech {
  const { apiKey, baseUrl, clock, lookup } = context;
  const headers: Record<string, string> = apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` };
  return {
    vendor: 'rime',
    model: settings.model,
    voice: settings.voice,
    cacheKey: rimeCacheKey(settings),
    capabilities: { wordTimes: settings.word_times },
    open(options) {
      const url = rimeUrl(baseUrl, settings, options.language);
      return openVoiceStream({ url, headers, clock, lookup, createProtocol: () => createRimeProtocol(settings.word_times) }, options);
    },
  };
}

const textToSpeech: VendorLeg<TextToSpeech, RimeSettings> = { settingsSchema: rimeSettingsSchema, create: createRimeTextToSpeech };

/** Rime: streaming text-to-speech over a WebSocket (docs.rime.ai/docs/websockets). */
export const rime: VendorModule = {
  name: 'rime',
  displayName: 'Rime',
  isSimulated: false,
  apiKeyEnv: 'RIME_API_KEY',
  baseUrl: { env: 'RIME_BASE_URL', default: 'wss://users-ws.rime.ai' },
  tts: textToSpeech,
};
