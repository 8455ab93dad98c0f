// The model's thread. `run()` of onnxruntime-node blocks the thread that calls it, so the calls' own must not.
import { createRequire } from 'node:module';
import { constants, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { loadSileroModel, type OnnxRuntime } from './silero-model.js';
import { WindowRing, type RingMemory } from './window-ring.js';

/** What the thread is started with. */
export interface SileroWorkerData {
  readonly ring: RingMemory;
  /** Paths of the runtime's entry and of the model. */
  readonly runtimePath: string;
  readonly modelPath: string;
  /** How long windows of other calls are waited for once one is there, ms. */
  readonly collectMs: number;
}

/** `ready` once, then `scored` after every batch: the scores themselves are in the ring. */
export type SileroWorkerMessage = 'ready' | 'scored';

const { ring: memory, runtimePath, modelPath, collectMs } = workerData as SileroWorkerData;
const ring = new WindowRing(memory);
// On Linux a priority is the thread's own (setpriority(2)): where cores are short, audio goes first, and late answers have a stand-in.
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
const post = (message: SileroWorkerMessage) => parentPort?.postMessage(message);
const runtime = createRequire(import.meta.url)(runtimePath) as OnnxRuntime;
const model = await loadSileroModel(runtime, modelPath, ring);
post('ready');
while (!ring.isStopped) {
  const { signal } = ring;
  if ((await model.scoreWaiting()) > 0) post('scored');
  else ring.sleep(signal, collectMs);
}
