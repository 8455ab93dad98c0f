import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { AgentStreamError } from '../base/errors.js';
import { silentLog } from '../base/log.js';
import type { Agent } from '../store/store.js';
import type { AgentCache } from './agent-cache.js';
import { createRefusals } from './refusals.js';

const uuid = randomUUID();

function setUp() {
  const clock = createVirtualClock();
  const added: { agentUuid: string; closeCode: number; reason: string }[] = [];
  let isBroken = false;
  const refusals = createRefusals({
    clock,
    log: silentLog,
    store: {
      refusals: {
        async add(refusal) {
          if (isBroken) throw new AgentStreamError('database-unavailable');
          added.push(refusal);
        },
        list: () => Promise.reject(new Error('not asked for')),
      },
    },
    agents: {
      hasOwner: (asked: string) => asked === uuid,
      ownedAgent: async (asked: string | null) => (asked === uuid ? ({ uuid, organizationId: 'organization' } as Agent) : null),
    } as AgentCache,
  });
  return { clock, added, refusals, breakDown: () => void (isBroken = true) };
}

describe('refusals', () => {
  it('are kept for the owner, with what the peer was told', async () => {
    const { added, refusals } = setUp();
    await refusals.record(uuid, new AgentStreamError('quota-exceeded'));
    await refusals.record(uuid, new AgentStreamError('database-unavailable'));
    expect(added).toEqual([
      { organizationId: 'organization', agentUuid: uuid, closeCode: 1008, reason: 'Quota exceeded' },
      { organizationId: 'organization', agentUuid: uuid, closeCode: 1011, reason: 'Internal server error' },
    ]);
  });

  it('of what nobody owns are not kept', async () => {
    const { added, refusals } = setUp();
    await refusals.record(null, new AgentStreamError('agent-not-found'));
    await refusals.record(randomUUID(), new AgentStreamError('agent-not-found'));
    await refusals.record(randomUUID(), new AgentStreamError('unknown-provider'));
    expect(added).toEqual([]);
  });

  it('of one agent are kept at a bounded rate', async () => {
    const { clock, added, refusals } = setUp();
    const flood = () => Promise.all(Array.from({ length: 500 }, () => refusals.record(uuid, new AgentStreamError('agent-not-found'))));
    await flood();
    expect(added).toHaveLength(50);
    await clock.advance(10_000);
    await flood();
    expect(added).toHaveLength(60);
  });

  it('that cannot be kept are nobody’s problem', async () => {
    const { refusals, breakDown } = setUp();
    breakDown();
    await expect(refusals.record(uuid, new AgentStreamError('node-full'))).resolves.toBeUndefined();
  });
});
