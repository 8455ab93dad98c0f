import { decodeMulaw } from '../../audio/g711.js';
import { createResampler } from '../../audio/resample.js';
import { encodeWav } from '../../audio/wav.js';
import { deadlineSignal, type Clock } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import { vendorStatusError } from '../../base/http-status.js';
import { parseJsonRecord } from '../../base/json.js';
import { retry, type RetryPolicy } from '../../base/retry.js';

/** Recognisers of this kind were trained at this rate; some read no other. */
const SENT_RATE_HZ = 16_000;
/** Tries for one text, which its time limit bounds as well. */
const RETRY: RetryPolicy = { attempts: 3, baseDelayMs: 100, maxDelayMs: 500 };
/** Longest answer; a segment's words are a thousandth of it. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Where segments are sent. */
export interface TranscriptionServer {
  /** Base of the API's paths, such as `https://host/v1`. */
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent beside the audio. */
  readonly fields: Readonly<Record<string, string>>;
  /** Longest wait for a text, tries included, ms. */
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
}

/** 16-bit PCM at 16 kHz as a WAV file, from 8 kHz mu-law. */
function wavOf(audio: Uint8Array): Buffer {
  const resampler = createResampler(8000, SENT_RATE_HZ);
  const parts = [resampler.push(decodeMulaw(audio)), resampler.flush()];
  const samples = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  samples.set(parts[0] as Int16Array);
  samples.set(parts[1] as Int16Array, (parts[0] as Int16Array).length);
  return encodeWav({ sampleRateHz: SENT_RATE_HZ, channels: [samples] });
}

async function readText(response: Response): Promise<string> {
  const reader: ReadableStreamDefaultReader<Uint8Array> | undefined = response.body?.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const next = await reader?.read();
    if (next === undefined || next.done) return Buffer.concat(chunks).toString();
    size += next.value.length;
    if (size > MAX_ANSWER_BYTES) {
      await reader?.cancel();
      throw new AgentStreamError('vendor-protocol', { message: 'The vendor’s answer is too long.' });
    }
    chunks.push(next.value);
  }
}

/** Runs an exchange, trying again what may pass, within the time limit. @throws AgentStreamError `vendor-*`; the signal's reason on abort */
async function exchange<Result>(
  { clock, timeoutMs }: TranscriptionServer,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const deadline = deadlineSignal(clock, timeoutMs, signal, () => new AgentStreamError('vendor-unreachable', { message: 'The vendor did not answer in time.' }));
  const attempt = async () => {
    try {
      return await run(deadline.signal);
    } catch (error) {
      deadline.signal.throwIfAborted();
      if (error instanceof AgentStreamError) throw error;
      throw new AgentStreamError('vendor-unreachable', { details: { failure: error instanceof Error ? error.name : 'unknown' } });
    }
  };
  try {
    return await retry(attempt, { ...RETRY, clock, signal: deadline.signal });
  } finally {
    deadline.dispose();
  }
}

/**
 * The text of a stretch of 8 kHz mu-law; empty where there is none (platform.openai.com/docs/api-reference/audio/createTranscription).
 * @throws AgentStreamError `vendor-*`; the signal's reason on abort
 */
export function transcribe(server: TranscriptionServer, audio: Uint8Array, signal: AbortSignal): Promise<string> {
  const wav = new Blob([new Uint8Array(wavOf(audio))], { type: 'audio/wav' });
  return exchange(server, signal, async (attemptSignal) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(server.fields)) form.set(name, value);
    form.set('file', wav, 'audio.wav');
    const response = await server.fetch(`${server.baseUrl}/audio/transcriptions`, { method: 'POST', headers: server.headers, body: form, signal: attemptSignal });
    if (!response.ok) {
      await response.body?.cancel();
      throw vendorStatusError(response.status, response.headers.get('retry-after'));
    }
    const text = parseJsonRecord(await readText(response))?.['text'];
    if (typeof text !== 'string') throw new AgentStreamError('vendor-protocol', { message: 'The vendor’s answer holds no text.' });
    return text.trim();
  });
}

/**
 * Finds out whether the server is there and takes the key, and leaves a connection open: asks for the list of models. A server that
 * has none is there as well.
 * @throws AgentStreamError `vendor-*`; the signal's reason on abort
 */
export function reach(server: TranscriptionServer, signal: AbortSignal): Promise<void> {
  return exchange(server, signal, async (attemptSignal) => {
    const response = await server.fetch(`${server.baseUrl}/models`, { headers: server.headers, signal: attemptSignal });
    await readText(response);
    const error = response.ok ? null : vendorStatusError(response.status, response.headers.get('retry-after'));
    if (error !== null && error.code !== 'vendor-rejected') throw error;
  });
}
