import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { createWebhookDelivery, type WebhookDeliveryOptions } from '../after-call/deliver-webhook.js';
import { createMetronome } from '../audio/pacer.js';
import { sleep, systemClock, type Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { createGuardedEgress } from '../base/guarded-fetch.js';
import type { Log } from '../base/log.js';
import { openAgentCache } from '../call/agent-cache.js';
import { createCallDirectory, type CallDirectory } from '../call/call-directory.js';
import { createPhraseCache } from '../call/phrase-cache.js';
import { openRecordings, type Recordings } from '../call/recordings.js';
import { createRefusals } from '../call/refusals.js';
import { createModelResolver, createWorkflowResolver } from '../call/resolvers.js';
import { createTransferDesk } from '../call/transfer-desk.js';
import { createWarmUps } from '../call/warm-ups.js';
import type { Config } from '../config.js';
import { createAgentRules } from '../http/agent-rules.js';
import { createAgentStreamEndpoint } from '../http/agent-stream.js';
import { createApp } from '../http/app.js';
import { createMetrics, type Metrics } from '../http/metrics.js';
import { startServer } from '../http/server.js';
import { openSetup } from '../http/setup.js';
import { createEventWriters } from '../runs/event-writer.js';
import { startLeases } from '../runs/leases.js';
import { startRecordingSweeper } from '../runs/recording-sweeper.js';
import { startSweeper, type Sweeper } from '../runs/sweeper.js';
import { modelsSchema } from '../speech/models.js';
import { vendors } from '../speech/registry.js';
import { startEmbeddedPostgres } from '../store/embedded-postgres.js';
import { startJobQueue, type JobTask } from '../store/job-queue.js';
import { openStore } from '../store/postgres-store.js';
import { loadSecretKey } from '../store/secret-key.js';
import type { Store, TelephonyConfig } from '../store/store.js';
import type { ProviderControl } from '../telephony/provider.js';
import { findProvider, providers } from '../telephony/registry.js';
import { leaveLocalApiKey, withLocalApiKey } from './local-api-key.js';

/** How long stopping waits for runs to be finalised; the sweeper of the next start ends the rest. */
const SETTLE_TIMEOUT_MS = 10_000;

/** A running node: its server, its calls, its database. */
export interface RunningNode {
  /** Origin it listens on. */
  readonly url: string;
  /** Origin clients and providers use. */
  readonly publicUrl: string;
  readonly store: Store;
  readonly directory: CallDirectory;
  /** For the set-up link; null where the installation is set up. */
  readonly setupToken: string | null;
  /** Takes no new calls and waits for the last one, at most for the drain time-out; `signal` cuts it short. */
  drain(signal: AbortSignal): Promise<void>;
  /** Closes everything. Idempotent. */
  stop(): Promise<void>;
}

/** Things that were opened, to be closed in reverse. */
function createDisposal() {
  const closers: (() => Promise<void> | void)[] = [];
  return {
    add: (close: () => Promise<void> | void) => void closers.push(close),
    async run() {
      for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
    },
  };
}

/**
 * Builds and starts a node: database, call machinery, HTTP server.
 * @throws AgentStreamError `configuration-invalid`, `database-unavailable`, `data-directory-in-use`; what was opened is closed
 */
export async function startNode(config: Config, options: { log: Log; version: string; clock?: Clock }): Promise<RunningNode> {
  const disposal = createDisposal();
  try {
    return await composeNode(config, { clock: systemClock, ...options }, disposal);
  } catch (error) {
    await disposal.run();
    throw error;
  }
}

async function openDatabase(config: Config, log: Log, clock: Clock, disposal: ReturnType<typeof createDisposal>) {
  const secretKey = await loadSecretKey({ dataDir: config.dataDir, configured: config.secretKey });
  const embedded = config.databaseUrl === null ? await startEmbeddedPostgres({ dataDir: config.dataDir, log, clock }) : null;
  if (embedded !== null) disposal.add(() => embedded.stop());
  const poolConfig = embedded?.poolConfig ?? { connectionString: config.databaseUrl ?? undefined };
  const store = await openStore({ poolConfig, secretKey, clock, log });
  disposal.add(() => store.close());
  const startQueue = (tasks: Readonly<Record<string, JobTask>>) => {
    const queue = startJobQueue({ poolConfig, tasks, isExclusive: embedded !== null, clock, log });
    disposal.add(() => queue.stop());
  };
  return { store, secretKey, isExclusive: embedded !== null, startQueue };
}

/** Every run that waits for the database to be finalised listens to it. */
function createShutdown(): AbortController {
  const shutdown = new AbortController();
  setMaxListeners(0, shutdown.signal);
  return shutdown;
}

async function composeNode(
  config: Config,
  { clock, log, version }: { clock: Clock; log: Log; version: string },
  disposal: ReturnType<typeof createDisposal>,
): Promise<RunningNode> {
  const nodeId = randomUUID();
  const shutdown = createShutdown();
  const { store, secretKey, isExclusive, startQueue } = await openDatabase(config, log, clock, disposal);
  await bootstrap(store, config, log);

  const directory = createCallDirectory({ maxCalls: config.maxCalls, notifications: store.notifications, clock, log });
  disposal.add(() => directory.close());
  const metrics = createMetrics({ activeCalls: () => directory.activeCount(), maxCalls: () => directory.maxCalls });
  const agents = await openAgentCache({ store, clock, log });
  disposal.add(() => agents.close());
  const setup = withLocalApiKey(await openSetup(store.accounts), { store, dataDir: config.dataDir, log });
  const eventWriters = createEventWriters({ store, clock, log });
  disposal.add(() => eventWriters.close());
  const recordings = await openRecordings(config.dataDir, log);
  const sweeper = startRunUpkeep({ store, nodeId, isExclusive, directory, recordings, clock, log }, disposal);

  let publicUrl = config.publicUrl;
  const egress = config.allowPrivateNetworks ? undefined : createGuardedEgress();
  const transfers = createTransferDesk({ publicUrl: () => publicUrl, secretKey, notifications: store.notifications, log });
  disposal.add(() => transfers.close());
  const createControl = controlFactory(config, clock);
  const endpoint = createAgentStreamEndpoint({
    store,
    clock,
    log,
    nodeId,
    config,
    agents,
    refusals: createRefusals({ store, agents, clock, log }),
    directory,
    eventWriters,
    transfers,
    createControl,
    metronome: createMetronome(clock, { onLateness: (latenessMs) => metrics.frameSent(latenessMs) }),
    phrases: createPhraseCache(),
    recordings,
    workflows: createWorkflowResolver(),
    models: createModelResolver({ store, env: config.env, clock, fetch, egress }),
    warmUps: createWarmUps(),
    shutdown: shutdown.signal,
    onRefused: (code) => metrics.handshakeRejected(code),
    onVendorFailed: (leg, vendor, code) => metrics.vendorFailed(leg, vendor, code),
    onVendorFallover: ({ leg, from, to, code }) => metrics.vendorFellOver({ leg, from: from.vendor, to: to.vendor, kind: code }),
    onGapHeard: (gapMs) => metrics.turnGapHeard(gapMs),
    onEnded: (provider, endReason) => metrics.callEnded(provider, endReason),
  });
  disposal.add(() => endpoint.close());

  const app = await createApp({
    config,
    version,
    store,
    clock,
    log,
    metrics,
    setup,
    createControl,
    providers: Object.values(providers),
    vendors: vendors.map(({ name, apiKeyEnv }) => ({ name, needsKey: apiKeyEnv !== null })),
    agentRules: createAgentRules(modelsSchema),
    liveCalls: directory,
    publicUrl: () => publicUrl,
    onTransferCallback: (provider, ...post) => transfers.of(provider).deliver(...post),
  });
  await sweeper.firstSweep;
  const server = await startServer({ app, config, clock, log, onUpgrade: endpoint.handleUpgrade });
  disposal.add(() => server.close());
  if (config.port === 0 && config.env['AGENT_STREAM_PUBLIC_URL'] === undefined) publicUrl = server.url;

  startQueue(afterCallTasks({ store, clock, log, fetch: egress?.fetch ?? fetch, publicUrl: () => publicUrl, version, metrics }));

  let hasDrained = false;
  return {
    url: server.url,
    publicUrl,
    store,
    directory,
    setupToken: setup.token,
    async drain(signal) {
      server.beginDrain();
      await directory.drain(config.drainTimeoutMs, signal);
      hasDrained = true;
    },
    async stop() {
      server.beginDrain();
      if (!hasDrained) await directory.drain(0, AbortSignal.abort());
      await Promise.race([endpoint.settled(), sleep(clock, SETTLE_TIMEOUT_MS)]);
      shutdown.abort(new AgentStreamError('server-going-away'));
      await disposal.run();
    },
  };
}

/** Control over the calls of a telephony configuration, at its provider's API. */
function controlFactory({ env }: Pick<Config, 'env'>, clock: Clock): (telephonyConfig: TelephonyConfig) => ProviderControl {
  return ({ provider: name, credentials }) => {
    const provider = findProvider(name);
    const baseUrl = env[provider.apiBaseUrl.env] ?? provider.apiBaseUrl.default;
    return provider.createControl({ credentials, baseUrl, clock, fetch });
  };
}

/** The jobs of after a call, by name. */
function afterCallTasks(
  options: Pick<WebhookDeliveryOptions, 'store' | 'clock' | 'log' | 'fetch' | 'publicUrl'> & { version: string; metrics: Metrics },
): Readonly<Record<string, JobTask>> {
  const { metrics, version } = options;
  const deliver = createWebhookDelivery({
    ...options,
    userAgent: `agent-stream/${version}`,
    onAttempt: (outcome) => metrics.webhookAttempted(outcome),
  });
  return { 'deliver-webhook': ({ deliveryId }, signal) => deliver(String(deliveryId), signal) };
}

/** Keeps the leases of this node's runs, ends the runs of nodes that died, and deletes recordings whose time is over. */
function startRunUpkeep(
  options: { store: Store; nodeId: string; isExclusive: boolean; directory: CallDirectory; recordings: Recordings; clock: Clock; log: Log },
  disposal: ReturnType<typeof createDisposal>,
): Sweeper {
  const { directory, recordings } = options;
  const heldRunIds = () => directory.heldRunIds();
  const leases = startLeases({
    ...options,
    heldRunIds,
    onEnded: (runIds) => directory.endLost(runIds),
    onExhausted: (runIds) => directory.endExhausted(runIds),
  });
  disposal.add(() => leases.stop());
  const sweeper = startSweeper({ ...options, heldRunIds });
  disposal.add(() => sweeper.stop());
  const recordingSweeper = startRecordingSweeper({ ...options, storeId: recordings.storeId, deleteFile: (recording) => recordings.delete(recording) });
  disposal.add(() => recordingSweeper.stop());
  return sweeper;
}

/** AGENT_STREAM_BOOTSTRAP_API_KEY: an empty installation gets an organization, its owner and that key, whichever node comes first. */
async function bootstrap(store: Store, { bootstrapApiKey: key, dataDir }: Config, log: Log): Promise<void> {
  if (key === null) return;
  const first = await store.accounts.createFirstOrganization({ name: 'Default', ownerEmail: 'owner@localhost', apiKey: { name: 'Bootstrap', key } });
  if (first !== null) await leaveLocalApiKey({ organizationId: first.organization.id, userId: first.owner.id }, { store, dataDir, log });
}
