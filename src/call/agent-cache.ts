import { createHash, timingSafeEqual } from 'node:crypto';
import { setBounded } from '../base/bounded-map.js';
import { repeat, type Clock } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Agent, CallableAgent, FoundAgent, Store } from '../store/store.js';

/** A cached agent is asked for again after this long, even without a notification. */
const FRESH_MS = 30_000;

/** Cached agents; the one longest in it is forgotten first. */
const MAX_CACHED_AGENTS = 2000;

/** Queries that unknown UUIDs may cost, per window; beyond it only known UUIDs are looked up. */
const MAX_MISSES = 20;
const MISS_WINDOW_MS = 10_000;

/** The set of known UUIDs is read anew this often, in case notifications were lost. */
const REFRESH_MS = 60_000;

/** Agents as the stream endpoint finds them: by UUID and stream token, without a query per call or per guess. */
export interface AgentCache {
  /** True where the UUID is known to be an active agent: such calls pass any limit on misses. */
  isKnown(uuid: string): boolean;
  /** @throws AgentStreamError `agent-not-found`: unknown, archived and wrong token alike */
  find(uuid: string | null, streamToken: string | null): Promise<CallableAgent>;
  /** True where the UUID's agent, active or archived, is at hand: telling its owner costs no look-up of a guess. */
  hasOwner(uuid: string): boolean;
  /** The agent of a UUID, active or archived, whatever the token: for telling its owner. */
  ownedAgent(uuid: string | null): Promise<Agent | null>;
  close(): void;
}

/** Opens the cache: reads the UUIDs of all active agents and follows their changes. */
export async function openAgentCache(options: { store: Store; clock: Clock; log: Log }): Promise<AgentCache> {
  const { store, clock, log } = options;
  const cached = new Map<string, { found: FoundAgent; untilMs: number }>();
  let known = new Set(await store.agents.listActiveUuids());
  let misses = 0;
  /** Counts what may have changed: an answer that was asked for before is not kept. */
  let changes = 0;

  const refresh = () => {
    const changesBefore = changes;
    store.agents.listActiveUuids().then(
      (uuids) => {
        if (changes === changesBefore) known = new Set(uuids);
        else refresh();
      },
      (error: unknown) => log.warn('The list of agents could not be read', { error: toAgentStreamError(error).message }),
    );
  };
  const forgetAll = () => {
    changes += 1;
    cached.clear();
    refresh();
  };
  const unsubscribe = store.notifications.subscribe(
    'agent_changed',
    ({ uuid, isActive }) => {
      changes += 1;
      cached.delete(uuid);
      if (isActive) known.add(uuid);
      else known.delete(uuid);
    },
    forgetAll,
  );
  const unsubscribeTools = store.notifications.subscribe(
    'tools_changed',
    ({ organizationId }) => {
      changes += 1;
      for (const [uuid, { found }] of cached) if (found.type === 'callable' && found.callable.agent.organizationId === organizationId) cached.delete(uuid);
    },
    forgetAll,
  );
  const refreshing = repeat(clock, REFRESH_MS, refresh);
  const forgiving = repeat(clock, MISS_WINDOW_MS, () => {
    misses = 0;
  });

  function atHand(uuid: string): FoundAgent | null {
    const entry = cached.get(uuid);
    return entry !== undefined && entry.untilMs > clock.nowMs() ? entry.found : null;
  }

  /** Null for an unknown agent. A UUID that is not known to be active costs a query only while the window's misses last. */
  async function lookUp(uuid: string): Promise<FoundAgent | null> {
    const ready = atHand(uuid);
    if (ready !== null) return ready;
    if (!known.has(uuid)) {
      if (misses >= MAX_MISSES) return null;
      misses += 1;
    }
    const changesBefore = changes;
    const found = await store.agents.findForCall(uuid);
    if (changes !== changesBefore) return found;
    if (found?.type === 'callable') known.add(uuid);
    else known.delete(uuid);
    if (found === null) return null;
    const settledForMs = found.type === 'callable' ? found.callable.settledForMs : null;
    setBounded(cached, uuid, { found, untilMs: clock.nowMs() + Math.min(FRESH_MS, settledForMs ?? FRESH_MS) }, MAX_CACHED_AGENTS);
    return found;
  }

  return {
    isKnown: (uuid) => known.has(uuid),
    async find(uuid, streamToken) {
      const found = uuid === null ? null : await lookUp(uuid);
      if (found?.type !== 'callable' || !isTokenAccepted(found.callable, streamToken)) throw new AgentStreamError('agent-not-found');
      return found.callable;
    },
    hasOwner: (uuid) => known.has(uuid) || atHand(uuid) !== null,
    async ownedAgent(uuid) {
      const found = uuid === null ? null : await lookUp(uuid);
      return found?.type === 'callable' ? found.callable.agent : (found?.agent ?? null);
    },
    close() {
      unsubscribe();
      unsubscribeTools();
      refreshing.cancel();
      forgiving.cancel();
    },
  };
}

/** An agent that requires no token takes URLs with and without one: removing the token must not break URLs in use. */
function isTokenAccepted(agent: CallableAgent, streamToken: string | null): boolean {
  if (agent.streamTokenHashes.length === 0) return true;
  if (streamToken === null) return false;
  const hash = createHash('sha256').update(streamToken).digest();
  return agent.streamTokenHashes.some((accepted) => accepted.length === hash.length && timingSafeEqual(accepted, hash));
}
