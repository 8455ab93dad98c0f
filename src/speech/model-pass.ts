import { toAgentStreamError } from '../base/errors.js';

/**
 * What a model streams. Ends as soon as the request's signal aborts, whatever the vendor makes of that.
 * @throws AgentStreamError whatever the vendor threw; the signal's reason on abort
 */
export async function* streamModelPass<Part, Request extends { readonly signal: AbortSignal }>(
  model: { stream(request: Request): AsyncIterable<Part> },
  request: Request,
): AsyncGenerator<Part> {
  const { signal } = request;
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  // Nobody may be waiting when it rejects.
  aborted.catch(() => undefined);
  let iterator: AsyncIterator<Part> | null = null;
  let isDone = false;
  try {
    iterator = model.stream(request)[Symbol.asyncIterator]();
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next.done === true) {
        isDone = true;
        return;
      }
      yield next.value;
    }
  } catch (error) {
    isDone = !signal.aborted;
    throw toAgentStreamError(error, 'vendor-failed');
  } finally {
    signal.removeEventListener('abort', onAbort);
    // Where the vendor still works on a part, its own clean-up comes whenever it is done with it.
    if (!isDone) iterator?.return?.().catch(() => undefined);
  }
}
