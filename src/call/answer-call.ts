import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { Metronome } from '../audio/pacer.js';
import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import type { EventWriter, EventWriters } from '../runs/event-writer.js';
import type { CallableAgent, RecordingRetention, Run, Store, TelephonyConfig } from '../store/store.js';
import type { Hedge } from '../speech/language-model.js';
import type { Fallover } from '../speech/fallback/lineup.js';
import type { Leg } from '../speech/vendor.js';
import type { VoiceActivity } from '../speech/voice-activity.js';
import type { StreamStart } from '../telephony/dialect.js';
import type { MediaStream } from '../telephony/media-stream.js';
import type { ProviderCall, ProviderControl, ProviderModule } from '../telephony/provider.js';
import type { WorkflowSettings } from '../workflow/settings.js';
import type { WorkflowState } from '../workflow/engine.js';
import type { WorkflowGraph } from '../workflow/graph.js';
import { attachClips } from '../workflow/attach-clips.js';
import { withGreeting } from '../workflow/pre-call-fetch.js';
import { startWorkflow } from '../workflow/step.js';
import { mergeVariables } from '../workflow/variables.js';
import { callContextOf, type CallContext, type StreamRequest } from './call-request.js';
import { CallSession } from './call-session.js';
import { openLegs, type OpenLegs } from './legs.js';
import { fetchBeforeCall, isFetched, type PreCallResult } from './pre-call-fetch.js';
import type { ClipResolver } from './clip-resolver.js';
import type { PhraseCache } from './phrase-cache.js';
import type { KnowledgeResolver } from './knowledge-resolver.js';
import { openRecorder } from './recorder.js';
import type { Recordings } from './recordings.js';
import type { ToolRunner } from './tools/run-tool.js';
import type { TransferDesk } from './transfer-desk.js';
import { whileRinging } from './ring-back.js';
import { turnOptionsOf } from './turn-settings.js';
import type { WarmUps } from './warm-ups.js';
import type { ModelResolver, WorkflowResolver } from './resolvers.js';

/** Services that answering takes. */
export interface AnswerPorts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly metronome: Metronome;
  readonly voiceActivity: VoiceActivity;
  readonly phrases: PhraseCache;
  readonly transfers: TransferDesk;
  readonly recordings: Recordings;
  readonly eventWriters: EventWriters;
  /** Compiled documents and settings per version. */
  readonly workflows: WorkflowResolver;
  readonly models: ModelResolver;
  /** Documents that agents answer from. */
  readonly documents: KnowledgeResolver;
  /** Recordings that agents play. */
  readonly clips: ClipResolver;
  /** What runs the tools of an organization. */
  readonly toolsOf: (organizationId: string) => ToolRunner;
  readonly warmUps: WarmUps;
  readonly createControl: (config: TelephonyConfig) => ProviderControl;
  /** What agents' documents ask of servers; the guarded one where private networks are closed. */
  readonly documentFetch: typeof fetch;
  /** A vendor failed during a call; for counting. */
  readonly onVendorFailed: (leg: Leg, vendor: string, code: string) => void;
  /** A call went on with another vendor; for counting. */
  readonly onVendorFallover: (fallover: Fallover) => void;
  /** A request to a model was sent twice; for counting. */
  readonly onModelHedged: (hedge: Hedge) => void;
}

/** A minted call whose stream has not shaken hands. */
export interface MintedCall {
  readonly stream: MediaStream;
  readonly request: StreamRequest;
  readonly run: Run;
  readonly callable: CallableAgent;
  readonly provider: ProviderModule;
  readonly remainingMs: number | null;
  readonly events: EventWriter;
}

/**
 * Reads the handshake, finds the telephony configuration, validates the session at the provider while the vendors' sockets open,
 * binds the session to this one socket, and starts the conversation.
 * @throws AgentStreamError what the stream is to be closed with; nothing stays open
 */
