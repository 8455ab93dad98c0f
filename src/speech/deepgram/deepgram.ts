import { socketUrl } from '../../base/socket-url.js';
import { openRecogniserStream } from '../recogniser-stream.js';
import type { SpeechToText } from '../speech-to-text.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { createFluxWire } from './flux.js';
import { createNovaWire } from './nova.js';
import { deepgramSettingsSchema, fluxUrl, isFlux, listenUrl, type DeepgramSettings } from './settings.js';
import { deepgramTextToSpeech } from './text-to-speech.js';

function createDeepgramSpeechToText(settings: DeepgramSettings, context: VendorContext): SpeechToText {
  const headers: Record<string, string> = context.apiKey === undefined ? {} : { Authorization: `Token ${context.apiKey}` };
  const hasTurns = isFlux(settings.model);
  const endpoint = socketUrl(context.baseUrl, hasTurns ? '/v2/listen' : '/v1/listen');
  return {
    vendor: 'deepgram',
    model: settings.model,
    capabilities: { interimTranscripts: true, speechEvents: hasTurns, turnEvents: hasTurns, earlyFinalize: settings.early_finalize && !hasTurns },
    open(options) {
      const wire = hasTurns
        ? createFluxWire(fluxUrl(endpoint, settings, options), headers)
        : createNovaWire(listenUrl(endpoint, settings, options), headers);
      return openRecogniserStream(wire, context, options);
    },
  };
}

const speechToText: VendorLeg<SpeechToText, DeepgramSettings> = {
  settingsSchema: deepgramSettingsSchema,
  create: createDeepgramSpeechToText,
};

/** Deepgram: streaming speech-to-text (developers.deepgram.com/docs/live-streaming-audio), Nova and Flux, and Aura voices. */
export const deepgram: VendorModule = {
  name: 'deepgram',
  displayName: 'Deepgram',
  isSimulated: false,
  apiKeyEnv: 'DEEPGRAM_API_KEY',
  baseUrl: { env: 'DEEPGRAM_BASE_URL', default: 'wss://api.deepgram.com' },
  stt: speechToText,
  tts: deepgramTextToSpeech,
};
