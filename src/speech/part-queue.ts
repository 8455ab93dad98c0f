import { AgentStreamError } from '../base/errors.js';

/** Parts that may wait to be read: a model sends minutes of speech in seconds, and the reader only hands it on. */
const MAX_WAITING_PARTS = 4096;

/** Parts on their way from a socket's callbacks to whoever iterates over them. */
export interface PartQueue<Part> {
  /** Ignored after the end. */
  push(part: Part): void;
  /** What was pushed is still read, then the iteration is over. */
  end(): void;
  /** The iteration throws at once; what was not read is dropped. Ignored after the end. */
  fail(error: unknown): void;
  /** To be iterated over once. */
  readonly parts: AsyncIterable<Part>;
}

/** Creates an empty queue. Where nobody reads, it fails with `vendor-protocol`. */
export function createPartQueue<Part>(): PartQueue<Part> {
  let waiting: Part[] = [];
  let ending: { readonly error?: unknown } | null = null;
  let wake: () => void = () => undefined;

  const finish = (how: { readonly error?: unknown }) => {
    if (ending !== null) return;
    ending = how;
    if ('error' in how) waiting = [];
    wake();
  };

  async function* read(): AsyncGenerator<Part> {
    for (;;) {
      const part = waiting.shift();
      if (part !== undefined) yield part;
      else if (ending !== null) {
        if ('error' in ending) throw ending.error;
        return;
      } else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  }

  return {
    push(part) {
      if (ending !== null) return;
      if (waiting.length >= MAX_WAITING_PARTS) return finish({ error: new AgentStreamError('vendor-protocol', { message: 'The vendor sent more than is read' }) });
      waiting.push(part);
      wake();
    },
    end: () => finish({}),
    fail: (error) => finish({ error }),
    parts: { [Symbol.asyncIterator]: read },
  };
}