export async function answerCall(minted: MintedCall, ports: AnswerPorts): Promise<CallSession> {
  const { stream, callable, provider, run, events } = minted;
  const { clock, store } = ports;
  const start = await stream.handshake(provider.dialect);
  const startedAtMs = clock.nowMs();
  const account = provider.accountOfStream(minted.request.query, start);
  if (account === null) throw new AgentStreamError('missing-domain');
  const config = await store.telephonyConfigs.find(callable.agent.organizationId, provider.name, account);
  if (config === null) throw new AgentStreamError('unknown-telephony-config');
  if (!provider.hasControlCredential(config.credentials)) throw new AgentStreamError('missing-bearer-token');

  const control = ports.createControl(config);
  const call = { sessionId: start.sessionId, account };
  const { graph: plainGraph, settings } = ports.workflows.of(callable);
  const attaching = ports.documents.attach(callable.agent.organizationId, plainGraph, ({ code, message }) => events.append('knowledge-failed', { code, message }, 0));
  const openingClips = ports.clips.open(callable.agent.organizationId, plainGraph.recordingIds, (recordingId, code) =>
    events.append('audio-clip-missing', { recording_id: recordingId, code }, 0),
  );
  const models = await ports.models.resolve(callable, settings);
  const open = () => openLegs(models, { language: settings.language, keyterms: settings.dictionary });
  const warmUp = ports.warmUps.take(callable.agent.uuid);
  // Vendors connect while the provider is asked; unvalidated calls may hold only a few such connections per agent.
  let legs: OpenLegs | null = warmUp === null ? null : open();
  try {
    const context = callContextOf(minted.request, { provider: provider.name, agentUuid: run.agentUuid, agentVariables: callable.version.variables }, start);
    const askBefore = () => startPreCallFetch(minted, { graph: plainGraph, context }, ports);
    // Beside the validation, so that the caller waits as little as may be; like the vendors' connections, only for a few claims at once.
    const early = warmUp === null ? null : askBefore();
    await validateSession(control, call, stream.closed, events);
    await bindSession(minted, { start, config, context, recordingRetention: retentionOf(settings, ports.recordings) }, store);
    legs ??= open();
    const fetched = await awaitFetch(early ?? askBefore(), { minted, context }, ports);
    const { clips, sounds } = await openingClips;
    const begin = beginningOf(fetched, { minted, graph: attachClips(await attaching, clips), context }, ports);
    // Not before the call is one: what is refused leaves no file, open or on disk.
    const recorder = await openRecorder(settings.recording.enabled ? ports.recordings.pathOf(run) : null, (error) =>
      events.append('recording-failed', { message: error.message }, 0),
    );
    void markRunning(run, stream, ports);
    return new CallSession({
      runId: run.id,
      stream,
      capabilities: provider.dialect.capabilities,
      startedAtMs,
      control,
      call,
      calledNumber: stringOr(context.initialContext['called_number']),
      ...begin,
      settings,
      turnOptions: turnOptionsOf(settings, legs),
      models,
      tools: ports.toolsOf(callable.agent.organizationId),
      legs,
      recorder,
      events,
      phrases: ports.phrases,
      clips: sounds,
      metronome: ports.metronome,
      voiceActivity: ports.voiceActivity,
      transfers: ports.transfers.of(provider.name),
      remainingMs: minted.remainingMs,
      clock,
      log: ports.log,
      onVendorFailed: ports.onVendorFailed,
      onVendorFallover: ports.onVendorFallover,
      onModelHedged: ports.onModelHedged,
    });
  } catch (error) {
    legs?.close();
    throw error;
  } finally {
    warmUp?.release();
  }
}

/** Null: the document asks nothing about this call. */
function startPreCallFetch(
  { run, stream, callable }: MintedCall,
  { graph, context }: { graph: WorkflowGraph; context: CallContext },
  { clock, documentFetch, store }: AnswerPorts,
): Promise<PreCallResult> | null {
  const facts = { runId: run.id, ...context };
  const { preCallFetch: plan } = graph;
  if (plan === null || !isFetched(plan, facts)) return null;
  const credentialOf = async (uuid: string) => (await store.credentials.get(callable.agent.organizationId, uuid))?.fields ?? null;
  return fetchBeforeCall(plan, facts, { clock, fetch: documentFetch, signal: stream.closed, credentialOf });
}

