// Starts a fake of every vendor, and prints the environment that points a server at them.
import { parseArgs } from 'node:util';
import { vendors } from '../../../src/speech/registry.js';
import { startFakeAnthropic } from './anthropic.js';
import { startFakeAssemblyai } from './assemblyai.js';
import { startFakeAzure } from './azure.js';
import { hearWords, speakBuiltinVoice } from './builtin-voice.js';
import { startFakeCartesia } from './cartesia.js';
import { startFakeDeepgramVoice } from './deepgram-voice.js';
import { startFakeDeepgram } from './deepgram.js';
import { startFakeElevenlabsScribe } from './elevenlabs-scribe.js';
import { startFakeElevenlabsVoice } from './elevenlabs-voice.js';
import { startFakeGeminiLive } from './gemini-live.js';
import { startFakeGoogleCloudVoice } from './google-cloud-voice.js';
import { startFakeGoogle } from './google.js';
import { startFakeGroq } from './groq.js';
import { startFakeOpenaiRealtime } from './openai-realtime.js';
import { startFakeOpenaiSpeech } from './openai-speech-to-speech.js';
import { startFakeTranscriptions } from './openai-transcriptions.js';
import { startFakeOpenaiVoice } from './openai-voice.js';
import { startFakeOpenai } from './openai.js';
import { startFakeRime } from './rime.js';
import { startFakeSoniox } from './soniox.js';
import { startFakeSpeechmatics } from './speechmatics.js';
import { startFakeUltravox } from './ultravox.js';
import { startVendorRouter } from './vendor-router.js';
import type { VendorServer } from './vendor-server.js';

const help = `Starts a fake of every vendor, and prints the environment that points a server at them.

  npx tsx test/support/fakes/main.ts [--builtin-voice] [--delays STT,LLM,TTS]

  --builtin-voice      they hear and speak the builtin voice, so that a whole conversation with "agent-stream call" runs through the
                       real adapters; else they hear what the contract tests say, and babble
  --delays             ms from the end of speech to its text, from the request to the first token, and from the text to the first audio;
                       default 250,400,150. A speech-to-speech model takes the first for its transcripts, the second for its answers.
  --help

Any key is taken. Models answer with fixed words. Each vendor has one address for all of its legs; openai hears by requests unless an agent
says {"vendor": "openai", "mode": "realtime"}, and a speech-to-speech model is used where an agent names it in settings.models.realtime.
`;

const { values } = parseArgs({ options: { 'builtin-voice': { type: 'boolean', default: false }, delays: { type: 'string', default: '250,400,150' }, help: { type: 'boolean', default: false } } });
if (values.help) {
  process.stdout.write(help);
  process.exit(0);
}
const delays = /^(\d+),(\d+),(\d+)$/.exec(values.delays);
if (delays === null) throw new Error('--delays takes three numbers of milliseconds, such as 250,400,150');
const [sttMs = 0, llmMs = 0, ttsMs = 0] = delays.slice(1).map(Number);

const listens = values['builtin-voice'] ? { transcribe: hearWords } : {};
const speaks = values['builtin-voice'] ? { render: speakBuiltinVoice } : {};
const ears = { resultDelayMs: sttMs, ...listens };
const mind = { firstTokenMs: llmMs, interTokenMs: 15 };
const voice = { firstByteMs: ttsMs, ...speaks };
const all = { transcriptDelayMs: sttMs, firstByteMs: llmMs, ...listens, ...speaks };

const at = (...paths: readonly string[]) => ({ pathname }: URL) => paths.some((path) => pathname.startsWith(path));
const any = () => true;
const isTranscription = ({ searchParams }: URL) => searchParams.get('intent') === 'transcription';

/** Every fake there is, by the vendor that it speaks for and the requests that are for it. */
const fakes: Readonly<Record<string, readonly (readonly [takes: (url: URL) => boolean, start: () => Promise<VendorServer>])[]>> = {
  deepgram: [
    [at('/v1/speak'), () => startFakeDeepgramVoice(voice)],
    [any, () => startFakeDeepgram(ears)],
  ],
  openai: [
    [(url) => at('/v1/realtime')(url) && isTranscription(url), () => startFakeOpenaiRealtime(ears)],
    [at('/v1/realtime'), () => startFakeOpenaiSpeech(all)],
    [at('/v1/audio/transcriptions', '/v1/models'), () => startFakeTranscriptions(listens)],
    [at('/v1/audio/speech'), () => startFakeOpenaiVoice(voice)],
    [any, () => startFakeOpenai(mind)],
  ],
  anthropic: [[any, () => startFakeAnthropic(mind)]],
  google: [
    [at('/ws/'), () => startFakeGeminiLive(all)],
    [any, () => startFakeGoogle(mind)],
  ],
  groq: [[any, () => startFakeGroq(mind)]],
  cartesia: [[any, () => startFakeCartesia(voice)]],
  elevenlabs: [
    [at('/v1/speech-to-text'), () => startFakeElevenlabsScribe(ears)],
    [any, () => startFakeElevenlabsVoice(voice)],
  ],
  rime: [[any, () => startFakeRime(voice)]],
  azure: [[any, () => startFakeAzure(voice)]],
  'google-cloud': [[any, () => startFakeGoogleCloudVoice(voice)]],
  assemblyai: [[any, () => startFakeAssemblyai(ears)]],
  soniox: [[any, () => startFakeSoniox(ears)]],
  speechmatics: [[any, () => startFakeSpeechmatics(ears)]],
  ultravox: [[any, () => startFakeUltravox(all)]],
};

for (const { name, apiKeyEnv, baseUrl } of vendors) {
  if (apiKeyEnv === null) continue;
  const routes = await Promise.all((fakes[name] ?? []).map(async ([takes, start]) => ({ takes, fake: await start() })));
  const [only, another] = routes;
  if (only === undefined) throw new Error(`There is no fake of ${name}`);
  const { wsUrl, httpUrl } = another === undefined ? only.fake : await startVendorRouter(routes);
  process.stdout.write(`${apiKeyEnv}=fake\n${baseUrl.env ?? ''}=${baseUrl.default.startsWith('wss:') ? wsUrl : httpUrl}\n`);
}
