import type { ServerResponse } from 'node:http';
import { wavHeader } from '../../../src/audio/wav.js';
import { asRecord, parseJsonRecord } from '../../../src/base/json.js';
import { startFakeRequestVoice, type FakeRequestVoice, type FakeRequestVoiceOptions, type RequestVoiceProtocol } from './request-voice.js';

/** Longest text of a request, bytes. */
const MAX_TEXT_BYTES = 5000;

function answerError(response: ServerResponse, code: number, status: string, details: readonly object[] = []): void {
  const error = { code, message: 'Scripted failure', status, ...(details.length === 0 ? {} : { details }) };
  response.writeHead(code, { 'Content-Type': 'application/json; charset=UTF-8' }).end(JSON.stringify({ error }));
}

const keyDetails = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID', domain: 'googleapis.com' };
const retryDetails = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '7s' };

/** Google Cloud Text-to-Speech's `text:synthesize`, as its documentation has it: the whole speech in one answer. */
const googleCloud: RequestVoiceProtocol = {
  path: '/v1/text:synthesize',
  isKey: (headers, apiKey) => headers['x-goog-api-key'] === apiKey,
  refuse: (response, status) => answerError(response, status, 'SCRIPTED', status === 429 ? [retryDetails] : []),
  refuseKey: (response) => answerError(response, 400, 'INVALID_ARGUMENT', [keyDetails]),
  textOf(body) {
    const request = parseJsonRecord(body);
    const { text } = asRecord(request?.['input']);
    const { languageCode, name } = asRecord(request?.['voice']);
    const { audioEncoding, sampleRateHertz, speakingRate = 1 } = asRecord(request?.['audioConfig']);
    const isVoice = typeof languageCode === 'string' && typeof name === 'string' && name.startsWith(`${languageCode}-`);
    const isAudio = audioEncoding === 'MULAW' && sampleRateHertz === 8000 && typeof speakingRate === 'number';
    return isVoice && isAudio && typeof text === 'string' && Buffer.byteLength(text) <= MAX_TEXT_BYTES ? text : null;
  },
  begin(response) {
    const parts: Buffer[] = [];
    return {
      write: (audio) => void parts.push(audio),
      end() {
        const audio = Buffer.concat(parts);
        const file = Buffer.concat([wavHeader({ encoding: 'mulaw', channelCount: 1, sampleRateHz: 8000 }, audio.length), audio]);
        response.writeHead(200, { 'Content-Type': 'application/json; charset=UTF-8' }).end(JSON.stringify({ audioContent: file.toString('base64') }));
      },
    };
  },
};

/** Starts the fake. */
export const startFakeGoogleCloudVoice = (options: FakeRequestVoiceOptions = {}): Promise<FakeRequestVoice> => startFakeRequestVoice(googleCloud, options);
