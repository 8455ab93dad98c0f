// Starts all three fakes and prints the environment that points a server at them:
//   npx tsx test/support/fakes/main.ts [--builtin-voice] [--delays STT,LLM,TTS]
// With --builtin-voice they hear and speak the builtin voice, so that a whole conversation runs through the real adapters.
import { hearBuiltinVoice, speakBuiltinVoice } from './builtin-voice.js';
import { startFakeCartesia } from './cartesia.js';
import { startFakeDeepgram } from './deepgram.js';
import { startFakeOpenai } from './openai.js';

const useBuiltinVoice = process.argv.includes('--builtin-voice');
const delaysAt = process.argv.indexOf('--delays');
const [sttMs = 250, llmMs = 400, ttsMs = 150] = delaysAt < 0 ? [] : (process.argv[delaysAt + 1] ?? '').split(',').map(Number);

const deepgram = await startFakeDeepgram({ resultDelayMs: sttMs, ...(useBuiltinVoice ? { transcribe: hearBuiltinVoice } : {}) });
const openai = await startFakeOpenai({ firstTokenMs: llmMs, interTokenMs: 15 });
const cartesia = await startFakeCartesia({ firstByteMs: ttsMs, ...(useBuiltinVoice ? { render: speakBuiltinVoice } : {}) });
process.stdout.write(
  [
    'DEEPGRAM_API_KEY=fake',
    `DEEPGRAM_BASE_URL=${deepgram.wsUrl}`,
    'OPENAI_API_KEY=fake',
    `OPENAI_BASE_URL=${openai.httpUrl}`,
    'CARTESIA_API_KEY=fake',
    `CARTESIA_BASE_URL=${cartesia.wsUrl}`,
    '',
  ].join('\n'),
);
