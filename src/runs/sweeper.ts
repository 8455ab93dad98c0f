import { repeat, type Clock } from '../base/clock.js';
import { toAgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { RunStore } from '../store/store.js';

/** How often runs with expired leases are looked for. With the lease: a lost run has ended 20 s after its node died. */
export const SWEEP_INTERVAL_MS = 5_000;

/** The search for runs whose node died. */
export interface Sweeper {
  /** Resolves when the sweep of the start is done, successful or not. */
  readonly firstSweep: Promise<void>;
  /** Stops and waits for what is under way. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Ends runs whose node died: at once, and every {@link SWEEP_INTERVAL_MS}. Every node sweeps; each run is ended once.
 * A database that does not answer is logged and tried again at the next sweep.
 */
export function startSweeper(options: {
  store: { readonly runs: Pick<RunStore, 'sweep'> };
  clock: Clock;
  log: Log;
  /** This node's id where no other node uses the database (the embedded one): live runs of any other id are a former process's. */
  exclusiveNodeId?: string | undefined;
}): Sweeper {
  const { store, clock, log, exclusiveNodeId } = options;
  let current: Promise<void> | null = null;

  async function sweep(): Promise<void> {
    try {
      const ended = await store.runs.sweep(exclusiveNodeId);
      if (ended.length > 0) log.warn('Runs of a lost node were ended', { runs: ended.length });
    } catch (error) {
      log.warn('The sweep failed; trying again at the next one', { code: toAgentStreamError(error).code });
    }
  }

  function start(): Promise<void> {
    current ??= sweep().finally(() => {
      current = null;
    });
    return current;
  }

  const firstSweep = start();
  const timer = repeat(clock, SWEEP_INTERVAL_MS, () => void start());

  return {
    firstSweep,
    async stop() {
      timer.cancel();
      await current;
    },
  };
}
