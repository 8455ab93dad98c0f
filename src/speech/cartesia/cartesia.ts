import { socketUrl } from '../../base/socket-url.js';
import type { TextToSpeech } from '../text-to-speech.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { openVoiceStream } from '../voice-stream.js';
import { createCartesiaProtocol } from './messages.js';
import { cartesiaCacheKey, cartesiaSettingsSchema, type CartesiaSettings } from './settings.js';

/** The API version whose message shapes are spoken here (docs.cartesia.ai/use-the-api/api-conventions). */
const API_VERSION = '2026-08-14';

/** The vendor ends a context a second after its last audio and refuses text for it from then on; less a message's way there. */
const CONTEXT_QUIET_MS = 900;

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
      const { clock, lookup } = context;
      const protocol = createCartesiaProtocol(settings, options.language);
      return openVoiceStream({ url, headers, clock, lookup, contextQuietMs: CONTEXT_QUIET_MS, createProtocol: () => protocol }, options);
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
