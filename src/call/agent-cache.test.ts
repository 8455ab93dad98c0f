import { createHash, randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { silentLog } from '../base/log.js';
import type { Agent, CallableAgent, FoundAgent, Store } from '../store/store.js';
import { openAgentCache, type AgentCache } from './agent-cache.js';

const uuid = randomUUID();
const hashOf = (token: string) => createHash('sha256').update(token).digest();
const agentOf = (change: Partial<CallableAgent> = {}) => ({ agent: { uuid, organizationId: 'organization' }, version: { number: 1 }, streamTokenHashes: [], settledForMs: null, ...change }) as unknown as CallableAgent;

/** A store of one agent, whose look-ups a test can hold up. */
async function openCache(known: readonly string[] = [uuid]) {
  const clock = createVirtualClock();
  const listeners = new Map<string, (change: unknown) => void>();
  let agent: CallableAgent | Agent | null = agentOf();
  let delay: Promise<void> = Promise.resolve();
  const lookUps: string[] = [];
  const store = {
    agents: {
      listActiveUuids: async () => known,
      async findForCall(asked: string): Promise<FoundAgent | null> {
        lookUps.push(asked);
        const found = asked === uuid ? agent : null;
        await delay;
        if (found === null) return null;
        return 'version' in found ? { type: 'callable', callable: found } : { type: 'archived', agent: found };
      },
    },
    notifications: {
      subscribe(channel: string, listener: (change: unknown) => void) {
        listeners.set(channel, listener);
        return () => listeners.delete(channel);
      },
    },
  } as unknown as Store;
  const cache = await openAgentCache({ store, clock, log: silentLog });
  caches.push(cache);
  return {
    cache,
    clock,
    lookUps,
    announce: (isActive: boolean) => listeners.get('agent_changed')?.({ uuid, isActive }),
    announceTools: (organizationId: string) => listeners.get('tools_changed')?.({ organizationId }),
    setAgent: (value: CallableAgent | Agent | null) => void (agent = value),
    holdUp: (until: Promise<void>) => void (delay = until),
  };
}

const caches: AgentCache[] = [];
afterEach(() => {
  for (const cache of caches.splice(0)) cache.close();
});

const notFound = { code: 'agent-not-found' };

describe('agents as calls find them', () => {
  it('are asked for once, and again when they changed or half a minute has passed', async () => {
    const { cache, clock, lookUps, announce } = await openCache();
    for (let count = 0; count < 3; count += 1) await cache.find(uuid, null);
    expect(lookUps).toHaveLength(1);
    announce(true);
    await cache.find(uuid, null);
    expect(lookUps).toHaveLength(2);
    await clock.advance(30_000);
    await cache.find(uuid, null);
    expect(lookUps).toHaveLength(3);
  });

  it('are looked up anew when the tools of their organization change', async () => {
    const { cache, lookUps, announceTools } = await openCache();
    await cache.find(uuid, null);
    announceTools('another');
    await cache.find(uuid, null);
    expect(lookUps).toHaveLength(1);
    announceTools('organization');
    await cache.find(uuid, null);
    expect(lookUps).toHaveLength(2);
  });

  it('are not kept as they were before a change that came while they were looked up', async () => {
    const { cache, announce, setAgent, holdUp } = await openCache();
    let goOn: () => void = () => undefined;
    holdUp(new Promise((resolve) => (goOn = resolve)));
    const first = cache.find(uuid, null);
    setAgent(null);
    announce(false);
    goOn();
    await first;
    await expect(cache.find(uuid, null)).rejects.toMatchObject(notFound);
    expect(cache.isKnown(uuid)).toBe(false);
  });

  it('cost a bounded number of queries per window where nobody knows them', async () => {
    const { cache, clock, lookUps } = await openCache();
    for (let count = 0; count < 100; count += 1) await expect(cache.find(randomUUID(), null)).rejects.toMatchObject(notFound);
    await expect(cache.find(null, null)).rejects.toMatchObject(notFound);
    expect(lookUps).toHaveLength(20);
    await cache.find(uuid, null);
    expect(lookUps).toHaveLength(21);
    await clock.advance(10_000);
    await expect(cache.find(randomUUID(), null)).rejects.toMatchObject(notFound);
    expect(lookUps).toHaveLength(22);
  });

  it('that are gone are no longer known, and cost no query each', async () => {
    const { cache, lookUps, setAgent } = await openCache();
    setAgent(null);
    for (let count = 0; count < 100; count += 1) await expect(cache.find(uuid, null)).rejects.toMatchObject(notFound);
    expect(lookUps.length).toBeLessThanOrEqual(21);
  });

  it('that are archived take no calls, but have an owner to tell, by the look-up that found them so', async () => {
    const { cache, lookUps, announce, setAgent } = await openCache();
    setAgent({ uuid, organizationId: 'organization', isArchived: true } as Agent);
    announce(false);
    expect(cache.hasOwner(uuid)).toBe(false);
    await expect(cache.find(uuid, null)).rejects.toMatchObject(notFound);
    expect([cache.isKnown(uuid), cache.hasOwner(uuid)]).toEqual([false, true]);
    expect(await cache.ownedAgent(uuid)).toMatchObject({ organizationId: 'organization' });
    await expect(cache.find(uuid, 'any-token')).rejects.toMatchObject(notFound);
    expect(lookUps).toHaveLength(1);
    const unknown = randomUUID();
    await expect(cache.find(unknown, null)).rejects.toMatchObject(notFound);
    expect(cache.hasOwner(unknown)).toBe(false);
    setAgent(agentOf());
    announce(true);
    expect(await cache.find(uuid, null)).toMatchObject({ version: { number: 1 } });
  });

  it('take any of their tokens, and no other', async () => {
    const { cache, setAgent } = await openCache();
    setAgent(agentOf({ streamTokenHashes: [hashOf('new'), hashOf('old')] }));
    await cache.find(uuid, 'new');
    await cache.find(uuid, 'old');
    for (const token of [null, '', 'other', 'NEW']) await expect(cache.find(uuid, token)).rejects.toMatchObject(notFound);
    expect(await cache.ownedAgent(uuid)).toMatchObject({ uuid });
  });

  it('are asked for anew when their former token expires', async () => {
    const { cache, clock, setAgent } = await openCache();
    setAgent(agentOf({ streamTokenHashes: [hashOf('new'), hashOf('old')], settledForMs: 2000 }));
    await cache.find(uuid, 'old');
    setAgent(agentOf({ streamTokenHashes: [hashOf('new')] }));
    await clock.advance(2000);
    await expect(cache.find(uuid, 'old')).rejects.toMatchObject(notFound);
  });
});
