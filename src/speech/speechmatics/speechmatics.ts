import { socketUrl } from '../../base/socket-url.js';
import { openRecogniserStream } from '../recogniser-stream.js';
import type { SpeechToText } from '../speech-to-text.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { speechmaticsSettingsSchema, startRecognitionMessage, type SpeechmaticsSettings } from './settings.js';
import { createSpeechmaticsWire } from './wire.js';

function createSpeechmaticsSpeechToText(settings: SpeechmaticsSettings, context: VendorContext): SpeechToText {
  const headers: Record<string, string> = context.apiKey === undefined ? {} : { Authorization: `Bearer ${context.apiKey}` };
  const endpoint = socketUrl(context.baseUrl, '/v2');
  const endsTurns = settings.ends_turns;
  return {
    vendor: 'speechmatics',
    model: settings.model,
    capabilities: { interimTranscripts: true, speechEvents: false, turnEvents: endsTurns, earlyFinalize: false },
    open(options) {
      const wire = createSpeechmaticsWire(endpoint.href, headers, { opening: startRecognitionMessage(settings, options), endsTurns });
      return openRecogniserStream(wire, context, options);
    },
  };
}

const speechToText: VendorLeg<SpeechToText, SpeechmaticsSettings> = {
  settingsSchema: speechmaticsSettingsSchema,
  create: createSpeechmaticsSpeechToText,
};

/** Speechmatics: real-time speech-to-text (docs.speechmatics.com/speech-to-text/realtime). */
export const speechmatics: VendorModule = {
  name: 'speechmatics',
  displayName: 'Speechmatics',
  isSimulated: false,
  apiKeyEnv: 'SPEECHMATICS_API_KEY',
  baseUrl: { env: 'SPEECHMATICS_BASE_URL', default: 'wss://eu2.rt.speechmatics.com' },
  stt: speechToText,
};
