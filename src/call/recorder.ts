import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FRAME_BYTES, SAMPLE_RATE_HZ } from '../audio/frame.js';
import { mulawToLinear } from '../audio/g711.js';
import { wavHeader } from '../audio/wav.js';
import { sleep, type Clock } from '../base/clock.js';
import { createFramePlacer } from './frame-placer.js';
import { createLevelTrack, type LevelTrack } from './tracks.js';

/** Recent audio kept in memory: agent frames are placed up to 200 ms ahead and may be taken back by a clear. */
const WINDOW_MS = 4000;

/** Audio older than this is settled and goes to disk. */
const SETTLE_MS = 1000;

/** How long the disk may take to complete a recording after the call: its run must not wait for it for ever. */
const CLOSE_LIMIT_MS = 10_000;

/** Disk writes in flight beyond this are dropped, and the recording is marked incomplete: a slow disk must not grow the heap. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

const SAMPLES_PER_MS = SAMPLE_RATE_HZ / 1000;
const WINDOW_SAMPLES = WINDOW_MS * SAMPLES_PER_MS;
const BYTES_PER_SAMPLE_PAIR = 4;
const WAV_FORMAT = { encoding: 'pcm16', channelCount: 2, sampleRateHz: SAMPLE_RATE_HZ } as const;

/**
 * Both sides of a call on one clock. The caller's track is placed as it arrives, the agent's as it is heard: what a clear took
 * back is not on the recording.
 */
export interface Recorder {
  readonly callerLevels: LevelTrack;
  readonly agentLevels: LevelTrack;
  /** 20 ms mu-law of the caller; `atMs` on the call clock. */
  caller(frame: Uint8Array, atMs: number): void;
  /** 20 ms mu-law of the agent that will be heard at `playAtMs`. */
  agent(frame: Uint8Array, playAtMs: number): void;
  /** Everything of the agent after `atMs` was not heard. */
  agentCleared(atMs: number): void;
  /** Writes what is settled; call it about once a second. */
  flush(nowMs: number): void;
  /** Writes the rest and completes the header. Resolves to false where the file is missing or incomplete. */
  close(nowMs: number): Promise<boolean>;
}

/** Opens the file (null: levels only, no file). Fails softly: a call is never lost for its recording. */
export async function openRecorder(path: string | null, onFailure: (error: Error) => void): Promise<Recorder> {
  if (path === null) return createRecorder(null, null, onFailure);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = createWriteStream(path, { mode: 0o600 });
    file.write(wavHeader(WAV_FORMAT));
    return createRecorder(file, path, onFailure);
  } catch (error) {
    onFailure(error instanceof Error ? error : new Error(String(error)));
    return createRecorder(null, null, onFailure);
  }
}

/** Closes a recorder within bounds. Resolves to false where the recording is missing or incomplete. Never rejects. */
export async function closeRecorder(recorder: Pick<Recorder, 'close'>, nowMs: number, clock: Clock): Promise<boolean> {
  const waiting = new AbortController();
  const tooLate = sleep(clock, CLOSE_LIMIT_MS, waiting.signal).then(
    () => false,
    () => false,
  );
  const closing = Promise.resolve()
    .then(() => recorder.close(nowMs))
    .catch(() => false);
  const isComplete = await Promise.race([closing, tooLate]);
  waiting.abort();
  return isComplete;
}

function createRecorder(file: WriteStream | null, path: string | null, onFailure: (error: Error) => void): Recorder {
  // A ring of interleaved sample pairs: even indices caller, odd agent.
  const ring = new Int16Array(WINDOW_SAMPLES * 2);
  const callerLevels = createLevelTrack();
  const agentLevels = createLevelTrack();
  let writtenSamples = 0;
  let isIntact = file !== null;
  const callerTrack = createFramePlacer();

  file?.on('error', (error) => {
    isIntact = false;
    onFailure(error);
  });

  const writeUpTo = (untilSample: number) => {
    const samples = Math.min(untilSample - writtenSamples, WINDOW_SAMPLES);
    if (samples <= 0) return;
    const chunk = Buffer.allocUnsafe(samples * BYTES_PER_SAMPLE_PAIR);
    for (let i = 0; i < samples; i += 1) {
      const at = ((writtenSamples + i) % WINDOW_SAMPLES) * 2;
      chunk.writeInt16LE(ring[at] ?? 0, i * BYTES_PER_SAMPLE_PAIR);
      chunk.writeInt16LE(ring[at + 1] ?? 0, i * BYTES_PER_SAMPLE_PAIR + 2);
      ring[at] = 0;
      ring[at + 1] = 0;
    }
    writtenSamples += samples;
    if (file === null || !isIntact) return;
    if (file.writableLength > MAX_PENDING_BYTES) {
      isIntact = false;
      onFailure(new Error('The disk is too slow for the recording'));
      return;
    }
    file.write(chunk);
  };

  /** Places a frame at `startSample`; what is already on disk is left out. */
  const place = (frame: Uint8Array, startSample: number, channel: 0 | 1): number => {
    const endSample = startSample + frame.length;
    // A flush is overdue: rather settle early than lose what comes.
    while (endSample > writtenSamples + WINDOW_SAMPLES) writeUpTo(endSample - WINDOW_SAMPLES / 2);
    let total = 0;
    for (let i = 0; i < frame.length; i += 1) {
      const value = mulawToLinear[frame[i] ?? 0] ?? 0;
      total += value < 0 ? -value : value;
      const sample = startSample + i;
      if (sample >= writtenSamples) ring[(sample % WINDOW_SAMPLES) * 2 + channel] = value;
    }
    return frame.length === 0 ? 0 : Math.round(total / frame.length);
  };

  return {
    callerLevels,
    agentLevels,
    caller(frame, atMs) {
      const start = callerTrack.place(Math.round(atMs * SAMPLES_PER_MS), frame.length, writtenSamples);
      callerLevels.set(Math.round(start / FRAME_BYTES), place(frame, start, 0));
    },
    agent(frame, playAtMs) {
      const start = Math.round(playAtMs * SAMPLES_PER_MS);
      agentLevels.set(Math.round(start / FRAME_BYTES), place(frame, start, 1));
    },
    agentCleared(atMs) {
      const from = Math.max(writtenSamples, Math.round(atMs * SAMPLES_PER_MS));
      for (let sample = from; sample < writtenSamples + WINDOW_SAMPLES; sample += 1) ring[(sample % WINDOW_SAMPLES) * 2 + 1] = 0;
      for (let index = Math.ceil(from / FRAME_BYTES); index < agentLevels.length; index += 1) agentLevels.set(index, 0);
    },
    flush(nowMs) {
      writeUpTo(Math.floor((nowMs - SETTLE_MS) * SAMPLES_PER_MS));
    },
    async close(nowMs) {
      const endSample = Math.max(callerTrack.endSample, Math.floor(nowMs * SAMPLES_PER_MS));
      while (writtenSamples < endSample) writeUpTo(endSample);
      if (file === null || path === null) return false;
      await new Promise<void>((resolve) => file.end(resolve));
      if (file.errored !== null) return false;
      await completeHeader(path, writtenSamples * BYTES_PER_SAMPLE_PAIR);
      return isIntact;
    },
  };
}

async function completeHeader(path: string, dataBytes: number): Promise<void> {
  const header = wavHeader(WAV_FORMAT, dataBytes);
  const file = await open(path, 'r+');
  try {
    await file.write(header, 0, header.length, 0);
  } finally {
    await file.close();
  }
}
