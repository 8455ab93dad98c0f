import type { VendorModule } from '../vendor.js';
import { elevenlabsSpeechToText } from './speech-to-text.js';
import { elevenlabsTextToSpeech } from './text-to-speech.js';

/** ElevenLabs: voices and Scribe, a recogniser (elevenlabs.io/docs/api-reference). */
export const elevenlabs: VendorModule = {
  name: 'elevenlabs',
  displayName: 'ElevenLabs',
  isSimulated: false,
  apiKeyEnv: 'ELEVENLABS_API_KEY',
  baseUrl: { env: 'ELEVENLABS_BASE_URL', default: 'wss://api.elevenlabs.io' },
  stt: elevenlabsSpeechToText,
  tts: elevenlabsTextToSpeech,
};
