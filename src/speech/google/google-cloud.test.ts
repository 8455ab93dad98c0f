import { afterEach, describe, expect, it } from 'vitest';
import { describeRequestVoice } from '../../../test/contracts/request-voice.js';
import { openFakeVoice, speakAndKeep } from '../../../test/contracts/voice-faults.js';
import { startFakeGoogleCloudVoice } from '../../../test/support/fakes/google-cloud-voice.js';
import { startVendorServer, type VendorServer } from '../../../test/support/fakes/vendor-server.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { encodeWav } from '../../audio/wav.js';
import { googleCloud } from './google-cloud.js';

describeRequestVoice(googleCloud, startFakeGoogleCloudVoice);

let server: VendorServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** What becomes of an answer. */
async function speakAnswer(status: number, body: unknown) {
  server = await startVendorServer({
    onRequest: (_request, response) => void response.writeHead(status, { 'Content-Type': 'application/json' }).end(typeof body === 'string' ? body : JSON.stringify(body)),
  });
  const stream = openFakeVoice(googleCloud, server.httpUrl);
  const speaking = speakAndKeep(stream, 'Hello.');
  await speaking.over();
  stream.close();
  return speaking;
}

const samples = new Int16Array(1600).map((_, index) => Math.round(8000 * Math.sin(index / 3)));
const wav = (sampleRateHz: number, channels = 1) => encodeWav({ sampleRateHz, channels: Array.from({ length: channels }, () => samples) }, 'mulaw').toString('base64');

describe('an answer', () => {
  it('is spoken without the header of its file', async () => {
    const speaking = await speakAnswer(200, { audioContent: wav(8000) });
    expect([speaking.types.at(-1), speaking.audioMs()]).toEqual(['tts-end', 200]);
  });

  it.each([
    ['another rate', { audioContent: wav(24_000) }],
    ['two channels', { audioContent: wav(8000, 2) }],
    ['no WAV file', { audioContent: Buffer.from('not a file at all').toString('base64') }],
    ['a file that is cut in its header', { audioContent: wav(8000).slice(0, 24) }],
    ['audio that is no text', { audioContent: 7 }],
    ['no JSON', '<html>'],
    ['more than is ever asked for', { audioContent: 'A'.repeat(9 * 1024 * 1024) }],
  ])('with %s is not of the protocol', async (_name, body) => {
    expect((await speakAnswer(200, body)).error()?.code).toBe('vendor-protocol');
  });

  it('says how long to wait, and a 400 that is not about the key', async () => {
    const limited = await speakAnswer(429, { error: { code: 429, details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '7s' }] } });
    expect(limited.error()).toMatchObject({ code: 'vendor-rate-limited', details: { retryAfterMs: 7000 } });
    await server?.close();
    expect((await speakAnswer(400, { error: { code: 400, message: 'No such voice' } })).error()?.code).toBe('vendor-rejected');
  });
});

describe('the request', () => {
  it('names voice, language and pace', async () => {
    const fake = await startFakeGoogleCloudVoice({ apiKey: 'test-key', pace: 40 });
    server = fake;
    for (const settings of [{}, { voice: 'cmn-CN-Chirp3-HD-Kore', speed: 1.2 }]) {
      const stream = openFakeVoice(googleCloud, fake.httpUrl, { settings });
      await speakAndKeep(stream, 'Hi.').over();
      stream.close();
    }
    const audioConfig = { audioEncoding: 'MULAW', sampleRateHertz: 8000 };
    expect(fake.requests.map(({ body }) => JSON.parse(body) as unknown)).toEqual([
      { input: { text: 'Hi.' }, voice: { languageCode: 'en-US', name: 'en-US-Chirp3-HD-Kore' }, audioConfig },
      { input: { text: 'Hi.' }, voice: { languageCode: 'cmn-CN', name: 'cmn-CN-Chirp3-HD-Kore' }, audioConfig: { ...audioConfig, speakingRate: 1.2 } },
    ]);
  });

  it.each([{ voice: '' }, { voice: 'Kore' }, { speed: 3 }, { language: 'en' }, { model: 'x' }])('refuses the settings %j', (settings) => {
    expect(googleCloud.tts!.settingsSchema.safeParse(settings).success).toBe(false);
  });

  it('has a cache key that differs where the sound does', () => {
    const leg = googleCloud.tts!;
    const keyOf = (settings: object) => leg.create(leg.settingsSchema.parse(settings), { clock: createVirtualClock(), apiKey: 'k', baseUrl: 'https://one', fetch }).cacheKey;
    const changes = [{}, { voice: 'en-GB-Neural2-A' }, { speed: 1.1 }];
    expect(new Set(changes.map(keyOf)).size).toBe(changes.length);
  });
});
