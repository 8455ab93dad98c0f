import type { VendorModule } from '../vendor.js';
import { elevenlabsTextToSpeech } from './text-to-speech.js';

/** ElevenLabs (elevenlabs.io/docs/api-reference). */
export const elevenlabs: VendorModule = {
  name: 'elevenlabs',
  displayName: 'ElevenLabs',
  isSimulated: false,
  apiKeyEnv: 'ELEVENLABS_API_KEY',
  baseUrl: { env: 'ELEVENLABS_BASE_URL', default: 'wss://api.elevenlabs.io' },
  tts: elevenlabsTextToSpeech,
};
