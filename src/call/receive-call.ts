import type { IncomingHttpHeaders } from 'node:http';
import { retry } from '../base/retry.js';
import { errorCatalogue } from '../base/error-catalogue.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { EventWriter } from '../runs/event-writer.js';
import { costOf, type UsageEntry } from '../runs/cost.js';
import type { EndReason } from '../runs/lifecycle.js';
import { LEASE_MS } from '../runs/leases.js';
import { priceBookOf } from '../runs/pricing.js';
import type { CallableAgent, Run, RunFinalisation } from '../store/store.js';
import type { ProviderModule } from '../telephony/provider.js';
import { findProvider } from '../telephony/registry.js';
import { recogniseProvider, RECOGNISING_FRAMES } from '../telephony/recognise.js';
import type { MediaStream, StreamEnding } from '../telephony/media-stream.js';
import { answerCall, type AnswerPorts } from './answer-call.js';
import type { AgentCache } from './agent-cache.js';
import type { Reservation } from './call-directory.js';
import type { CallOutcome } from './call-options.js';
import { modelsRecord } from './call-reporter.js';
import { snakeCaseKeys } from './record-json.js';
import { callContextOf, type StreamRequest } from './call-request.js';
import type { Refusals } from './refusals.js';

/** A run must reach its end even if the database is away for minutes. */
const FINALISE_RETRIES = { attempts: 60, baseDelayMs: 200, maxDelayMs: 10_000 } as const;

/** One stream that was upgraded and waits for its call to be answered. */
export interface IncomingCall {
  readonly stream: MediaStream;
  readonly request: StreamRequest;
  /** Upgrade headers, for recognising the provider. */
  readonly headers: IncomingHttpHeaders;
  readonly place: Reservation;
  /** The session is validated: the socket no longer counts as a stranger's. */
  readonly onAnswered: () => void;
}

/** What receiving calls takes. */
export interface ReceiverOptions extends AnswerPorts {
  readonly agents: AgentCache;
  readonly refusals: Refusals;
  readonly nodeId: string;
  /** Aborts when the node gives up waiting for the database. */
  readonly shutdown: AbortSignal;
  /** A stream was turned away before or after its run was minted; for counting. */
  readonly onRefused: (code: string) => void;
  /** A gap that a caller heard, measured on the recorded tracks; told when the call has ended. */
  readonly onGapHeard: (gapMs: number) => void;
  /** A run ended; for counting. */
  readonly onEnded: (provider: string, endReason: string) => void;
}

/**
 * Takes a call from its upgrade to the end of its run, in the contract's order: agent, quota and slot, run, handshake and session,
 * conversation, finalisation. Never rejects.
 */
export async function receiveCall(incoming: IncomingCall, options: ReceiverOptions): Promise<void> {
  const { stream, place } = incoming;
  try {
    const minted = await mintRun(incoming, options);
    if (minted !== null) await conductRun(incoming, minted, options);
  } catch (error) {
    const failure = toAgentStreamError(error);
    options.log.error('A call could not be received', { code: failure.code, error: failure.message });
    stream.close(failure.close.code, failure.close.reason);
  } finally {
    place.release();
  }
}

interface MintedRun {
  readonly run: Run;
  readonly callable: CallableAgent;
  readonly provider: ProviderModule;
  readonly remainingMs: number | null;
}

/** Steps 1 to 3. Null: the stream was refused and closed, and left no run. */
async function mintRun(incoming: IncomingCall, options: ReceiverOptions): Promise<MintedRun | null> {
  const { request } = incoming;
  try {
    const named = request.provider === null ? null : findProvider(request.provider);
    const callable = await options.agents.find(request.agentUuid, request.streamToken);
    const provider = named ?? (await recognisedProvider(incoming));
    const { agent, version } = callable;
    const facts = { provider: provider.name, agentUuid: agent.uuid, agentVariables: version.variables };
    const result = await options.store.runs.mint({
      agent,
      version: version.number,
      mode: provider.name,
      agentConcurrentCalls: options.workflows.of(callable).settings.limits.concurrent_calls ?? null,
      ...callContextOf(request, facts),
      nodeId: options.nodeId,
      leaseMs: LEASE_MS,
    });
    if (!result.ok) throw new AgentStreamError(result.code);
    return { run: result.run, callable, provider, remainingMs: result.remainingMs };
  } catch (error) {
    await refuseStream(incoming, error, options);
    return null;
  }
}

async function recognisedProvider({ stream, headers }: IncomingCall): Promise<ProviderModule> {
  const name = recogniseProvider(headers, await stream.firstMessages(RECOGNISING_FRAMES));
  if (name === null) throw new AgentStreamError('provider-not-recognised');
  return findProvider(name);
}

/** Turns a stream away that has no run: closes it, counts it, and tells the agent's owner. Never rejects. */
export async function refuseStream(
  { stream, request }: Pick<IncomingCall, 'stream' | 'request'>,
  error: unknown,
  options: Pick<ReceiverOptions, 'refusals' | 'log' | 'onRefused'>,
): Promise<void> {
  const failure = toAgentStreamError(error);
  if (isServerFault(failure)) options.log.error('A stream was refused by a fault', { code: failure.code, error: failure.message });
  refuse(failure, stream, options);
  await options.refusals.record(request.agentUuid, failure);
}

function refuse(failure: AgentStreamError, stream: MediaStream, { onRefused }: Pick<ReceiverOptions, 'onRefused'>): void {
  onRefused(failure.code);
  stream.close(failure.close.code, failure.close.reason);
}

