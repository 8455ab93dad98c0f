import type { Agent, AgentContent, MintResult, Organization, Run, RunFinalisation, Store, SweepRequest, User } from '../../src/store/store.js';

/** An agent document; the store does not look inside. */
export const content: AgentContent = {
  workflow: { nodes: [{ id: 'start', type: 'startCall', data: { prompt: 'Hello' } }], edges: [] },
  settings: { zeta: 1, alpha: { nested: true } },
  variables: { company: 'Acme' },
};

/** An organization with its owner and one agent. */
export interface Tenant {
  readonly organization: Organization;
  readonly owner: User;
  readonly agent: Agent;
}

let tenants = 0;

/** Creates a tenant of its own for a test. */
export async function createTenant(store: Store): Promise<Tenant> {
  tenants += 1;
  const { organization, owner } = await store.accounts.createOrganization({ name: `Tenant ${tenants}`, ownerEmail: `owner${tenants}@example.com` });
  const agent = await store.agents.create({ organizationId: organization.id, ownerUserId: owner.id, name: 'Reception', ...content });
  return { organization, owner, agent };
}

type MintInput = Parameters<Store['runs']['mint']>[0];

/** Mints with what most tests do not care about. */
export function mint(store: Store, agent: Agent, change: Partial<MintInput> = {}): Promise<MintResult> {
  return store.runs.mint({
    agent,
    version: 1,
    mode: 'cloudonix',
    agentConcurrentCalls: null,
    initialContext: { provider: 'cloudonix', caller_number: '+15550001111', called_number: '+15550002222' },
    gatheredContext: {},
    nodeId: 'node-a',
    leaseMs: 15_000,
    ...change,
  });
}

/** Mints a run that must be granted. */
export async function mintRun(store: Store, agent: Agent, change: Partial<MintInput> = {}): Promise<Run> {
  const result = await mint(store, agent, change);
  if (!result.ok) throw new Error(`Refused: ${result.code}`);
  return result.run;
}

/** A sweep by a node that holds nothing and believes every lease; `ended` tells whose runs it ended. */
export async function sweep(store: Store, change: Partial<SweepRequest> = {}): Promise<readonly string[]> {
  const until = new Date(Date.now() + 60_000);
  const { endedRunIds } = await store.runs.sweep({ nodeId: 'node-sweeping', heldRunIds: [], isExclusive: false, leasesBelievedUntil: until, ...change });
  return endedRunIds;
}

/** How a call that the caller ended is finalised. */
export function ending(change: Partial<RunFinalisation> = {}): RunFinalisation {
  return {
    endReason: 'caller_hangup',
    closeCode: 1000,
    closeReason: '',
    durationMs: 61_500,
    gatheredContext: { nodes_visited: ['start'] },
    usage: { llm_tokens: 12 },
    cost: {},
    latency: { turns: [] },
    recordingPath: null,
    ...change,
  };
}
