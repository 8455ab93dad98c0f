import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { createResampler } from '../../audio/resample.js';
import { parseWav } from '../../audio/wav.js';
import { deadlineSignal, type Clock } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import { runInSlices, type SlicedComputation } from './slices.js';

/** Longest a clause may take to render; espeak-ng needs some 20 ms. */
const RENDER_TIMEOUT_MS = 5000;

/** Most audio taken from one clause: 3 minutes of 22.05 kHz PCM16. */
const MAX_WAV_BYTES = 8_000_000;

/** espeak-ng processes at a time, over all calls of this process. */
const MAX_PROCESSES = 4;

/** Clauses that may wait for a process; more are refused. */
const MAX_WAITING = 500;

/** Samples resampled at a stretch: about 1 ms of computing. */
const SLICE_SAMPLES = 11_025;

/** How a clause is spoken. */
export interface EspeakOptions {
  readonly voice: string;
  readonly wordsPerMinute: number;
  readonly pitch: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

let knownPath: string | null | undefined;

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Absent, or not executable: either way it cannot be run.
    return false;
  }
}

/** Path of the system's espeak-ng; null where there is none. Looked up once. */
export function findEspeak(): string | null {
  if (knownPath === undefined) {
    const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
    knownPath = folders.map((folder) => join(folder, 'espeak-ng')).find(isExecutable) ?? null;
  }
  return knownPath;
}

let running = 0;
const waiting: (() => void)[] = [];

async function takeSlot(signal: AbortSignal): Promise<void> {
  if (running < MAX_PROCESSES) {
    running += 1;
    return;
  }
  if (waiting.length >= MAX_WAITING) throw new AgentStreamError('vendor-failed', { message: 'Too many clauses wait for espeak-ng.' });
  await new Promise<void>((resolve, reject) => {
    const onAbort = () => {
      waiting.splice(waiting.indexOf(grant), 1);
      reject(signal.reason);
    };
    const grant = () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    waiting.push(grant);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Hands the slot to the next in line, or gives it back. */
function returnSlot(): void {
  const next = waiting.shift();
  if (next === undefined) running -= 1;
  else next();
}

/** Text that espeak-ng reads as text: no control characters, no `[[` that would begin phoneme codes. */
function plainText(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').replaceAll('[[', '[ [');
}

function collect(child: ChildProcess, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (error: unknown) => {
      child.kill('SIGKILL');
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    child.stdout?.on('data', (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > MAX_WAV_BYTES) fail(new AgentStreamError('vendor-failed', { message: 'espeak-ng gave more audio than a clause can hold.' }));
    });
    child.on('error', (cause) => fail(new AgentStreamError('vendor-failed', { message: 'espeak-ng could not be run.', cause })));
    child.on('close', (code) => {
      signal.removeEventListener('abort', onAbort);
      if (code === 0) resolve(Buffer.concat(chunks, size));
      else reject(new AgentStreamError('vendor-failed', { message: `espeak-ng ended with code ${code ?? 'none'}.` }));
    });
    // A child that has gone away closes its input early; its exit code tells the reason.
    child.stdin?.on('error', (cause) => fail(new AgentStreamError('vendor-failed', { message: 'espeak-ng took no text.', cause })));
  });
}

function* toPhoneRate(wav: Buffer): SlicedComputation<Int16Array> {
  const { sampleRateHz, channels } = parseWav(wav);
  const samples = channels[0] ?? new Int16Array(0);
  const resampler = createResampler(sampleRateHz, SAMPLE_RATE_HZ);
  const parts: Int16Array[] = [];
  for (let at = 0; at < samples.length; at += SLICE_SAMPLES) {
    parts.push(resampler.push(samples.subarray(at, at + SLICE_SAMPLES)));
    yield;
  }
  parts.push(resampler.flush());
  const out = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let filled = 0;
  for (const part of parts) {
    out.set(part, filled);
    filled += part.length;
  }
  return out;
}

async function run(path: string, text: string, options: EspeakOptions): Promise<Int16Array> {
  const deadline = deadlineSignal(options.clock, RENDER_TIMEOUT_MS, options.signal, () => new AgentStreamError('vendor-failed', { message: 'espeak-ng took too long.' }));
  try {
    deadline.signal.throwIfAborted();
    const { voice, wordsPerMinute, pitch } = options;
    const child: ChildProcess = spawn(path, ['-v', voice, '-s', String(wordsPerMinute), '-p', String(pitch), '-b', '1', '--stdin', '--stdout'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const wav = collect(child, deadline.signal);
    child.stdin?.end(plainText(text));
    return await runInSlices(toPhoneRate(await wav), deadline.signal);
  } finally {
    deadline.dispose();
  }
}

/**
 * Renders one clause with the system's espeak-ng, at 8 kHz.
 * @throws AgentStreamError `vendor-failed` where it is missing, fails or takes too long; the signal's reason on abort.
 */
export async function renderWithEspeak(text: string, options: EspeakOptions): Promise<Int16Array> {
  const path = findEspeak();
  if (path === null) throw new AgentStreamError('vendor-failed', { message: 'espeak-ng is not installed.' });
  options.signal.throwIfAborted();
  await takeSlot(options.signal);
  try {
    return await run(path, text, options);
  } finally {
    returnSlot();
  }
}
