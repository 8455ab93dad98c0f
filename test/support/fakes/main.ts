// Starts a fake of every vendor and prints the environment that points a server at them:
//   npx tsx test/support/fakes/main.ts [--builtin-voice] [--delays STT,LLM,TTS]
// With --builtin-voice they hear and speak the builtin voice, so that a whole conversation runs through the real adapters.
import { findVendor } from '../../../src/speech/registry.js';
import { startFakeAnthropic } from './anthropic.js';
import { startFakeAssemblyai } from './assemblyai.js';
import { startFakeAzure } from './azure.js';
import { hearBuiltinVoice, speakBuiltinVoice } from './builtin-voice.js';
import { startFakeCartesia } from './cartesia.js';
import { startFakeDeepgramVoice } from './deepgram-voice.js';
import { startFakeDeepgram } from './deepgram.js';
import { startFakeElevenlabsVoice } from './elevenlabs-voice.js';
import { startFakeGoogleCloudVoice } from './google-cloud-voice.js';
import { startFakeGoogle } from './google.js';
import { startFakeGroq } from './groq.js';
import { startFakeOpenaiVoice } from './openai-voice.js';
import { startFakeOpenai } from './openai.js';
import { startFakeRime } from './rime.js';
import { startFakeSoniox } from './soniox.js';
import type { VendorServer } from './vendor-server.js';

const useBuiltinVoice = process.argv.includes('--builtin-voice');
const delaysAt = process.argv.indexOf('--delays');
const [sttMs = 250, llmMs = 400, ttsMs = 150] = delaysAt < 0 ? [] : (process.argv[delaysAt + 1] ?? '').split(',').map(Number);

const ears = { resultDelayMs: sttMs, ...(useBuiltinVoice ? { transcribe: hearBuiltinVoice } : {}) };
const mind = { firstTokenMs: llmMs, interTokenMs: 15 };
const voice = { firstByteMs: ttsMs, ...(useBuiltinVoice ? { render: speakBuiltinVoice } : {}) };

/** Every fake there is, by the vendor it speaks for. Where a vendor has two, a server is pointed at the first and may be at the other. */
const fakes: readonly (readonly [vendor: string, leg: string, start: () => Promise<VendorServer>])[] = [
  ['deepgram', 'stt', () => startFakeDeepgram(ears)],
  ['deepgram', 'tts', () => startFakeDeepgramVoice(voice)],
  ['openai', 'llm', () => startFakeOpenai(mind)],
  ['openai', 'tts', () => startFakeOpenaiVoice(voice)],
  ['anthropic', 'llm', () => startFakeAnthropic(mind)],
  ['google', 'llm', () => startFakeGoogle(mind)],
  ['groq', 'llm', () => startFakeGroq(mind)],
  ['cartesia', 'tts', () => startFakeCartesia(voice)],
  ['elevenlabs', 'tts', () => startFakeElevenlabsVoice(voice)],
  ['rime', 'tts', () => startFakeRime(voice)],
  ['azure', 'tts', () => startFakeAzure(voice)],
  ['google-cloud', 'tts', () => startFakeGoogleCloudVoice(voice)],
  ['assemblyai', 'stt', () => startFakeAssemblyai(ears)],
  ['soniox', 'stt', () => startFakeSoniox(ears)],
];

const named = new Set<string>();
for (const [name, leg, start] of fakes) {
  const vendor = findVendor(name);
  if (vendor === undefined) throw new Error(`There is no vendor ${name}`);
  const { wsUrl, httpUrl } = await start();
  const setting = `${vendor.baseUrl.env ?? ''}=${vendor.baseUrl.default.startsWith('wss:') ? wsUrl : httpUrl}`;
  const lines = named.has(name) ? [`# for its ${leg} instead: ${setting}`] : [`${vendor.apiKeyEnv ?? ''}=fake`, setting];
  named.add(name);
  process.stdout.write(`${lines.join('\n')}\n`);
}
