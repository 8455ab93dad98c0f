import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { SIMULATOR_BEARER_TOKEN, SIMULATOR_DOMAIN } from '../simulator/place-call.js';
import type { Agent, Principal, Store } from '../store/store.js';
import { demoDocument } from '../workflow/demo-document.js';
import { cliApiKeyFile } from './connection.js';
import { createLocalApiKey } from './local-api-key.js';

/** Name of the demo's agent. */
const demoAgentName = 'Front desk';

/** Agents looked through for one to reuse. */
const agentsLimit = 200;

/** Whatever keys the environment holds, the demo talks to the simulated vendors alone; the voice is brisk so that the call is short. */
const demoSettings = {
  models: { stt: { vendor: 'builtin' }, llm: { vendor: 'builtin' }, tts: { vendor: 'builtin', words_per_minute: 200 } },
};

/** Who owns the demo's agent: the holder of the data directory's API key; on an empty database a new organization and key. */
export async function ensureLocalOwner(store: Store, dataDir: string): Promise<Omit<Principal, 'apiKeyId'>> {
  const path = join(dataDir, cliApiKeyFile);
  const key = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  const holder = key === null ? null : await store.accounts.authenticate(key.trim());
  if (holder !== null) return holder;
  const { organization, owner } = await store.accounts.createOrganization({ name: 'Demo', ownerEmail: 'demo@localhost' });
  const principal = { organizationId: organization.id, userId: owner.id };
  await createLocalApiKey(store, dataDir, principal);
  return principal;
}

/** An agent with the demo's very content, from an earlier run; one of the same name that was edited is left alone. */
async function findAgent(store: Store, organizationId: string): Promise<Agent | null> {
  const { items } = await store.agents.list(organizationId, { limit: agentsLimit });
  for (const agent of items.filter((candidate) => candidate.name === demoAgentName)) {
    const version = (await store.agents.findCallable(agent.uuid))?.version;
    if (version === undefined || agent.hasStreamToken) continue;
    if (isDeepStrictEqual([version.workflow, version.settings], plain([demoDocument, demoSettings]))) return agent;
  }
  return null;
}

/** As the database gives it back. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Finds or creates what the demo's call needs: an owner, the agent, and the telephony configuration of the simulator's domain. */
export async function ensureDemoAgent(store: Store, dataDir: string): Promise<Agent> {
  const { organizationId, userId } = await ensureLocalOwner(store, dataDir);
  const account = SIMULATOR_DOMAIN;
  if ((await store.telephonyConfigs.find(organizationId, 'cloudonix', account)) === null) {
    const credentials = { domain_id: account, bearer_token: SIMULATOR_BEARER_TOKEN };
    await store.telephonyConfigs.create({ organizationId, name: 'Simulator', provider: 'cloudonix', account, credentials });
  }
  const content = { workflow: demoDocument, settings: demoSettings, variables: {} };
  return (await findAgent(store, organizationId)) ?? (await store.agents.create({ organizationId, ownerUserId: userId, name: demoAgentName, ...content }));
}
