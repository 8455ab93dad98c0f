import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { Clock } from '../../src/base/clock.js';
import { createLog } from '../../src/base/log.js';
import { startNode, type NodeOptions, type RunningNode } from '../../src/cli/node.js';
import { parseConfig } from '../../src/config.js';
import type { RunEvent } from '../../src/runs/events.js';
import { startFakeCloudonix, type FakeCloudonix } from '../../src/simulator/fake-cloudonix.js';
import type { Agent, Run, Store, TelephonyConfig } from '../../src/store/store.js';
import { defaultDocument } from '../../src/workflow/default-document.js';
import { createTestDatabase, type TestDatabase } from './database.js';
import { waitFor } from './wait-for.js';

/** Nodes that share a database share the key of its credentials. */
const SECRET_KEY = randomBytes(32).toString('hex');

/** The credential of every domain at the fake Cloudonix. */
const BEARER_TOKEN = 'XI0123456789012345678901234567890A';

/** An organization with its owner, an API key, and a Cloudonix domain of its own. */
export interface CallTenant {
  readonly organizationId: string;
  readonly userId: string;
  readonly key: string;
  /** Normalised; known to the fake Cloudonix and stored as a telephony configuration. */
  readonly domain: string;
  readonly config: TelephonyConfig;
}

/** What an agent of a test differs in. */
export interface AgentOptions {
  readonly tenant?: CallTenant;
  readonly workflow?: unknown;
  /** Over silent defaults: the builtin vendors, no recording. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** The parts of a stream URL. */
export interface StreamUrlOptions {
  readonly form?: 'path' | 'query';
  /** Default cloudonix. Null: the query form without a provider. */
  readonly provider?: string | null;
  readonly token?: string;
  /** Appended as it is, without `?`. */
  readonly query?: string;
}

/** A whole node on a free port, with a database and a Cloudonix of its own. */
export interface CallServer {
  readonly node: RunningNode;
  readonly store: Store;
  readonly database: TestDatabase;
  readonly cloudonix: FakeCloudonix;
  readonly dataDir: string;
  /** The tenant of agents and calls that need none of their own. */
  readonly tenant: CallTenant;
  /** Everything the node logged, as JSON lines. */
  readonly logLines: readonly string[];
  /** Domains allow ten requests in ten seconds, and quotas are an owner's: tests that use either up take a tenant of their own. */
  createTenant(): Promise<CallTenant>;
  createAgent(options?: AgentOptions): Promise<Agent>;
  streamUrl(agentUuid: string, options?: StreamUrlOptions): string;
  /** The REST API, as the tenant. */
  request(method: string, path: string, body?: unknown, tenant?: CallTenant): Promise<{ status: number; json: Record<string, unknown> }>;
  /** Runs of an agent, newest first. */
  runsOf(agent: Agent): Promise<readonly Run[]>;
  /** The agent's newest run as soon as `isReached` holds. @throws where that never happens */
  waitForRun(agent: Agent, isReached: (run: Run) => boolean): Promise<Run>;
  /** The agent's newest run once it has ended. */
  endedRun(agent: Agent): Promise<Run>;
  eventsOf(run: Run): Promise<readonly RunEvent[]>;
  /** Close code and reason of the agent's refused streams, newest first. */
  refusalsOf(agent: Agent): Promise<readonly { closeCode: number; reason: string }[]>;
  stop(): Promise<void>;
}

/** True for a run that has reached its end. */
export const hasEnded = (run: Run): boolean => run.state === 'completed' || run.state === 'failed';

/** Settings of an agent whose calls cost little: every leg builtin, whatever keys the environment holds; nothing on disk. */
const quietSettings = {
  models: { stt: { vendor: 'builtin' }, llm: { vendor: 'builtin' }, tts: { vendor: 'builtin' } },
  recording: { enabled: false },
};

/** What a test may bend. */
export interface CallServerOptions {
  /** All the environment the node sees, over what it needs here. */
  readonly env?: Readonly<Record<string, string>>;
  /** Shared with another node, which drops it. Default: one of its own. */
  readonly database?: TestDatabase;
  /** Default: real time. */
  readonly clock?: Clock;
  /** Default: tools' requests go out. */
  readonly stubTools?: NodeOptions['stubTools'];
}

/** Starts a node. */
export async function startCallServer(options: CallServerOptions = {}): Promise<CallServer> {
  const database = options.database ?? (await createTestDatabase());
  const dataDir = await mkdtemp(join(tmpdir(), 'agent-stream-call-'));
  const domains: Record<string, { bearerToken: string }> = {};
  const cloudonix = await startFakeCloudonix({ domains });
  const config = parseConfig({
    HOST: '127.0.0.1',
    PORT: '0',
    AGENT_STREAM_DATA_DIR: dataDir,
    AGENT_STREAM_SECRET_KEY: SECRET_KEY,
    DATABASE_URL: database.databaseUrl,
    // The model has its own tests; a whole server in the test's process answers alike on every machine.
    AGENT_STREAM_VOICE_ACTIVITY: 'energy',
    CLOUDONIX_API_BASE_URL: cloudonix.baseUrl,
    ...options.env,
  });
  const logLines: string[] = [];
  const sink = new Writable({ write: (chunk: Buffer, _encoding, done) => (logLines.push(chunk.toString()), done()) });
  const node = await startNode(config, {
    log: createLog('debug', sink),
    version: '0.0.0-test',
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.stubTools === undefined ? {} : { stubTools: options.stubTools }),
  });
  const { store } = node;
  let tenants = 0;

