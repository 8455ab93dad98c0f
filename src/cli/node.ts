import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { createRunAnalysis } from '../after-call/analyse-run.js';
import { createWebhookDelivery, type WebhookDeliveryOptions } from '../after-call/deliver-webhook.js';
import { createMetronome } from '../audio/pacer.js';
import { sleep, systemClock, type Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { createGuardedEgress } from '../base/guarded-fetch.js';
import type { Log } from '../base/log.js';
import { openAgentCache } from '../call/agent-cache.js';
import { createCallDirectory, type CallDirectory } from '../call/call-directory.js';
import { createChatDesk } from '../call/chat-desk.js';
import { createClipResolver } from '../call/clip-resolver.js';
import { createPhraseCache } from '../call/phrase-cache.js';
import { openJudgeModel } from '../call/judge-models.js';
import { openRecordings, type Recordings } from '../call/recordings.js';
import { createRefusals } from '../call/refusals.js';
import { createKnowledgeResolver, type KnowledgeResolver } from '../call/knowledge-resolver.js';
import { createModelResolver, createWorkflowResolver, type EmbeddingResolver, type ModelResolver } from '../call/resolvers.js';
import { createToolRunner, type ToolRunner } from '../call/tools/run-tool.js';
import type { ReceiverOptions } from '../call/receive-call.js';
import { createTransferDesk } from '../call/transfer-desk.js';
import { createWarmUps } from '../call/warm-ups.js';
import type { Config } from '../config.js';
import { createDocumentEmbedder } from '../knowledge/embed-document.js';
import { createFileReader } from '../knowledge/file-reader.js';
import { createIndexThread } from '../knowledge/index-thread.js';
import { createKnowledgeBase, type KnowledgeBase } from '../knowledge/knowledge.js';
import { createAgentRules } from '../http/agent-rules.js';
import { createAgentStreamEndpoint, type AgentStreamEndpoint } from '../http/agent-stream.js';
import { createApp } from '../http/app.js';
import { createMetrics, type Metrics } from '../http/metrics.js';
import { startServer, type RunningServer } from '../http/server.js';
import type { AppServices } from '../http/services.js';
import { openSetup } from '../http/setup.js';
import { createEventWriters } from '../runs/event-writer.js';
import { startLeases } from '../runs/leases.js';
import { startRecordingSweeper } from '../runs/recording-sweeper.js';
import { startSweeper, type Sweeper } from '../runs/sweeper.js';
import { testCredential } from '../speech/credential-test.js';
import { modelsSchema, organizationModelsSchema } from '../speech/models.js';
import { vendors } from '../speech/registry.js';
import type { VendorReach } from '../speech/vendor-context.js';
import type { VoiceActivityName } from '../speech/voice-activity.js';
import { startEmbeddedPostgres } from '../store/embedded-postgres.js';
import { startJobQueue, type JobTask } from '../store/job-queue.js';
import { openStore } from '../store/postgres-store.js';
import { loadSecretKey } from '../store/secret-key.js';
import type { Store, TelephonyConfig } from '../store/store.js';
import type { ProviderControl } from '../telephony/provider.js';
import { findProvider, providers } from '../telephony/registry.js';
import { leaveLocalApiKey, withLocalApiKey } from './local-api-key.js';
import { openVoiceActivity } from './open-voice-activity.js';

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
  /** What finds the callers' voices. */
  readonly voiceActivity: VoiceActivityName;
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
    /** Takes over what has just been opened. */
    own<Thing extends { close(): Promise<void> | void }>(thing: Thing): Thing {
      closers.push(() => thing.close());
      return thing;
    },
    async run() {
      for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
    },
  };
}

/** How a node is started. */
export interface NodeOptions {
  readonly log: Log;
  readonly version: string;
  /** Default: real time. */
  readonly clock?: Clock;
  /** For evaluations: stands between tools and the network. Default: nothing does. */
  readonly stubTools?: (real: typeof fetch) => typeof fetch;
}

/**
 * Builds and starts a node: database, call machinery, HTTP server.
 * @throws AgentStreamError `configuration-invalid`, `database-unavailable`, `data-directory-in-use`; what was opened is closed
 */
