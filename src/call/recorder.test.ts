import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { encodeMulaw } from '../audio/g711.js';
import { parseWav } from '../audio/wav.js';
import { DEFAULT_LEAD_MS } from '../telephony/playout.js';
import { closeRecorder, openRecorder, type Recorder } from './recorder.js';

const FRAME_MS = 20;
const FRAME_SAMPLES = 160;
const SECOND_MS = 1000;
const HEADER_BYTES = 44;
const BYTES_PER_MS = 32;

/** 20 ms of a 500 Hz tone: as loud as speech. */
const TONE = encodeMulaw(Int16Array.from({ length: FRAME_SAMPLES }, (_, i) => Math.round(8000 * Math.sin((2 * Math.PI * 500 * i) / 8000))));
const SILENCE = new Uint8Array(FRAME_SAMPLES).fill(0xff);

let folder: string;
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recorder-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** 0 while there is no such file. */
const sizeOf = (path: string): Promise<number> => stat(path).then(({ size }) => size, () => 0);

const newPath = () => join(folder, `${(files += 1)}.wav`);
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Where bursts of sound begin and end on a track, in ms; breaks of less than 10 ms belong to the sound. */
function burstsOf(samples: Int16Array): { startMs: number; endMs: number }[] {
  const bursts: { startMs: number; endMs: number }[] = [];
  samples.forEach((sample, index) => {
    if (Math.abs(sample) < 1000) return;
    const atMs = index / 8;
    const last = bursts.at(-1);
    if (last !== undefined && atMs - last.endMs < 10) last.endMs = atMs;
    else bursts.push({ startMs: atMs, endMs: atMs });
  });
  return bursts;
}

function expectBursts(samples: Int16Array | undefined, expected: readonly (readonly [number, number])[]): void {
  const bursts = burstsOf(samples ?? new Int16Array(0));
  expect(bursts).toHaveLength(expected.length);
  for (const [index, [startMs, endMs]] of expected.entries()) {
    expect(Math.abs((bursts[index]?.startMs ?? NaN) - startMs)).toBeLessThanOrEqual(20);
    expect(Math.abs((bursts[index]?.endMs ?? NaN) - endMs)).toBeLessThanOrEqual(20);
  }
}

/** Feeds the caller's track frame by frame, the tone within the given spans; `arrivalOf` says when a frame of a time comes in. */
function hearCaller(recorder: Recorder, untilMs: number, spans: readonly (readonly [number, number])[], arrivalOf: (ms: number) => number | null): void {
  const arrivals: { atMs: number; frame: Uint8Array }[] = [];
  for (let ms = 0; ms < untilMs; ms += FRAME_MS) {
    const atMs = arrivalOf(ms);
    if (atMs !== null) arrivals.push({ atMs, frame: spans.some(([from, to]) => ms >= from && ms < to) ? TONE : SILENCE });
  }
  let flushedMs = 0;
  for (const { atMs, frame } of arrivals) {
    for (; flushedMs + SECOND_MS <= atMs; flushedMs += SECOND_MS) recorder.flush(flushedMs + SECOND_MS);
    recorder.caller(frame, atMs);
  }
}

async function record(feed: (recorder: Recorder) => void, endMs: number): Promise<readonly Int16Array[]> {
  const path = newPath();
  const recorder = await openRecorder(path, (error) => expect.fail(error.message));
  feed(recorder);
  expect(await recorder.close(endMs)).toBe(true);
  const { channels, sampleRateHz } = parseWav(await readFile(path));
  expect(sampleRateHz).toBe(8000);
  return channels;
}

