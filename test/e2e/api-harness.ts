import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { createGuardedEgress } from '../../src/base/guarded-fetch.js';
import { createChatDesk } from '../../src/call/chat-desk.js';
import { createKnowledgeResolver } from '../../src/call/knowledge-resolver.js';
import { createModelResolver } from '../../src/call/resolvers.js';
import { createToolRunner } from '../../src/call/tools/run-tool.js';
import { AgentStreamError } from '../../src/base/errors.js';
import { createLog } from '../../src/base/log.js';
import { parseConfig } from '../../src/config.js';
import { createAgentRules } from '../../src/http/agent-rules.js';
import { createApp } from '../../src/http/app.js';
import { createMetrics } from '../../src/http/metrics.js';
import { startServer, type RunningServer, type ServerOptions } from '../../src/http/server.js';
import type { AppServices } from '../../src/http/services.js';
import { openSetup } from '../../src/http/setup.js';
import { testCredential } from '../../src/speech/credential-test.js';
import { createFileReader } from '../../src/knowledge/file-reader.js';
import { createIndexThread } from '../../src/knowledge/index-thread.js';
import { createKnowledgeBase } from '../../src/knowledge/knowledge.js';
import { modelsSchema, organizationModelsSchema } from '../../src/speech/models-schema.js';
import { vendors } from '../../src/speech/registry.js';
import type { Run, RunCommand, Store } from '../../src/store/store.js';
import type { ProviderControl, TransferProgress } from '../../src/telephony/provider.js';
import { providers } from '../../src/telephony/registry.js';
import { openTestStore } from '../support/database.js';

/** An organization with its owner and a key. */
export interface Tenant {
  readonly organizationId: string;
  readonly userId: string;
  readonly key: string;
}

/** What a test may bend. */
export interface ApiTestOptions {
  /** What tools reach the network by. Default: guarded, as without private networks. */
  readonly toolFetch?: typeof fetch;
  readonly env?: Record<string, string>;
  readonly requestsPerMinute?: number;
  /** Leave the database without an organization. */
  readonly isEmpty?: boolean;
  readonly onUpgrade?: ServerOptions['onUpgrade'];
  /** What the provider says of a credential. Default: it is right. */
  readonly testCredential?: () => Promise<string>;
}

/** A listening API on a database of its own. */
export interface ApiTest {
  readonly url: string;
  readonly server: RunningServer;
  readonly store: Store;
  readonly dataDir: string;
  readonly setupToken: string | null;
  /** Two tenants, `alice` and `bob`; both keys are of no use where the database was left empty. */
  readonly alice: Tenant;
  readonly bob: Tenant;
  /** Commands that reached live calls. */
  readonly commands: { runId: string; command: RunCommand }[];
  /** Calls that providers declared over. */
  readonly endedCalls: { runId: string; status: string }[];
  readonly transferCallbacks: { provider: string; transferId: string; secret: string; progress: TransferProgress | null }[];
  readonly logLines: string[];
  setDraining(isDraining: boolean): void;
  request(method: string, path: string, options?: ApiRequestOptions): Promise<ApiAnswer>;
  close(): Promise<void>;
}

export interface ApiRequestOptions {
  /** Default: alice's key. Null: none. */
  readonly key?: string | null;
  /** Sent as JSON; a string is sent as it is. */
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; undefined where it is not JSON. */
  readonly json: Record<string, unknown> & { items?: Record<string, unknown>[] };
}

/** Matchers without the `any` of vitest's types. */
export const anyText: unknown = expect.any(String);
export const anyList: unknown = expect.any(Array);

const noTenant: Tenant = { organizationId: randomUUID(), userId: randomUUID(), key: 'no-key-at-all-0123456789' };

async function createTenant(store: Store, name: string): Promise<Tenant> {
  const { organization, owner } = await store.accounts.createOrganization({ name, ownerEmail: `${name}@example.com` });
  const { key } = await store.accounts.createApiKey({ organizationId: organization.id, userId: owner.id, name: 'Test' });
  return { organizationId: organization.id, userId: owner.id, key };
}

/** A run of the tenant's agent that has just been minted. */
export async function mintRun(store: Store, tenant: Tenant, agentUuid: string): Promise<Run> {
  const agent = await store.agents.get(tenant.organizationId, agentUuid);
  if (agent === null) throw new Error('The agent does not exist');
  const result = await store.runs.mint({
    agent,
    version: 1,
    mode: 'cloudonix',
    agentConcurrentCalls: null,
    initialContext: { provider: 'cloudonix', direction: 'inbound', caller_number: '+15550001111', called_number: '+15550002222' },
    gatheredContext: {},
    nodeId: randomUUID(),
    leaseMs: 600_000,
  });
  if (!result.ok) throw new Error(`The run was refused: ${result.code}`);
  return result.run;
}

