import { repeat, type Clock } from '../base/clock.js';
import { toAgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { QuotaStore, RunStore } from '../store/store.js';

/** How often a node extends the leases of its runs. */
export const HEARTBEAT_INTERVAL_MS = 5_000;
/** How long a run stays its node's without a heartbeat: two may fail. */
export const LEASE_MS = 15_000;

/** The heartbeat of a node. */
export interface Leases {
  /** Stops and waits for what is under way. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Extends the leases of this node's live runs every {@link HEARTBEAT_INTERVAL_MS}, and tells which of them have used up their owner's
 * minutes. A database that does not answer is logged and tried again at the next beat; one beat never overlaps another.
 */
export function startLeases(options: {
  store: { readonly runs: Pick<RunStore, 'heartbeat'>; readonly quotas: Pick<QuotaStore, 'findExhausted'> };
  nodeId: string;
  clock: Clock;
  log: Log;
  /** Runs whose calls this node holds. */
  liveRunIds: () => readonly string[];
  /** Called with those whose quota is used up; again at every beat until they have ended. */
  onExhausted: (runIds: readonly string[]) => void;
}): Leases {
  const { store, nodeId, clock, log } = options;
  let current: Promise<void> | null = null;

  async function beat(): Promise<void> {
    try {
      await store.runs.heartbeat(nodeId, LEASE_MS);
      const liveRunIds = options.liveRunIds();
      const exhausted = liveRunIds.length === 0 ? [] : await store.quotas.findExhausted(liveRunIds);
      if (exhausted.length > 0) options.onExhausted(exhausted);
    } catch (error) {
      log.warn('The heartbeat failed; trying again at the next one', { code: toAgentStreamError(error).code });
    }
  }

  const timer = repeat(clock, HEARTBEAT_INTERVAL_MS, () => {
    current ??= beat().finally(() => {
      current = null;
    });
  });

  return {
    async stop() {
      timer.cancel();
      await current;
    },
  };
}