describe('the recording', () => {
  it('holds both sides where they were heard, without what a clear took back', async () => {
    const [caller, agent] = await record((recorder) => {
      for (let ms = 0; ms < 6000; ms += FRAME_MS) {
        recorder.caller((ms >= 1000 && ms < 1400) || (ms >= 5000 && ms < 5200) ? TONE : SILENCE, ms);
        // The agent's frames go out ahead of the time at which they are heard.
        if (ms >= 2000 - DEFAULT_LEAD_MS && ms < 2900) recorder.agent(TONE, ms + DEFAULT_LEAD_MS);
        if (ms === 2900) recorder.agentCleared(2900);
        if (ms >= 3500 && ms < 4000) recorder.agent(TONE, ms + 3.5);
        if (ms % SECOND_MS === 0) recorder.flush(ms);
      }
    }, 6000);
    expectBursts(caller, [
      [1000, 1400],
      [5000, 5200],
    ]);
    expectBursts(agent, [
      [2000, 2900],
      [3503.5, 4003.5],
    ]);
    expect(caller?.length).toBe(6000 * 8);
    expect(agent?.length).toBe(6000 * 8);
  });

  it.each<readonly [string, (ms: number) => number | null]>([
    ['comes late and in bursts', (ms) => (ms >= 3000 && ms < 3400 ? 3400 : ms + 7)],
    ['jitters by 60 ms', (ms) => ms + ((ms / FRAME_MS) * 37) % 60],
    ['comes in frames of 100 ms', (ms) => Math.floor(ms / 100) * 100 + 100],
  ])('holds a caller whose audio %s where it was said', async (_name, arrivalOf) => {
    const spans = [
      [2000, 2500],
      [3100, 3300],
      [6000, 6400],
    ] as const;
    const [caller] = await record((recorder) => hearCaller(recorder, 8000, spans, arrivalOf), 8200);
    const bursts = burstsOf(caller ?? new Int16Array(0));
    // The network's own least delay is no fault of the recording.
    const offset = (bursts[0]?.startMs ?? NaN) - 2000;
    expect(Math.abs(offset)).toBeLessThanOrEqual(120);
    expectBursts(caller, spans.map(([from, to]) => [from + offset, to + offset] as const));
  });

  it.each([
    ['is paused for 3 s without a word', 3000],
    ['is paused for 600 ms without a word', 600],
  ])('finds its place again after a stream that %s', async (_name, pauseMs) => {
    const spans = [
      [1000, 1200],
      [7000, 7400],
    ] as const;
    const [caller] = await record(
      (recorder) => hearCaller(recorder, 8000, spans, (ms) => (ms >= 3000 && ms < 3000 + pauseMs ? null : ms)),
      8000,
    );
    expectBursts(caller, spans);
  });

  it('begins with the first frame, however late it comes', async () => {
    const [caller] = await record((recorder) => hearCaller(recorder, 3000, [[1500, 1700]], (ms) => (ms < 740 ? null : ms)), 3000);
    expectBursts(caller, [[1500, 1700]]);
  });

  it('does not lose what comes after a stall of its own flush', async () => {
    const [caller] = await record((recorder) => {
      for (let ms = 0; ms < 12_000; ms += FRAME_MS) recorder.caller(ms >= 10_000 && ms < 10_200 ? TONE : SILENCE, ms);
    }, 12_000);
    expectBursts(caller, [[10_000, 10_200]]);
  });

  it('of an hour is streamed to disk, has the right sizes, and drifts by no more than 20 ms', async () => {
    const minutes = 60;
    const endMs = minutes * 60_000;
    // The caller's clock is 200 ppm slow: 720 ms in an hour.
    const drift = 1.0002;
    const path = newPath();
    const recorder = await openRecorder(path, (error) => expect.fail(error.message));
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    let frame = 0;
    for (let second = 0; second < endMs / SECOND_MS; second += 1) {
      const untilMs = (second + 1) * SECOND_MS;
      // A burst at the beginning of every tenth minute, on both tracks.
      const isBurst = second % 600 === 599;
      for (; frame * FRAME_MS * drift < untilMs; frame += 1) recorder.caller(isBurst ? TONE : SILENCE, frame * FRAME_MS * drift);
      if (isBurst) for (let ms = untilMs - SECOND_MS; ms < untilMs; ms += FRAME_MS) recorder.agent(TONE, ms);
      recorder.flush(untilMs);
      // A real call gives the disk an hour; here it is waited for.
      if (second % 20 === 19) while ((await sizeOf(path)) < (untilMs - 30 * SECOND_MS) * BYTES_PER_MS) await settle();
      if (second % 600 === 0) most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(await recorder.close(endMs)).toBe(true);
    expect(most).toBeLessThan(50_000_000);
    const size = await sizeOf(path);
    // The last frames of a caller's track may reach beyond the end.
    expect(size - HEADER_BYTES - endMs * BYTES_PER_MS).toBeGreaterThanOrEqual(0);
    expect(size - HEADER_BYTES - endMs * BYTES_PER_MS).toBeLessThanOrEqual(FRAME_MS * BYTES_PER_MS);

    const file = await open(path);
    const header = Buffer.alloc(HEADER_BYTES);
    await file.read(header, 0, HEADER_BYTES, 0);
    expect(header.readUInt32LE(4)).toBe(size - 8);
    expect(header.readUInt32LE(40)).toBe(size - HEADER_BYTES);
    for (let second = 599; second < endMs / SECOND_MS; second += 600) {
      const part = Buffer.alloc(3 * SECOND_MS * BYTES_PER_MS);
      await file.read(part, 0, part.length, HEADER_BYTES + (second - 1) * SECOND_MS * BYTES_PER_MS);
      const samples = new Int16Array(part.buffer, part.byteOffset, part.length / 2);
      for (const channel of [0, 1]) {
        const track = samples.filter((_, index) => index % 2 === channel);
        const [burst, ...others] = burstsOf(track).filter(({ startMs, endMs: end }) => end - startMs > 1);
        expect(Math.abs((burst?.startMs ?? NaN) - SECOND_MS)).toBeLessThanOrEqual(20);
        // Where the track is moved to catch up, a sound may have a break of some ms.
        expect(Math.abs((others.at(-1)?.endMs ?? burst?.endMs ?? NaN) - 2 * SECOND_MS)).toBeLessThanOrEqual(20);
      }
    }
    await file.close();
  }, 60_000);
});

describe('a disk that fails', () => {
  it.each([
    ['has no such place', async () => {
      const file = newPath();
      await writeFile(file, '');
      return join(file, 'below', 'a-file.wav');
    }],
    ['has something else in that place', () => Promise.resolve(folder)],
  ])('because it %s is told of, and the levels are kept', async (_name, pathOf) => {
    const failures: Error[] = [];
    const recorder = await openRecorder(await pathOf(), (error) => failures.push(error));
    await settle();
    for (let ms = 0; ms < 3000; ms += FRAME_MS) {
      recorder.caller(ms < 1000 ? TONE : SILENCE, ms);
      if (ms % SECOND_MS === 0) recorder.flush(ms);
    }
    expect(await recorder.close(3000)).toBe(false);
    expect(failures).toHaveLength(1);
    expect(recorder.callerLevels.isAudible(10)).toBe(true);
    expect(recorder.callerLevels.isAudible(100)).toBe(false);
  });

  it('because it is too slow costs the recording, not the memory', async () => {
    const failures: Error[] = [];
    const recorder = await openRecorder(newPath(), (error) => failures.push(error));
    // Nothing reaches the disk within one turn of the event loop.
    for (let ms = 0; ms < 200_000; ms += FRAME_MS) {
      recorder.caller(SILENCE, ms);
      if (ms % SECOND_MS === 0) recorder.flush(ms);
    }
    expect(failures.map(({ message }) => message)).toEqual(['The disk is too slow for the recording']);
    expect(await recorder.close(200_000)).toBe(false);
  });
});

describe('closing', () => {
  const never: Pick<Recorder, 'close'> = { close: () => new Promise<boolean>(() => undefined) };

  it('is bounded: a run does not wait for a dead disk', async () => {
    const clock = createVirtualClock();
    const closing = closeRecorder(never, 0, clock);
    await clock.advance(10_000);
    expect(await closing).toBe(false);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('leaves no timer behind', async () => {
    const clock = createVirtualClock();
    expect(await closeRecorder({ close: () => Promise.resolve(true) }, 0, clock)).toBe(true);
    expect(await closeRecorder({ close: () => Promise.reject(new Error('no')) }, 0, clock)).toBe(false);
    await settle();
    expect(clock.pendingTimers()).toBe(0);
  });

  it('without a file is done at once', async () => {
    const recorder = await openRecorder(null, (error) => expect.fail(error.message));
    recorder.agent(TONE, 0);
    expect(await recorder.close(20)).toBe(false);
    expect(recorder.agentLevels.isAudible(0)).toBe(true);
  });
});
