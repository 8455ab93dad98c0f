import { socketUrl } from '../../base/socket-url.js';
import { openRecogniserStream } from '../recogniser-stream.js';
import type { SpeechToText } from '../speech-to-text.js';
import type { VendorContext, VendorLeg } from '../vendor.js';
import { elevenlabsSpeechToTextSettingsSchema, sessionUrl, type ElevenlabsSpeechToTextSettings } from './speech-to-text-settings.js';
import { createElevenlabsSpeechToTextWire } from './speech-to-text-wire.js';

function createElevenlabsSpeechToText(settings: ElevenlabsSpeechToTextSettings, context: VendorContext): SpeechToText {
  const headers: Record<string, string> = context.apiKey === undefined ? {} : { 'xi-api-key': context.apiKey };
  const endpoint = socketUrl(context.baseUrl, '/v1/speech-to-text/realtime');
  const endsTurns = settings.ends_turns;
  return {
    vendor: 'elevenlabs',
    model: settings.model,
    capabilities: { interimTranscripts: true, speechEvents: false, turnEvents: endsTurns, earlyFinalize: false },
    open(options) {
      const wire = createElevenlabsSpeechToTextWire(sessionUrl(endpoint, settings, options), headers, endsTurns);
      return openRecogniserStream(wire, context, options);
    },
  };
}

/** Scribe, real-time speech-to-text (elevenlabs.io/docs/api-reference/speech-to-text/v-1-speech-to-text-realtime). */
export const elevenlabsSpeechToText: VendorLeg<SpeechToText, ElevenlabsSpeechToTextSettings> = {
  settingsSchema: elevenlabsSpeechToTextSettingsSchema,
  create: createElevenlabsSpeechToText,
};
