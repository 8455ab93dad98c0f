import { socketUrl } from '../../base/socket-url.js';
import type { SpeechToText } from '../speech-to-text.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { deepgramSettingsSchema, listenUrl, type DeepgramSettings } from './settings.js';
import { openDeepgramStream } from './stream.js';
import { deepgramTextToSpeech } from './text-to-speech.js';

function createDeepgramSpeechToText(settings: DeepgramSettings, context: VendorContext): SpeechToText {
  const headers: Record<string, string> = context.apiKey === undefined ? {} : { Authorization: `Token ${context.apiKey}` };
  const endpoint = socketUrl(context.baseUrl, '/v1/listen');
  return {
    vendor: 'deepgram',
    model: settings.model,
    capabilities: { interimTranscripts: true, speechEvents: false, turnEvents: false },
    open(options) {
      const url = listenUrl(endpoint, settings, options);
      return openDeepgramStream({ url, headers, clock: context.clock, lookup: context.lookup }, options);
    },
  };
}

const speechToText: VendorLeg<SpeechToText, DeepgramSettings> = {
  settingsSchema: deepgramSettingsSchema,
  create: createDeepgramSpeechToText,
};

/** Deepgram: streaming speech-to-text (developers.deepgram.com/docs/live-streaming-audio) and Aura voices. */
export const deepgram: VendorModule = {
  name: 'deepgram',
  displayName: 'Deepgram',
  isSimulated: false,
  apiKeyEnv: 'DEEPGRAM_API_KEY',
  baseUrl: { env: 'DEEPGRAM_BASE_URL', default: 'wss://api.deepgram.com' },
  stt: speechToText,
  tts: deepgramTextToSpeech,
};