/** Who calls hears ringing where it takes long; who was called does not: the call is theirs already. */
function awaitFetch(
  fetching: Promise<PreCallResult> | null,
  { minted, context }: { minted: MintedCall; context: CallContext },
  ports: AnswerPorts,
): Promise<PreCallResult> | null {
  const { stream, provider } = minted;
  if (fetching === null || context.initialContext['direction'] === 'outbound') return fetching;
  return whileRinging(fetching, { ...ports, stream, capabilities: provider.dialect.capabilities });
}

/** Where the conversation begins: as the document says, with what was fetched laid over it. */
function beginningOf(
  fetched: PreCallResult | null,
  { minted: { run, events }, graph, context }: { minted: MintedCall; graph: WorkflowGraph; context: CallContext },
  { store, log }: AnswerPorts,
): { graph: WorkflowGraph; workflowState: WorkflowState } {
  const { initialContext } = context;
  if (fetched === null) return { graph, workflowState: startWorkflow(graph, initialContext) };
  const { tookMs } = fetched;
  if ('failure' in fetched) {
    events.append('pre-call-fetch-failed', { took_ms: tookMs, message: fetched.failure }, 0);
    return { graph, workflowState: startWorkflow(graph, initialContext) };
  }
  const { variables, greeting } = fetched.answer;
  events.append('pre-call-fetched', { took_ms: tookMs, variables: Object.keys(variables), has_greeting: greeting !== null }, 0);
  // The caller does not wait for the database.
  store.runs.addInitialContext(run.id, variables).catch((error: unknown) => log.warn('What was fetched for a call could not be kept', { runId: run.id, error: toAgentStreamError(error).message }));
  const begun = withGreeting(graph, greeting);
  return { graph: begun, workflowState: startWorkflow(begun, mergeVariables(initialContext, variables)) };
}

/** The socket proves nothing of itself: the provider must know the session, and it must be live. */
async function validateSession(control: ProviderControl, call: ProviderCall, signal: AbortSignal, events: EventWriter): Promise<void> {
  try {
    const verdict = await control.validateSession(call, signal);
    events.append('session-validated', { is_live: verdict.isLive, status: verdict.status }, 0);
    if (!verdict.isLive) throw new AgentStreamError('session-validation-failed', { details: { status: verdict.status } });
  } catch (error) {
    if (signal.aborted) throw new AgentStreamError('run-not-live', { message: 'The stream ended before its call was answered', cause: error });
    const failure = toAgentStreamError(error);
    if (failure.code === 'session-validation-failed') throw failure;
    throw new AgentStreamError('session-validation-failed', { cause: error, details: { provider_error: failure.code } });
  }
}

async function bindSession(
  { run, callable }: MintedCall,
  bound: { start: StreamStart; config: TelephonyConfig; context: CallContext; recordingRetention: RecordingRetention | null },
  store: Store,
): Promise<void> {
  const { start, config, context, recordingRetention } = bound;
  const result = await store.runs.bindSession(run.id, {
    sessionId: start.sessionId,
    telephonyConfigId: config.id,
    ...context,
    logs: { inbound_webhook: { ...start.webhookLog, domain: config.account, agent_version: callable.version.number } },
    recordingRetention,
  });
  if (result === 'duplicate') throw new AgentStreamError('duplicate-stream');
  if (result === 'ended') throw new AgentStreamError('internal-error', { message: 'The run ended before its call was answered' });
}

/** Known before there is a file: the node may not live to the end of the call. */
function retentionOf({ recording }: WorkflowSettings, { storeId }: Recordings): RecordingRetention | null {
  return recording.enabled && recording.retention_days !== undefined ? { storeId, days: recording.retention_days } : null;
}

/** Off the media path: the agent already speaks while the database is told. */
async function markRunning(run: Run, stream: MediaStream, { store, log }: AnswerPorts): Promise<void> {
  try {
    const isLive = await store.runs.markRunning(run.id);
    if (!isLive && !stream.closed.aborted) stream.close(1011, 'Internal server error');
  } catch (error) {
    log.warn('A run could not be marked as running', { runId: run.id, error: toAgentStreamError(error).message });
  }
}

const stringOr = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
