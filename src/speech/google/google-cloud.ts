import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { encodeMulaw } from '../../audio/g711.js';
import { parseWav } from '../../audio/wav.js';
import { AgentStreamError } from '../../base/errors.js';
import { vendorStatusError } from '../../base/http-status.js';
import { parseJsonRecord } from '../../base/json.js';
import { endpointUrl } from '../ai-sdk/endpoint-url.js';
import { openRequestVoice } from '../request-voice.js';
import { bytesOf, type SpeechRequestWire } from '../speech-requests.js';
import type { TextToSpeech } from '../text-to-speech.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { readErrorDetails } from './error-details.js';
import { googleCloudSettingsSchema, synthesizeBody, type GoogleCloudSettings } from './google-cloud-settings.js';

/** A request takes 5000 bytes of text; a UTF-16 unit is three at most. */
const MAX_CHARACTERS = 1600;
/** Longest answer: a text of that length, spoken very slowly, in base64. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

const unexpected = (message: string, cause?: unknown) => new AgentStreamError('vendor-protocol', { message, cause });

/** The text of an answer. @throws AgentStreamError `vendor-protocol` where it is longer than {@link MAX_ANSWER_BYTES} */
async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of bytesOf(response)) {
    sizeBytes += part.length;
    if (sizeBytes > MAX_ANSWER_BYTES) throw unexpected('The vendor’s answer is too long.');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** The audio comes in one piece, as a WAV file. @throws AgentStreamError `vendor-protocol` where it is none, or of another rate than asked for */
function readWav(file: Buffer): Uint8Array {
  try {
    const { sampleRateHz, channels } = parseWav(file);
    const [samples] = channels;
    if (samples === undefined || channels.length !== 1 || sampleRateHz !== SAMPLE_RATE_HZ) throw unexpected('The vendor’s audio is not as it was asked for.');
    return encodeMulaw(samples);
  } catch (error) {
    throw error instanceof AgentStreamError && error.code === 'vendor-protocol' ? error : unexpected('The vendor sent no audio.', error);
  }
}

async function* listen(response: Response): AsyncGenerator<Uint8Array> {
  const audio = parseJsonRecord(await textOf(response))?.['audioContent'];
  if (typeof audio !== 'string') throw unexpected('The vendor sent no audio.');
  yield readWav(Buffer.from(audio, 'base64'));
}

function createWire(url: string, settings: GoogleCloudSettings, { apiKey = '', fetch }: VendorContext): SpeechRequestWire {
  const headers = { 'Content-Type': 'application/json', 'X-Goog-Api-Key': apiKey };
  return {
    maxCharacters: MAX_CHARACTERS,
    ask: (input, signal) => fetch(url, { method: 'POST', headers, body: synthesizeBody(settings, input), signal }),
    listen,
    async readRefusal(response) {
      const { status, headers: answered } = response;
      return readErrorDetails(status, await textOf(response)) ?? vendorStatusError(status, answered.get('retry-after'));
    },
  };
}

function createGoogleCloudTextToSpeech(settings: GoogleCloudSettings, context: VendorContext): TextToSpeech {
  const { voice, speed = null } = settings;
  const wire = createWire(`${endpointUrl(context.baseUrl, '/v1')}/text:synthesize`, settings, context);
  return {
    vendor: 'google-cloud',
    model: voice,
    voice,
    cacheKey: JSON.stringify(['google-cloud', voice, speed]),
    capabilities: { wordTimes: false },
    open: (options) => openRequestVoice(wire, context.clock, options),
  };
}

const textToSpeech: VendorLeg<TextToSpeech, GoogleCloudSettings> = {
  settingsSchema: googleCloudSettingsSchema,
  create: createGoogleCloudTextToSpeech,
};

/**
 * Google Cloud Text-to-Speech over REST (docs.cloud.google.com/text-to-speech). A vendor of its own beside Gemini: its keys are a cloud project's,
 * and those of the Gemini API are not for it.
 */
export const googleCloud: VendorModule = {
  name: 'google-cloud',
  displayName: 'Google Cloud Text-to-Speech',
  isSimulated: false,
  apiKeyEnv: 'GOOGLE_CLOUD_API_KEY',
  baseUrl: { env: 'GOOGLE_CLOUD_TTS_BASE_URL', default: 'https://texttospeech.googleapis.com' },
  tts: textToSpeech,
};
