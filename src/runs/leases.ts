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
 * Extends the leases of the runs this node holds every {@link HEARTBEAT_INTERVAL_MS}, and tells which of them have ended without it and
 * which have used up their owner's minutes. A run it does not hold is not kept alive, whoever minted it. A database that does not answer is
 * logged and tried again at the next beat; one beat never overlaps another.
 */
export function startLeases(options: {
  store: { readonly runs: Pick<RunStore, 'heartbeat'>; readonly quotas: Pick<QuotaStore, 'findExhausted'> };
  nodeId: string;
  clock: Clock;
  log: Log;
  /** Runs whose calls this node holds, from their minting until they are finalised. */
  heldRunIds: () => readonly string[];
  /** Called with held runs that have ended: by this node a moment ago, or by another one that took this node for lost. */
  onEnded: (runIds: readonly string[]) => void;
  /** Called with those whose quota is used up; again at every beat until they have ended. */
  onExhausted: (runIds: readonly string[]) => void;
}): Leases {
  const { store, nodeId, clock, log } = options;
  let current: Promise<void> | null = null;

  async function beat(): Promise<void> {
    const held = options.heldRunIds();
    if (held.length === 0) return;
    try {
      const live = new Set(await store.runs.heartbeat(nodeId, held, LEASE_MS));
      const ended = held.filter((runId) => !live.has(runId));
      if (ended.length > 0) options.onEnded(ended);
      const exhausted = await store.quotas.findExhausted(held);
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