  async function createTenant(): Promise<CallTenant> {
    tenants += 1;
    const domain = `tenant-${tenants}.cloudonix.net`;
    domains[domain] = { bearerToken: BEARER_TOKEN };
    const { organization, owner } = await store.accounts.createOrganization({ name: `Tenant ${tenants}`, ownerEmail: `owner-${tenants}@example.com` });
    const { key } = await store.accounts.createApiKey({ organizationId: organization.id, userId: owner.id, name: 'Test' });
    const config = await store.telephonyConfigs.create({
      organizationId: organization.id,
      name: domain,
      provider: 'cloudonix',
      account: domain,
      credentials: { domain_id: domain, bearer_token: BEARER_TOKEN },
    });
    return { organizationId: organization.id, userId: owner.id, key, domain, config };
  }

  const tenant = await createTenant();

  const runsOf = async (agent: Agent) => (await store.runs.list(agent.organizationId, { agentUuid: agent.uuid, limit: 200 })).items;
  const waitForRun = (agent: Agent, isReached: (run: Run) => boolean) =>
    waitFor('the run', async () => {
      const [run] = await runsOf(agent);
      return run !== undefined && isReached(run) ? run : null;
    });

  return {
    node,
    store,
    database,
    cloudonix,
    dataDir,
    tenant,
    logLines,
    createTenant,
    createAgent: ({ tenant: owner = tenant, workflow = defaultDocument, settings = {}, variables = {} } = {}) =>
      store.agents.create({
        organizationId: owner.organizationId,
        ownerUserId: owner.userId,
        name: 'Reception',
        workflow,
        settings: { ...quietSettings, ...settings },
        variables,
      }),
    streamUrl: (agentUuid, urlOptions) => `${node.url.replace(/^http/, 'ws')}${streamPath(agentUuid, urlOptions)}`,
    async request(method, path, body, { key } = tenant) {
      const headers = { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
      const response = await fetch(`${node.url}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
      const text = await response.text();
      return { status: response.status, json: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
    },
    runsOf,
    waitForRun,
    endedRun: (agent) => waitForRun(agent, hasEnded),
    eventsOf: async (run) => (await store.runs.listEvents(run.organizationId, run.id, 0, 1000)) ?? [],
    async refusalsOf(agent) {
      const { items } = await store.refusals.list(agent.organizationId, { limit: 200 });
      return items.filter(({ agentUuid }) => agentUuid === agent.uuid).map(({ closeCode, reason }) => ({ closeCode, reason }));
    },
    async stop() {
      await node.stop();
      await cloudonix.close();
      if (options.database === undefined) await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Path and query of a stream URL. */
function streamPath(agentUuid: string, { form = 'path', provider = 'cloudonix', token, query }: StreamUrlOptions = {}): string {
  const capability = token === undefined ? agentUuid : `${agentUuid}/${token}`;
  if (form === 'path') return `/api/v1/agent-stream/${provider ?? ''}/${capability}${query === undefined ? '' : `?${query}`}`;
  const parameters = [...(provider === null ? [] : [`provider=${provider}`]), ...(query === undefined ? [] : [query])].join('&');
  return `/api/v1/agent-stream/${capability}${parameters === '' ? '' : `?${parameters}`}`;
}