/** Steps 4 and 5, and the run's end. */
async function conductRun(incoming: IncomingCall, minted: MintedRun, options: ReceiverOptions): Promise<void> {
  const { stream, place } = incoming;
  place.hold(minted.run.id);
  const events = options.eventWriters.open(minted.run.id);
  const end: RunEnd = await answerCall({ ...incoming, ...minted, events }, options).then(
    async (session) => {
      place.attach(session);
      incoming.onAnswered();
      const outcome = await session.outcome;
      for (const { heardGapMs } of outcome.turns) if (heardGapMs !== undefined) options.onGapHeard(heardGapMs);
      return { run: finalisationOf(outcome, minted.run, options), models: modelsRecord(outcome.models), work: workOf(outcome, minted) };
    },
    (error: unknown) => {
      const failure = asStreamError(error);
      events.append('call-refused', { code: failure.code, message: failure.message, ...failure.details }, 0);
      options.log.info('A call was refused after its run was minted', { runId: minted.run.id, code: failure.code });
      refuse(failure, stream, options);
      return { run: failedFinalisation(failure, stream, minted.run, options) };
    },
  );
  await finalise(minted, end, events, options);
}

/** How a run ended, and with which vendors, where its call was answered. */
interface RunEnd {
  readonly run: Omit<RunFinalisation, 'cost'>;
  readonly models?: Readonly<Record<string, unknown>>;
  /** What is to be paid for; absent where the call was never answered. */
  readonly work?: readonly UsageEntry[];
}

/** The vendors' work, and the provider's: the whole time of the call. */
function workOf({ work, durationMs }: CallOutcome, { provider }: MintedRun): readonly UsageEntry[] {
  return [...work, { leg: 'telephony', vendor: provider.name, model: '', audioMs: durationMs }];
}

async function costOfRun(work: readonly UsageEntry[], { organizationId, createdAt }: Run, { store }: ReceiverOptions) {
  return { ...costOf(work, await priceBookOf(organizationId, store), createdAt) };
}

async function finalise(minted: MintedRun, { run: end, work, ...used }: RunEnd, events: EventWriter, options: ReceiverOptions): Promise<void> {
  const { clock, log, store } = options;
  const runId = minted.run.id;
  events.append('run-ended', { end_reason: end.endReason, close_code: end.closeCode, ...used }, end.durationMs);
  await events.close();
  try {
    const write = async () => {
      const cost = work === undefined ? {} : await costOfRun(work, minted.run, options);
      return store.runs.finalise(runId, { ...end, cost });
    };
    const isFirst = await retry(write, { clock, signal: options.shutdown, ...FINALISE_RETRIES });
    options.onEnded(minted.provider.name, end.endReason);
    if (isFirst) log.info('A run ended', { runId, endReason: end.endReason, closeCode: end.closeCode, durationMs: end.durationMs });
    else log.warn('A run had been ended before its call was', { runId, endReason: end.endReason });
  } catch (error) {
    // No longer held, its lease runs out and the sweeper ends the run.
    log.error('A run could not be finalised', { runId, error: toAgentStreamError(error).message });
  }
}

/** What the agent found the call to be, where it collects `call_disposition`; else how it ended. */
function dispositionOf({ variables, ending }: CallOutcome): string {
  const { call_disposition: found } = variables;
  return typeof found === 'string' && found !== '' ? found : ending.endReason;
}

function finalisationOf(outcome: CallOutcome, run: Run, options: ReceiverOptions): RunEnd['run'] {
  const { ending } = outcome;
  return {
    endReason: ending.endReason,
    closeCode: ending.close.code,
    closeReason: ending.close.reason,
    durationMs: outcome.durationMs,
    gatheredContext: { ...outcome.variables, nodes_visited: outcome.nodesVisited, call_disposition: dispositionOf(outcome) },
    usage: { ...snakeCaseKeys(outcome.usage), vendors: outcome.work.map(snakeCaseKeys) },
    latency: { turns: outcome.turns.map(snakeCaseKeys) },
    recordingPath: outcome.isRecorded ? options.recordings.relativePathOf(run) : null,
  };
}

/** A vendor's own error, or a vendor that may not be reached, told to the peer as what it means for the call. */
function asStreamError(error: unknown): AgentStreamError {
  const failure = toAgentStreamError(error);
  if (!failure.code.startsWith('vendor-') && failure.code !== 'egress-refused') return failure;
  return new AgentStreamError('vendor-failed', { message: failure.message, cause: failure, details: { ...failure.details, vendor_error: failure.code } });
}

/** True for what the peer has no part in. */
const isServerFault = ({ code, close }: AgentStreamError): boolean =>
  close.code === 1011 && code !== 'provider-not-recognised' && code !== 'provider-unsupported';

function endReasonOf(failure: AgentStreamError, ending: StreamEnding | null): EndReason {
  if (ending !== null && !ending.byPeer && ending.code === errorCatalogue['server-going-away'].closeCode) return 'drained';
  if (failure.code === 'run-not-live') return ending?.byPeer === true ? 'caller_hangup' : 'handshake_error';
  if (failure.code === 'vendor-failed') return 'vendor_error';
  return isServerFault(failure) ? 'internal_error' : 'handshake_error';
}

function failedFinalisation(failure: AgentStreamError, stream: MediaStream, run: Run, { clock }: ReceiverOptions): RunEnd['run'] {
  // Where the peer closed first, its code is the one the socket ended with.
  const close = stream.ending ?? failure.close;
  return {
    endReason: endReasonOf(failure, stream.ending),
    closeCode: close.code,
    closeReason: close.reason,
    durationMs: Math.max(0, clock.wallMs() - run.createdAt.getTime()),
    gatheredContext: {},
    usage: {},
    latency: {},
    recordingPath: null,
  };
}
