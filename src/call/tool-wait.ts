import { sleep, type Clock } from '../base/clock.js';
import type { WorkflowAction } from '../workflow/engine.js';

/** How long a caller who has heard nothing waits for the first word. */
const FIRST_WORD_MS = 3000;
/** Between one waiting line and the next, and after words that were said before. */
const WAITING_LINE_EVERY_MS = 8000;

type AwaitTools = Extract<WorkflowAction, { type: 'await-tools' }>;

/** What waiting takes. */
export interface ToolWaitPorts {
  readonly clock: Clock;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** True where the caller has heard something of the reply already. */
  readonly hasAudio: boolean;
  /** Speaks fixed words. @throws AgentStreamError `vendor-*` */
  readonly say: (text: string) => Promise<void>;
}

/**
 * Waits for tools, and tells the caller so: the tool's own filler once it takes that long, then a waiting line every few seconds.
 * @throws the signal's reason, once it fires; what `say` throws
 */
export async function waitForTools<T>({ filler, waitingText }: AwaitTools, done: Promise<T>, ports: ToolWaitPorts): Promise<T> {
  const { clock, signal, hasAudio, say } = ports;
  let next = filler ?? { text: waitingText, afterMs: hasAudio ? WAITING_LINE_EVERY_MS : FIRST_WORD_MS };
  for (;;) {
    const pause = new AbortController();
    const isOver = await Promise.race([
      done.then(() => true),
      sleep(clock, next.afterMs, AbortSignal.any([signal, pause.signal])).then(() => false),
    ]).finally(() => pause.abort());
    signal.throwIfAborted();
    if (isOver) return done;
    await say(next.text);
    next = { text: waitingText, afterMs: WAITING_LINE_EVERY_MS };
  }
}
