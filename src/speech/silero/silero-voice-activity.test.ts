import { getPriority } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { sentenceFrames } from '../../../test/contracts/voice-activity.js';
import { systemClock } from '../../base/clock.js';
import { silentLog, type Log } from '../../base/log.js';
import type { VoiceActivityEvent } from '../voice-activity.js';
import { findSileroPackages, spawnWorker, startSilero } from './silero-voice-activity.js';

const isHere = await startSilero({ maxCalls: 1, clock: systemClock, log: silentLog }).then(
  async (thread) => {
    await thread.close();
    return true;
  },
  (error: unknown) => {
    process.stdout.write(`Silero does not load here, and is not tested: ${String(error)}\n`);
    return false;
  },
);

async function start(maxCalls: number) {
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (message) => warnings.push(message) };
  const workers: Worker[] = [];
  const spawn: typeof spawnWorker = (data) => {
    const worker = spawnWorker(data);
    workers.push(worker);
    return worker;
  };
  const thread = await startSilero({ maxCalls, clock: systemClock, log, spawn });
  const openCall = () => {
    const events: VoiceActivityEvent['type'][] = [];
    return { events, detector: thread.open({ confirmMs: null, pauseMs: 200, onEvent: ({ type }) => events.push(type) }) };
  };
  const kill = () => Promise.all(workers.map((worker) => worker.terminate()));
  return { thread, openCall, warnings, kill };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(!isHere)('the thread of Silero', () => {
  it('serves two calls at once, each with its own voice', async () => {
    const { thread, openCall } = await start(2);
    const speaking = openCall();
    const silent = openCall();
    expect(thread.name).toBe('energy');
    const frames = await sentenceFrames('No, wait.');
    const silence = frames[0] ?? new Uint8Array(160);
    for (const frame of frames) {
      speaking.detector.push(frame);
      silent.detector.push(silence);
      await pause(5);
    }
    expect(speaking.events.slice(0, 2)).toEqual(['speech-onset', 'speech-start']);
    expect(silent.events).toEqual([]);
    expect(thread.askedWindows).toBeGreaterThan(10);
    silent.detector.close();
    expect(thread.name).toBe('silero');
    await thread.close();
  });

  it('that is killed leaves its calls to the energy detector, says so once, and gives the next ones that', async () => {
    const { thread, openCall, warnings, kill } = await start(2);
    const call = openCall();
    const frames = await sentenceFrames('No, wait.');
    for (const frame of frames.slice(0, 62)) {
      call.detector.push(frame);
      await pause(5);
    }
    await kill();
    await pause(20);
    for (const frame of frames.slice(62)) call.detector.push(frame);
    expect(call.events.slice(0, 2)).toEqual(['speech-onset', 'speech-start']);
    expect(call.events.at(-1)).toBe('speech-pause');
    expect(warnings).toHaveLength(1);
    expect(thread.name).toBe('energy');
    const next = openCall();
    for (const frame of frames) next.detector.push(frame);
    expect(next.events.slice(0, 2)).toEqual(['speech-onset', 'speech-start']);
    await thread.close();
  });

  it('leaves the priority of the calls’ own thread as it is', async () => {
    const before = getPriority();
    const { thread } = await start(1);
    expect(getPriority()).toBe(before);
    await thread.close();
  });

  it('leaves nothing behind when it is closed, also twice', async () => {
    const count = () => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort' || name === 'Worker').length;
    const before = count();
    const { thread } = await start(1);
    await Promise.all([thread.close(), thread.close()]);
    await pause(20);
    expect(count()).toBe(before);
  });

  it('that cannot load its model says why', async () => {
    const { modelPath } = findSileroPackages();
    const spawn: typeof spawnWorker = (data) => spawnWorker({ ...data, modelPath: `${modelPath}.missing` });
    await expect(startSilero({ maxCalls: 1, clock: systemClock, log: silentLog, spawn })).rejects.toThrow(/silero_vad_v5\.onnx\.missing/);
  });
});