export async function startNode(config: Config, options: NodeOptions): Promise<RunningNode> {
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
  { clock, log, version, stubTools = (real) => real }: NodeOptions & { clock: Clock },
  disposal: ReturnType<typeof createDisposal>,
): Promise<RunningNode> {
  const nodeId = randomUUID();
  const shutdown = createShutdown();
  const openingVoiceActivity = openVoiceActivity(config, { clock, log });
  disposal.add(async () => (await openingVoiceActivity).close());
  const { store, secretKey, isExclusive, startQueue } = await openDatabase(config, log, clock, disposal);
  await bootstrap(store, config, log);

  const directory = disposal.own(createCallDirectory({ maxCalls: config.maxCalls, notifications: store.notifications, clock, log }));
  const metrics = createMetrics({ activeCalls: () => directory.activeCount(), maxCalls: () => directory.maxCalls });
  const agents = disposal.own(await openAgentCache({ store, clock, log }));
  const setup = withLocalApiKey(await openSetup(store.accounts), { store, dataDir: config.dataDir, log });
  const eventWriters = disposal.own(createEventWriters({ store, clock, log }));
  const recordings = await openRecordings(config.dataDir, log);
  const sweeper = startRunUpkeep({ store, nodeId, isExclusive, directory, recordings, clock, log }, disposal);

  let publicUrl = config.publicUrl;
  const { reach, documentFetch } = reachOf(config, clock);
  const transfers = disposal.own(createTransferDesk({ publicUrl: () => publicUrl, secretKey, notifications: store.notifications, log }));
  const createControl = controlFactory(config, clock);
  const models = createModelResolver({ store, ...reach });
  const { knowledge, documents, toolsOf } = openTools({ store, models, clock, log, fetch: stubTools(documentFetch) }, disposal);
  const voiceActivity = await openingVoiceActivity;
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
    voiceActivity,
    phrases: createPhraseCache(),
    recordings,
    workflows: createWorkflowResolver(),
    models,
    documentFetch,
    warmUps: createWarmUps(),
    shutdown: shutdown.signal,
    ...{ documents, clips: createClipResolver(store.audioClips), toolsOf },
    ...callCounters(metrics),
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
    ...vendorServices(reach),
    agentRules: createAgentRules({ agent: modelsSchema, organization: organizationModelsSchema }),
    fileReader: createFileReader(clock),
    knowledge,
    liveCalls: directory,
    toolsOf,
    chats: createChatDesk({ store, models, documents, toolsOf, clock }),
    publicUrl: () => publicUrl,
    onTransferCallback: (provider, ...post) => transfers.of(provider).deliver(...post),
  });
  await sweeper.firstSweep;
  const server = disposal.own(await startServer({ app, config, clock, log, onUpgrade: endpoint.handleUpgrade }));
  if (config.port === 0 && config.env['AGENT_STREAM_PUBLIC_URL'] === undefined) publicUrl = server.url;

  startQueue(queuedTasks({ store, models, clock, log, fetch: documentFetch, publicUrl: () => publicUrl, version, metrics }));

  const ending = endingOf({ server, directory, endpoint, shutdown, disposal, drainTimeoutMs: config.drainTimeoutMs, clock });
  return { url: server.url, publicUrl, store, directory, voiceActivity: voiceActivity.name, setupToken: setup.token, ...ending };
}

/** How the node reaches vendors, and what stored settings and documents name. */
function reachOf({ env, allowPrivateNetworks }: Config, clock: Clock): { readonly reach: VendorReach; readonly documentFetch: typeof fetch } {
  const egress = allowPrivateNetworks ? undefined : createGuardedEgress();
  return { reach: { env, clock, fetch, egress }, documentFetch: egress?.fetch ?? fetch };
}

