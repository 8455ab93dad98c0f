import { createDecoder } from '../../audio/convert.js';
import { endpointUrl } from '../ai-sdk/endpoint-url.js';
import { openRequestVoice } from '../request-voice.js';
import { audioBytesOf, type SpeechRequestWire } from '../speech-requests.js';
import type { TextToSpeech } from '../text-to-speech.js';
import type { VendorContext, VendorLeg } from '../vendor.js';
import { openaiTextToSpeechSchema, openaiVoiceCacheKey, speechRequestBody, type OpenaiTextToSpeechSettings } from './text-to-speech-settings.js';

/** Longest `input` of a request (platform.openai.com/docs/api-reference/audio/createSpeech). */
const MAX_CHARACTERS = 4096;
/** Silence that pushes the last samples of a sentence out of the resampler, ms; more than it ever holds. */
const RESAMPLER_TAIL_MS = 4;

/** Answers are raw 16-bit little-endian PCM. */
async function* decodePcm(response: Response, sampleRateHz: number): AsyncGenerator<Uint8Array> {
  const decode = createDecoder({ encoding: 'l16-le', sampleRateHz });
  let sizeBytes = 0;
  for await (const samples of audioBytesOf(response)) {
    sizeBytes += samples.length;
    yield decode(samples);
  }
  if (sizeBytes > 0) yield decode(new Uint8Array(2 * Math.ceil((sampleRateHz * RESAMPLER_TAIL_MS) / 1000)));
}

function createWire(url: string, settings: OpenaiTextToSpeechSettings, { apiKey, fetch }: VendorContext): SpeechRequestWire {
  const headers = { 'Content-Type': 'application/json', ...(apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` }) };
  return {
    maxCharacters: MAX_CHARACTERS,
    ask: (input, signal) => fetch(url, { method: 'POST', headers, body: speechRequestBody(settings, input), signal }),
    listen: (response) => decodePcm(response, settings.sample_rate_hz),
  };
}

function createOpenaiTextToSpeech(settings: OpenaiTextToSpeechSettings, context: VendorContext): TextToSpeech {
  const url = `${endpointUrl(context.baseUrl, '/v1')}/audio/speech`;
  const wire = createWire(url, settings, context);
  return {
    vendor: 'openai',
    model: settings.model,
    voice: settings.voice,
    cacheKey: openaiVoiceCacheKey(url, settings),
    capabilities: { wordTimes: false },
    open: (options) => openRequestVoice(wire, context.clock, options),
  };
}

/** Text-to-speech of OpenAI and of servers with its speech API, such as Kokoro-FastAPI and speaches. */
export const openaiTextToSpeech: VendorLeg<TextToSpeech, OpenaiTextToSpeechSettings> = {
  settingsSchema: openaiTextToSpeechSchema,
  create: createOpenaiTextToSpeech,
};
