import { socketUrl } from '../../base/socket-url.js';
import { openRecogniserStream } from '../recogniser-stream.js';
import type { SpeechToText } from '../speech-to-text.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { sonioxSettingsSchema, startMessage, type SonioxSettings } from './settings.js';
import { createSonioxWire } from './wire.js';

function createSonioxSpeechToText(settings: SonioxSettings, context: VendorContext): SpeechToText {
  const headers: Record<string, string> = context.apiKey === undefined ? {} : { Authorization: `Bearer ${context.apiKey}` };
  const endpoint = socketUrl(context.baseUrl, '/transcribe-websocket');
  return {
    vendor: 'soniox',
    model: settings.model,
    capabilities: { interimTranscripts: true, speechEvents: false, turnEvents: false, earlyFinalize: false },
    open(options) {
      const wire = createSonioxWire(endpoint.href, headers, startMessage(settings, options));
      return openRecogniserStream(wire, context, options);
    },
  };
}

const speechToText: VendorLeg<SpeechToText, SonioxSettings> = {
  settingsSchema: sonioxSettingsSchema,
  create: createSonioxSpeechToText,
};

/** Soniox: real-time speech-to-text (soniox.com/docs/stt/rt/real-time-transcription). */
export const soniox: VendorModule = {
  name: 'soniox',
  displayName: 'Soniox',
  isSimulated: false,
  apiKeyEnv: 'SONIOX_API_KEY',
  baseUrl: { env: 'SONIOX_BASE_URL', default: 'wss://stt-rt.soniox.com' },
  stt: speechToText,
};
