import type { Clock } from '../base/clock.js';
import { toAgentStreamError, type AgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Store } from '../store/store.js';
import { createTokenBucket, type TokenBucket } from '../telephony/token-bucket.js';
import type { AgentCache } from './agent-cache.js';

/** Refusals of one agent that are recorded at once, and per second: a flood must not become a flood of writes. */
const RECORDED_AT_ONCE = 50;
const RECORDED_PER_SECOND = 1;

/** Agents whose rate is remembered; the one least recently refused is forgotten first. */
const MAX_AGENTS = 2000;

/** Tells owners of streams that were turned away before they had a run. */
export interface Refusals {
  /** Never rejects. Does nothing where nobody owns what was asked for. */
  record(agentUuid: string | null, failure: AgentStreamError): Promise<void>;
}

/** Records refusals in the store, at a bounded rate per agent. */
export function createRefusals(options: { readonly store: Pick<Store, 'refusals'>; readonly agents: AgentCache; readonly clock: Clock; readonly log: Log }): Refusals {
  const { store, agents, clock, log } = options;
  const buckets = new Map<string, TokenBucket>();

  function isAdmitted(agentUuid: string): boolean {
    const bucket = buckets.get(agentUuid) ?? createTokenBucket({ capacity: RECORDED_AT_ONCE, perSecond: RECORDED_PER_SECOND });
    buckets.delete(agentUuid);
    buckets.set(agentUuid, bucket);
    const oldest = buckets.keys().next();
    if (buckets.size > MAX_AGENTS && oldest.done !== true) buckets.delete(oldest.value);
    return bucket.take(clock.nowMs(), 1);
  }

  return {
    async record(agentUuid, failure) {
      // Nobody's: not worth another query.
      if (agentUuid === null || (failure.code === 'agent-not-found' && !agents.hasOwner(agentUuid))) return;
      try {
        const agent = await agents.ownedAgent(agentUuid);
        if (agent === null || !isAdmitted(agent.uuid)) return;
        const { code: closeCode, reason } = failure.close;
        await store.refusals.add({ organizationId: agent.organizationId, agentUuid: agent.uuid, closeCode, reason });
      } catch (error) {
        log.warn('A refusal could not be recorded', { error: toAgentStreamError(error).message });
      }
    },
  };
}
