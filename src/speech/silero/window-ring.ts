/** Samples of one window: 32 ms at 8 kHz, what Silero 5 takes in its 8 kHz mode. */
export const WINDOW_SAMPLES = 256;

/** Samples before the window that the model must be shown with it, or it finds half of the speech. */
const CONTEXT_SAMPLES = 32;

/** Numbers per window as the model takes them: context, then window. */
export const INPUT_SAMPLES = CONTEXT_SAMPLES + WINDOW_SAMPLES;

/** Windows of one call that may wait for their answer: half a second of audio. */
export const RING_WINDOWS = 16;

const SIGNAL = 0;
const STOP = 1;
const HEADER = 2;

/** Longest sleep of the worker without a signal. */
const MAX_SLEEP_MS = 1000;

/** What both threads know of the memory between them. */
export interface RingMemory {
  readonly slots: number;
  readonly control: SharedArrayBuffer;
  readonly inputs: SharedArrayBuffer;
  readonly scores: SharedArrayBuffer;
}

/** Memory for so many calls: 18 KiB each. */
export function allocateRing(slots: number): RingMemory {
  const windows = slots * RING_WINDOWS;
  return {
    slots,
    control: new SharedArrayBuffer(4 * (HEADER + 2 * slots + windows)),
    inputs: new SharedArrayBuffer(4 * windows * INPUT_SAMPLES),
    scores: new SharedArrayBuffer(4 * windows),
  };
}

/**
 * The windows of all calls between the calls' thread, which asks, and the model's, which answers: one ring per slot, a slot per call.
 * Numbers of windows only grow, so that a slot's next call never takes an answer of the one before.
 */
export class WindowRing {
  readonly slots: number;
  readonly #control: Int32Array;
  readonly #inputs: Float32Array;
  readonly #scores: Float32Array;
  readonly #resets: number;

  constructor({ slots, control, inputs, scores }: RingMemory) {
    this.slots = slots;
    this.#control = new Int32Array(control);
    this.#inputs = new Float32Array(inputs);
    this.#scores = new Float32Array(scores);
    this.#resets = HEADER + 2 * slots;
  }

  /** How many windows were asked in the slot so far. */
  asked(slot: number): number {
    return Atomics.load(this.#control, HEADER + slot);
  }

  /** How many of them were answered. */
  answered(slot: number): number {
    return Atomics.load(this.#control, HEADER + this.slots + slot);
  }

  /** Where the next window of the slot is to be written; null where {@link RING_WINDOWS} wait already. */
  nextInput(slot: number): Float32Array | null {
    const asked = this.asked(slot);
    if (asked - this.answered(slot) >= RING_WINDOWS) return null;
    return this.input(slot, asked);
  }

  /** The window is written: asks for its score. `isFirst`: it does not continue the one before. */
  ask(slot: number, isFirst: boolean): void {
    const asked = this.asked(slot);
    this.#control[this.#resets + this.#entry(slot, asked)] = isFirst ? 1 : 0;
    Atomics.store(this.#control, HEADER + slot, asked + 1);
    Atomics.add(this.#control, SIGNAL, 1);
    Atomics.notify(this.#control, SIGNAL);
  }

  /** Probability of speech in an answered window, 0 to 1. */
  score(slot: number, window: number): number {
    return this.#scores[this.#entry(slot, window)] as number;
  }

  input(slot: number, window: number): Float32Array {
    const at = this.#entry(slot, window) * INPUT_SAMPLES;
    return this.#inputs.subarray(at, at + INPUT_SAMPLES);
  }

  isFirst(slot: number, window: number): boolean {
    return this.#control[this.#resets + this.#entry(slot, window)] === 1;
  }

  /** The model's thread has the oldest waiting window's score. */
  answer(slot: number, score: number): void {
    const answered = this.answered(slot);
    this.#scores[this.#entry(slot, answered)] = score;
    Atomics.store(this.#control, HEADER + this.slots + slot, answered + 1);
  }

  /** Blocks the model's thread until anything is asked after `seen`; then for `collectMs` more, so that other calls' windows join. */
  sleep(seen: number, collectMs: number): void {
    Atomics.wait(this.#control, SIGNAL, seen, MAX_SLEEP_MS);
    if (collectMs > 0) Atomics.wait(this.#control, STOP, 0, collectMs);
  }

  get signal(): number {
    return Atomics.load(this.#control, SIGNAL);
  }

  get isStopped(): boolean {
    return Atomics.load(this.#control, STOP) === 1;
  }

  /** Tells the model's thread to end. */
  stop(): void {
    Atomics.store(this.#control, STOP, 1);
    Atomics.add(this.#control, SIGNAL, 1);
    Atomics.notify(this.#control, SIGNAL);
    Atomics.notify(this.#control, STOP);
  }

  #entry(slot: number, window: number): number {
    return slot * RING_WINDOWS + (window % RING_WINDOWS);
  }
}
