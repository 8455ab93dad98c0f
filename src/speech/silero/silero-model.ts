import { INPUT_SAMPLES, type WindowRing } from './window-ring.js';

/** Most windows that are scored at once: their answers come together, after some 2 ms. */
const MAX_BATCH = 64;

/** Numbers of one call's state in the model: [2, 1, 128]. */
const STATE_SIZE = 128;

interface Tensor {
  readonly data: unknown;
}

/** The little of `onnxruntime-node` that is used; the package is optional, and so are its types. */
export interface OnnxRuntime {
  readonly Tensor: new (type: string, data: Float32Array | BigInt64Array, dims: readonly number[]) => Tensor;
  readonly InferenceSession: {
    create(path: string, options: Readonly<Record<string, unknown>>): Promise<{ run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>> }>;
  };
}

/** Scores what waits in the ring. */
export interface SileroModel {
  /** One window of each slot that has one waiting, as one batch; returns how many there were. */
  scoreWaiting(): Promise<number>;
}

function floats(tensor: Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new TypeError('The model answered something else than numbers');
}

/**
 * Loads Silero 5 (github.com/snakers4/silero-vad): `input` [n, 288], `state` [2, n, 128], `sr` 8000; out come `output` [n, 1] and
 * `stateN`. One thread: the work of a window is too small to be shared.
 */
export async function loadSileroModel(runtime: OnnxRuntime, path: string, ring: WindowRing): Promise<SileroModel> {
  const session = await runtime.InferenceSession.create(path, { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential' });
  const rate = new runtime.Tensor('int64', BigInt64Array.of(8000n), []);
  const inputs = new Float32Array(MAX_BATCH * INPUT_SAMPLES);
  const batchState = new Float32Array(2 * MAX_BATCH * STATE_SIZE);
  /** Both layers of every slot's state. */
  const states = new Float32Array(ring.slots * 2 * STATE_SIZE);
  const batch = new Int32Array(MAX_BATCH);
  /** Where the next gathering begins, so that every slot has its turn. */
  let from = 0;

  const stateOf = (slot: number, layer: number) => states.subarray((2 * slot + layer) * STATE_SIZE, (2 * slot + layer + 1) * STATE_SIZE);

  function gather(): number {
    let count = 0;
    let next = from;
    for (let i = 0; i < ring.slots && count < MAX_BATCH; i += 1) {
      const slot = (from + i) % ring.slots;
      const window = ring.answered(slot);
      if (window === ring.asked(slot)) continue;
      inputs.set(ring.input(slot, window), count * INPUT_SAMPLES);
      if (ring.isFirst(slot, window)) states.fill(0, 2 * slot * STATE_SIZE, (2 * slot + 2) * STATE_SIZE);
      batch[count] = slot;
      count += 1;
      next = slot + 1;
    }
    from = next % ring.slots;
    return count;
  }

  return {
    async scoreWaiting() {
      const count = gather();
      if (count === 0) return 0;
      for (let n = 0; n < count; n += 1) {
        batchState.set(stateOf(batch[n] as number, 0), n * STATE_SIZE);
        batchState.set(stateOf(batch[n] as number, 1), (count + n) * STATE_SIZE);
      }
      const input = new runtime.Tensor('float32', inputs.subarray(0, count * INPUT_SAMPLES), [count, INPUT_SAMPLES]);
      const state = new runtime.Tensor('float32', batchState.subarray(0, 2 * count * STATE_SIZE), [2, count, STATE_SIZE]);
      const found = await session.run({ input, state, sr: rate });
      const scores = floats(found['output']);
      const newState = floats(found['stateN']);
      for (let n = 0; n < count; n += 1) {
        const slot = batch[n] as number;
        stateOf(slot, 0).set(newState.subarray(n * STATE_SIZE, (n + 1) * STATE_SIZE));
        stateOf(slot, 1).set(newState.subarray((count + n) * STATE_SIZE, (count + n + 1) * STATE_SIZE));
        ring.answer(slot, scores[n] as number);
      }
      return count;
    },
  };
}
