import { readFile } from 'node:fs/promises';
import { SAMPLE_RATE_HZ } from '../audio/frame.js';
import { encodeMulaw } from '../audio/g711.js';
import { createResampler } from '../audio/resample.js';
import { parseWav } from '../audio/wav.js';
import { AgentStreamError } from '../base/errors.js';
import { deadlineSignal, type Clock } from '../base/clock.js';
import type { TextToSpeech } from '../speech/text-to-speech.js';

/** How long a voice may take to render one line of a script. */
const RENDER_TIMEOUT_MS = 20_000;

/** Largest WAV file taken: ten minutes of 48 kHz stereo PCM16 is 115 MB; nobody calls with that. */
const WAV_BYTES_LIMIT = 64 * 1024 * 1024;

/**
 * Renders a text with a voice, as 8 kHz mu-law.
 * @throws AgentStreamError of the voice, or `vendor-unreachable` after 20 s
 */
export async function renderSpeech(voice: TextToSpeech, text: string, clock: Clock, parent?: AbortSignal): Promise<Uint8Array> {
  const deadline = deadlineSignal(clock, RENDER_TIMEOUT_MS, parent, () => new AgentStreamError('vendor-unreachable'));
  const { signal } = deadline;
  const stream = voice.open({ language: 'en', signal });
  const chunks: Uint8Array[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      const utterance = stream.speak((event) => {
        if (event.type === 'audio') chunks.push(event.audio.slice());
        if (event.type === 'tts-end') resolve();
        if (event.type === 'tts-failed') reject(event.error);
      });
      utterance.push(text);
      utterance.end();
    });
    return Buffer.concat(chunks);
  } finally {
    stream.close();
    deadline.dispose();
  }
}

/**
 * Reads a WAV file (PCM16, mu-law or A-law, any rate) as 8 kHz mu-law; of two channels the first.
 * @throws AgentStreamError `invalid-request` where the file cannot be read or understood
 */
export async function loadWavClip(path: string): Promise<Uint8Array> {
  const file = await readFile(path).catch((cause: unknown) => {
    throw new AgentStreamError('invalid-request', { message: `Cannot read ${path}`, cause });
  });
  if (file.length > WAV_BYTES_LIMIT) throw new AgentStreamError('invalid-request', { message: `${path} is larger than 64 MiB` });
  const { sampleRateHz, channels } = parseWav(file);
  const samples = channels[0] ?? new Int16Array(0);
  if (sampleRateHz === SAMPLE_RATE_HZ) return encodeMulaw(samples);
  const resampler = createResampler(sampleRateHz, SAMPLE_RATE_HZ);
  const body = resampler.push(samples);
  return Buffer.concat([encodeMulaw(body), encodeMulaw(resampler.flush())]);
}
