import type { Clock } from '../base/clock.js';
import type { ToolCall, ToolResult, Variables } from '../workflow/engine.js';
import type { SpeechAction } from './reply.js';
import type { ToolRunner } from './tools/run-tool.js';

/** A function that the model called, as it ended. */
export interface FinishedTool {
  readonly name: string;
  /** Null: it was not carried out. */
  readonly kind: string | null;
  readonly result: ToolResult;
  readonly durationMs: number;
}

/** Runs the tools of one call, and lets the reply that waits for them go on. */
export interface ToolDesk {
  /** Runs the calls side by side; all of them are reported together. */
  start(batchId: number, calls: readonly ToolCall[], variables: Variables): void;
  /** A reply is going to wait. */
  expect(): void;
  /** What follows in the reply that waits; never settles where something else came in between. */
  following(): Promise<readonly SpeechAction[]>;
  /** The reply that waits goes on with this. */
  goOn(speech: readonly SpeechAction[]): void;
}

/** Creates the desk of one call. */
export function createToolDesk(options: {
  readonly runner: Pick<ToolRunner, 'run'>;
  readonly clock: Clock;
  /** The call's signal: its end is the end of its tools. */
  readonly signal: AbortSignal;
  readonly onToolFinished: (finished: FinishedTool) => void;
  readonly onBatchFinished: (batchId: number, results: readonly ToolResult[]) => void;
  readonly onFault: (error: unknown) => void;
}): ToolDesk {
  const { runner, clock, signal } = options;
  let waiting = createWaiting();

  const runOne = async (call: ToolCall, variables: Variables): Promise<ToolResult> => {
    const startMs = clock.nowMs();
    const result = await runner.run(call, { signal, variables });
    if (!signal.aborted) options.onToolFinished({ name: call.tool.declaration.name, kind: call.tool.kind, result, durationMs: Math.round(clock.nowMs() - startMs) });
    return result;
  };

  return {
    start(batchId, calls, variables) {
      // Not at once: what starts it is in the middle of a step.
      void Promise.resolve()
        .then(() => Promise.all(calls.map((call) => runOne(call, variables))))
        .then((results) => {
          if (!signal.aborted) options.onBatchFinished(batchId, results);
        })
        .catch((error: unknown) => options.onFault(error));
    },
    expect() {
      waiting = createWaiting();
    },
    following: () => waiting.promise,
    goOn: (speech) => waiting.resolve(speech),
  };
}

/** What follows in a reply, before it is known. */
function createWaiting() {
  let resolve: (speech: readonly SpeechAction[]) => void = () => undefined;
  const promise = new Promise<readonly SpeechAction[]>((onResolve) => {
    resolve = onResolve;
  });
  return { promise, resolve };
}