/** Ends a run as a hang-up of the caller. */
export function finaliseRun(store: Store, runId: string, recordingPath: string | null = null): Promise<boolean> {
  return store.runs.finalise(runId, {
    endReason: 'caller_hangup',
    closeCode: 1000,
    closeReason: '',
    durationMs: 4200,
    gatheredContext: { nodes_visited: ['Reception'] },
    usage: { llm: { input_tokens: 12 } },
    cost: {},
    latency: { turns: [] },
    recordingPath,
  });
}

/** Starts the API. */
export async function startApi(options: ApiTestOptions = {}): Promise<ApiTest> {
  const { store, dispose } = await openTestStore();
  const dataDir = await mkdtemp(join(tmpdir(), 'agent-stream-api-'));
  const config = parseConfig({ PORT: '0', AGENT_STREAM_DATA_DIR: dataDir, ...options.env });
  const logLines: string[] = [];
  const sink = new Writable({ write: (chunk: Buffer, _encoding, done) => (logLines.push(chunk.toString()), done()) });
  const log = createLog('debug', sink);
  const alice = options.isEmpty === true ? noTenant : await createTenant(store, 'alice');
  const bob = options.isEmpty === true ? noTenant : await createTenant(store, 'bob');

  const commands: ApiTest['commands'] = [];
  const endedCalls: ApiTest['endedCalls'] = [];
  const transferCallbacks: ApiTest['transferCallbacks'] = [];
  let isDraining = false;
  let url = '';
  const setup = await openSetup(store.accounts);
  const control = { testCredential: options.testCredential ?? (async () => 'The domain answered.') } as unknown as ProviderControl;
  const models = createModelResolver({ store, env: {}, clock: systemClock, fetch, egress: config.allowPrivateNetworks ? undefined : createGuardedEgress() });
  const host = createIndexThread(systemClock);
  const knowledge = createKnowledgeBase({ source: store.documents, host, clock: systemClock, embeddingsOf: (organizationId) => models.embeddingsOf(organizationId, { isFresh: true }) });
  const toolsOf: AppServices['toolsOf'] = (organizationId) =>
    createToolRunner({
      clock: systemClock,
      fetch: options.toolFetch ?? createGuardedEgress().fetch,
      credentialOf: (uuid) => store.tools.credentialOf(organizationId, uuid),
      searchDocuments: (uuids, text, signal) => knowledge.search(organizationId, uuids, { text, signal }),
      onFault: (error) => log.error('A tool broke', { error: String(error) }),
    });
  const services: AppServices = {
    config,
    version: '0.0.0-test',
    store,
    clock: systemClock,
    log,
    providers: Object.values(providers),
    vendors: vendors.map(({ name, apiKeyEnv }) => ({ name, needsKey: apiKeyEnv !== null })),
    testVendorKey: (vendor, credential, signal) =>
      testCredential(vendor, credential, { env: {}, clock: systemClock, fetch, egress: config.allowPrivateNetworks ? undefined : createGuardedEgress() }, signal),
    agentRules: createAgentRules({ agent: modelsSchema, organization: organizationModelsSchema }),
    liveCalls: {
      maxCalls: 100,
      activeCount: () => 3,
      isDraining: () => isDraining,
      async control(runId, command) {
        if (command.type === 'say' && command.text === 'nobody is there') throw new AgentStreamError('run-not-live');
        commands.push({ runId, command });
      },
      noteCallEnded: (runId, status) => void endedCalls.push({ runId, status }),
    },
    setup,
    fileReader: createFileReader(systemClock),
    knowledge,
    toolsOf,
    chats: createChatDesk({ store, models, documents: createKnowledgeResolver(knowledge), toolsOf, clock: systemClock }),
    metrics: createMetrics({ activeCalls: () => 3, maxCalls: () => 100 }),
    publicUrl: () => url,
    createControl: () => control,
    onTransferCallback(provider, transferId, secret, progress) {
      if (secret !== 'right-secret') return false;
      transferCallbacks.push({ provider, transferId, secret, progress });
      return true;
    },
    requestsPerMinute: options.requestsPerMinute ?? 100_000,
  };
  const app = await createApp(services);
  const onUpgrade = options.onUpgrade ?? ((_request, socket) => void socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
  const server = await startServer({ app, config, clock: systemClock, log, onUpgrade });
  url = server.url;

  return {
    url,
    server,
    store,
    dataDir,
    setupToken: setup.token,
    alice,
    bob,
    commands,
    endedCalls,
    transferCallbacks,
    logLines,
    setDraining(value) {
      isDraining = value;
    },
    request: (method, path, request) => send(`${url}${path}`, method, { key: alice.key, ...request }),
    async close() {
      await server.close();
      await host.close();
      await dispose();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function send(url: string, method: string, { key, body, headers }: ApiRequestOptions): Promise<ApiAnswer> {
  const init: RequestInit = {
    method,
    headers: {
      ...(key === null || key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
  };
  if (body !== undefined) init.body = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(url, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: isJson(response) && text !== '' ? (JSON.parse(text) as ApiAnswer['json']) : {} };
}

const isJson = (response: Response) => /json/.test(response.headers.get('content-type') ?? '');
