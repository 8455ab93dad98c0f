import { socketUrl } from '../../base/socket-url.js';
import type { TextToSpeech } from '../text-to-speech.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { createRequestWriter } from './messages.js';
import { cartesiaCacheKey, cartesiaSettingsSchema, type CartesiaSettings } from './settings.js';
import { openCartesiaStream } from './stream.js';

/** The API version whose message shapes are spoken here (docs.cartesia.ai/use-the-api/api-conventions). */
const API_VERSION = '2026-08-14';

function createCartesiaTextToSpeech(settings: CartesiaSettings, context: VendorContext): TextToSpeech {
  const headers: Record<string, string> = {
    'Cartesia-Version': API_VERSION,
    ...(context.apiKey === undefined ? {} : { Authorization: `Bearer ${context.apiKey}` }),
  };
  const url = socketUrl(context.baseUrl, '/tts/websocket').href;
  return {
    vendor: 'cartesia',
    model: settings.model,
    voice: settings.voice,
    cacheKey: cartesiaCacheKey(settings),
    capabilities: { wordTimes: settings.word_times },
    open(options) {
      const writeRequest = createRequestWriter(settings, options.language);
      return openCartesiaStream({ url, headers, clock: context.clock, lookup: context.lookup, writeRequest }, options);
    },
  };
}

const textToSpeech: VendorLeg<TextToSpeech, CartesiaSettings> = {
  settingsSchema: cartesiaSettingsSchema,
  create: createCartesiaTextToSpeech,
};

/** Cartesia: streaming text-to-speech over a WebSocket with contexts (docs.cartesia.ai/use-the-api/tts-websocket/contexts). */
export const cartesia: VendorModule = {
  name: 'cartesia',
  displayName: 'Cartesia',
  isSimulated: false,
  apiKeyEnv: 'CARTESIA_API_KEY',
  baseUrl: { env: 'CARTESIA_BASE_URL', default: 'wss://api.cartesia.ai' },
  tts: textToSpeech,
};
