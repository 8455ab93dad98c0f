/** A computation that pauses now and then, so that the calls of the process are not kept waiting; `return` is its result. */
export type SlicedComputation<Result> = Generator<void, Result>;

/**
 * Runs a computation slice by slice and lets the event loop turn in between.
 * @throws the signal's reason on abort, at the next pause.
 */
export async function runInSlices<Result>(computation: SlicedComputation<Result>, signal: AbortSignal): Promise<Result> {
  for (;;) {
    const step = computation.next();
    if (step.done === true) return step.value;
    await new Promise<void>((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
}
