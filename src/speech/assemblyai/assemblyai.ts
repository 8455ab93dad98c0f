import { socketUrl } from '../../base/socket-url.js';
import { openRecogniserStream } from '../recogniser-stream.js';
import type { SpeechToText } from '../speech-to-text.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { assemblyaiSettingsSchema, sessionUrl, type AssemblyaiSettings } from './settings.js';
import { createAssemblyaiWire } from './wire.js';

function createAssemblyaiSpeechToText(settings: AssemblyaiSettings, context: VendorContext): SpeechToText {
  const headers: Record<string, string> = context.apiKey === undefined ? {} : { Authorization: context.apiKey };
  const endpoint = socketUrl(context.baseUrl, '/v3/ws');
  return {
    vendor: 'assemblyai',
    model: settings.model,
    capabilities: { interimTranscripts: true, speechEvents: false, turnEvents: false, earlyFinalize: false },
    open(options) {
      const wire = createAssemblyaiWire(sessionUrl(endpoint, settings, options.keyterms), headers, settings.format_turns);
      return openRecogniserStream(wire, context, options);
    },
  };
}

const speechToText: VendorLeg<SpeechToText, AssemblyaiSettings> = {
  settingsSchema: assemblyaiSettingsSchema,
  create: createAssemblyaiSpeechToText,
};

/** AssemblyAI: streaming speech-to-text (assemblyai.com/docs/streaming). */
export const assemblyai: VendorModule = {
  name: 'assemblyai',
  displayName: 'AssemblyAI',
  isSimulated: false,
  apiKeyEnv: 'ASSEMBLYAI_API_KEY',
  baseUrl: { env: 'ASSEMBLYAI_BASE_URL', default: 'wss://streaming.assemblyai.com' },
  stt: speechToText,
};