/** How a node ends. */
function endingOf(node: {
  readonly server: Pick<RunningServer, 'beginDrain'>;
  readonly directory: CallDirectory;
  readonly endpoint: Pick<AgentStreamEndpoint, 'settled'>;
  readonly shutdown: AbortController;
  readonly disposal: ReturnType<typeof createDisposal>;
  readonly drainTimeoutMs: number;
  readonly clock: Clock;
}): Pick<RunningNode, 'drain' | 'stop'> {
  const { server, directory, endpoint, shutdown, disposal, drainTimeoutMs, clock } = node;
  let hasDrained = false;
  return {
    async drain(signal) {
      server.beginDrain();
      await directory.drain(drainTimeoutMs, signal);
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

/** What is counted of calls. */
const callCounters = (
  metrics: Metrics,
): Pick<ReceiverOptions, 'onRefused' | 'onVendorFailed' | 'onVendorFallover' | 'onModelHedged' | 'onGapHeard' | 'onEnded'> => ({
  onRefused: (code) => metrics.handshakeRejected(code),
  onVendorFailed: (leg, vendor, code) => metrics.vendorFailed(leg, vendor, code),
  onVendorFallover: ({ leg, from, to, code }) => metrics.vendorFellOver({ leg, from: from.vendor, to: to.vendor, kind: code }),
  onModelHedged: ({ from, to, winner }) => metrics.modelHedged({ from: from.vendor, to: to.vendor, winner }),
  onGapHeard: (gapMs) => metrics.turnGapHeard(gapMs),
  onEnded: (provider, endReason) => metrics.callEnded(provider, endReason),
});

/** What runs the tools of each organization. */
function openTools(
  options: { store: Store; models: EmbeddingResolver; clock: Clock; log: Log; fetch: typeof globalThis.fetch },
  disposal: ReturnType<typeof createDisposal>,
): {
  readonly knowledge: KnowledgeBase;
  readonly documents: KnowledgeResolver;
  readonly toolsOf: (organizationId: string) => ToolRunner;
} {
  const { store, models, clock, log, fetch } = options;
  const host = disposal.own(createIndexThread(clock));
  const knowledge = createKnowledgeBase({ source: store.documents, host, clock, embeddingsOf: (organizationId) => models.embeddingsOf(organizationId) });
  const toolsOf = (organizationId: string) =>
    createToolRunner({
      clock,
      fetch,
      credentialOf: (uuid) => store.tools.credentialOf(organizationId, uuid),
      searchDocuments: (uuids, text, signal) => knowledge.search(organizationId, uuids, { text, signal }),
      onFault: (error) => log.error('A tool broke', { error: error instanceof Error ? error.message : String(error) }),
    });
  return { knowledge, documents: createKnowledgeResolver(knowledge), toolsOf };
}

/** Control over the calls of a telephony configuration, at its provider's API. */
function controlFactory({ env }: Pick<Config, 'env'>, clock: Clock): (telephonyConfig: TelephonyConfig) => ProviderControl {
  return ({ provider: name, credentials }) => {
    const provider = findProvider(name);
    const baseUrl = env[provider.apiBaseUrl.env] ?? provider.apiBaseUrl.default;
    return provider.createControl({ credentials, baseUrl, clock, fetch });
  };
}

/** What the API knows of vendors. */
function vendorServices(reach: VendorReach): Pick<AppServices, 'vendors' | 'testVendorKey'> {
  return {
    vendors: vendors.map(({ name, apiKeyEnv }) => ({ name, needsKey: apiKeyEnv !== null })),
    testVendorKey: (vendor, credential, signal) => testCredential(vendor, credential, reach, signal),
  };
}

/** The jobs on the queue, by name. */
function queuedTasks(
  options: Pick<WebhookDeliveryOptions, 'clock' | 'log' | 'fetch' | 'publicUrl'> & { store: Store; models: ModelResolver & EmbeddingResolver; version: string; metrics: Metrics },
): Readonly<Record<string, JobTask>> {
  const { metrics, version, models } = options;
  const deliver = createWebhookDelivery({
    ...options,
    userAgent: `agent-stream/${version}`,
    onAttempt: (outcome) => metrics.webhookAttempted(outcome),
  });
  const analyse = createRunAnalysis({ ...options, openJudge: (organizationId, settings, model) => openJudgeModel(models, { organizationId, settings, model }) });
  const embed = createDocumentEmbedder({ ...options, embeddingsOf: (organizationId) => models.embeddingsOf(organizationId, { isFresh: true }) });
  return {
    'deliver-webhook': ({ deliveryId }, signal) => deliver(String(deliveryId), signal),
    'embed-document': ({ documentUuid }, signal) => embed(String(documentUuid), signal),
    'queue-embeddings': ({ organizationId }) => options.store.embeddings.queueAll(String(organizationId)),
    'analyse-run': ({ runId }, signal) => analyse(String(runId), signal),
  };
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
