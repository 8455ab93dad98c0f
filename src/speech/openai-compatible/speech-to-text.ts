import { socketUrl } from '../../base/socket-url.js';
import { endpointUrl } from '../ai-sdk/endpoint-url.js';
import { openRecogniserStream } from '../recogniser-stream.js';
import type { SpeechToText } from '../speech-to-text.js';
import type { VendorContext, VendorLeg } from '../vendor.js';
import { createRealtimeWire } from './realtime-wire.js';
import { openSegmentStream } from './segment-stream.js';
import {
  chooseSpeechToText,
  isStreamingModel,
  openaiSpeechToTextSchema,
  requestFields,
  sessionUpdateMessage,
  type OpenaiSpeechToTextSettings,
  type RealtimeChoice,
} from './speech-to-text-settings.js';

type Headers = Readonly<Record<string, string>>;

function createRealtime(settings: OpenaiSpeechToTextSettings, choice: RealtimeChoice, context: VendorContext, headers: Headers): SpeechToText {
  const endpoint = socketUrl(endpointUrl(context.baseUrl, '/v1'), '/realtime');
  endpoint.searchParams.set('intent', 'transcription');
  const endsTurns = choice.turnDetection === 'semantic_vad';
  return {
    vendor: 'openai',
    model: choice.model,
    capabilities: { interimTranscripts: isStreamingModel(choice.model), speechEvents: choice.turnDetection !== 'none', turnEvents: endsTurns, earlyFinalize: false },
    open(call) {
      const wire = createRealtimeWire({ url: endpoint.href, headers, opening: sessionUpdateMessage(settings, choice, call), endsTurns });
      return openRecogniserStream(wire, context, call);
    },
  };
}

function createSegments(settings: OpenaiSpeechToTextSettings, model: string, context: VendorContext, headers: Headers): SpeechToText {
  // A WebSocket's address serves requests too.
  const baseUrl = endpointUrl(context.baseUrl.replace(/^ws/, 'http'), '/v1');
  const { fetch, clock } = context;
  return {
    vendor: 'openai',
    model,
    capabilities: { interimTranscripts: settings.interim_every_ms !== undefined, speechEvents: false, turnEvents: false, earlyFinalize: false, asksBySegment: true },
    open: (call) =>
      openSegmentStream(
        {
          server: { baseUrl, headers, fields: requestFields(settings, model, call), timeoutMs: settings.request_timeout_ms, fetch, clock },
          silenceMs: settings.silence_ms,
          maxSegmentMs: settings.max_segment_ms,
          interimEveryMs: settings.interim_every_ms,
        },
        call,
      ),
  };
}

/** OpenAI's transcription sessions, and every server that has its `/v1/audio/transcriptions`. */
export const openaiSpeechToText: VendorLeg<SpeechToText, OpenaiSpeechToTextSettings> = {
  settingsSchema: openaiSpeechToTextSchema,
  create(settings, context) {
    const headers: Headers = context.apiKey === undefined ? {} : { Authorization: `Bearer ${context.apiKey}` };
    const choice = chooseSpeechToText(settings, context.baseUrl);
    if (choice.mode === 'realtime') return createRealtime(settings, choice, context, headers);
    return createSegments(settings, choice.model, context, headers);
  },
};
