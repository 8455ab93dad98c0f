import { endpointUrl } from '../ai-sdk/endpoint-url.js';
import { openRequestVoice } from '../request-voice.js';
import { audioBytesOf, type SpeechRequestWire } from '../speech-requests.js';
import type { TextToSpeech } from '../text-to-speech.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { azureSettingsSchema, type AzureSettings } from './settings.js';
import { ssmlOf } from './ssml.js';

/** An answer holds no more than 10 minutes of speech; this is a fraction of it, and enough for any sentence. */
const MAX_CHARACTERS = 2000;

function createWire(url: string, settings: AzureSettings, { apiKey = '', fetch }: VendorContext): SpeechRequestWire {
  const headers = {
    'Content-Type': 'application/ssml+xml',
    'X-Microsoft-OutputFormat': 'raw-8khz-8bit-mono-mulaw',
    'Ocp-Apim-Subscription-Key': apiKey,
    'User-Agent': 'agent-stream',
  };
  return {
    maxCharacters: MAX_CHARACTERS,
    ask: (input, signal) => fetch(url, { method: 'POST', headers, body: ssmlOf(input, settings), signal }),
    // Mu-law without a header, sent while it is made.
    listen: audioBytesOf,
  };
}

function createAzureTextToSpeech(settings: AzureSettings, context: VendorContext): TextToSpeech {
  const { voice, language = null, speed = null } = settings;
  const wire = createWire(endpointUrl(context.baseUrl, '/cognitiveservices/v1'), settings, context);
  return {
    vendor: 'azure',
    model: voice,
    voice,
    cacheKey: JSON.stringify(['azure', voice, language, speed]),
    capabilities: { wordTimes: false },
    open: (options) => openRequestVoice(wire, context.clock, options),
  };
}

const textToSpeech: VendorLeg<TextToSpeech, AzureSettings> = { settingsSchema: azureSettingsSchema, create: createAzureTextToSpeech };

/**
 * Azure Speech: text-to-speech over REST (learn.microsoft.com/azure/ai-services/speech-service/rest-text-to-speech). A key is of one region, and
 * so is the origin: `https://westeurope.tts.speech.microsoft.com`.
 */
export const azure: VendorModule = {
  name: 'azure',
  displayName: 'Azure Speech',
  isSimulated: false,
  apiKeyEnv: 'AZURE_SPEECH_KEY',
  baseUrl: { env: 'AZURE_SPEECH_BASE_URL', default: 'https://eastus.tts.speech.microsoft.com' },
  tts: textToSpeech,
};
