import { z } from 'zod';
import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { addCosts, costOf, readCost, type UsageEntry } from '../runs/cost.js';
import { priceBookOf } from '../runs/pricing.js';
import type { RunEvent } from '../runs/events.js';
import { transcriptOf } from '../runs/transcript.js';
import type { LanguageModel } from '../speech/language-model.js';
import type { VendorWork } from '../speech/work-meter.js';
import type { ClaimedAnalysis, Run, Store } from '../store/store.js';
import { judgeCall } from './judge-call.js';
import { qaAnswerSchema, type SpokenLine } from './qa-answer.js';
import { qaNodesOf, skipReasonOf, type QaNode } from './qa-plan.js';

/** All nodes of a run are asked at once, each with its repair, within this: a job that takes a minute counts as lost (store/job-queue.ts). */
export const ATTEMPT_LIMIT_MS = 40_000;
/** An attempt that has recorded nothing by then died with its node. */
const CLAIM_MS = 55_000;
/** Waits after the first, second, … attempt in which a vendor failed that may do better later. */
export const retryDelaysMs: readonly number[] = [30_000, 120_000, 600_000];
/** Events of a run that are read for its transcript. */
const EVENTS_PER_PAGE = 1000;
const MAX_EVENT_PAGES = 20;

const named = { node_id: z.string(), name: z.string() };
const judgedBy = { vendor: z.string(), model: z.string() };

/** What became of one `qa` node. */
const nodeResultSchema = z.discriminatedUnion('status', [
  z.object({ status: z.literal('done'), ...named, ...judgedBy, ...qaAnswerSchema.shape }),
  z.object({ status: z.literal('skipped'), ...named, reason: z.string() }),
  z.object({ status: z.literal('failed'), ...named, code: z.string(), message: z.string() }),
]);

type NodeResult = z.output<typeof nodeResultSchema>;

/** What attempts leave for the next: who is judged already, and what was paid for. */
const progressSchema = z.object({ results: z.array(nodeResultSchema), work: z.array(z.custom<UsageEntry>((value) => typeof value === 'object' && value !== null)) });

type Progress = z.output<typeof progressSchema>;

/** A model to judge with, and what it did so far. */
export interface Judge {
  readonly model: LanguageModel;
  readonly work: () => readonly VendorWork[];
}

/** What analyses are made with. */
export interface AnalysisOptions {
  readonly store: Pick<Store, 'analyses' | 'runs' | 'accounts'>;
  readonly clock: Clock;
  readonly log: Log;
  /** The model of an agent's version; `model` another one of its vendor. Rejects as `ModelResolver` does. */
  readonly openJudge: (organizationId: string, settings: unknown, model: string | null) => Promise<Judge>;
}

async function readTranscript({ organizationId, id }: Run, { runs }: AnalysisOptions['store']): Promise<readonly SpokenLine[]> {
  const events: RunEvent[] = [];
  for (let page = 0; page < MAX_EVENT_PAGES; page += 1) {
    const next: readonly RunEvent[] = (await runs.listEvents(organizationId, id, events.at(-1)?.seq ?? 0, EVENTS_PER_PAGE)) ?? [];
    events.push(...next);
    if (next.length < EVENTS_PER_PAGE) break;
  }
  return transcriptOf(events);
}

/** What templates name without a node: the judgement of the first that gave one. */
function analysisOf(results: readonly NodeResult[]): Readonly<Record<string, unknown>> {
  const first = results.find((result) => result.status === 'done');
  if (first === undefined) return { status: results.some(({ status }) => status === 'failed') ? 'failed' : 'skipped', nodes: results };
  const { score, summary, sentiment = null, tags, issues, answers } = first;
  return { status: 'done', score, summary, sentiment, tags, issues, answers, nodes: results };
}

/** A node's result, or the error for which it is worth asking again. */
type Judgement = { readonly result: NodeResult; readonly work: readonly UsageEntry[] } | { readonly retry: AgentStreamError; readonly node: QaNode; readonly work: readonly UsageEntry[] };

/** Judges a run whose call has ended, by the `qa` nodes of its version. Rejects where that could not be recorded. */
export function createRunAnalysis(options: AnalysisOptions): (runId: string, signal: AbortSignal) => Promise<void> {
  const { store, clock, log } = options;

  async function judge(
    node: QaNode,
    { run, settings }: ClaimedAnalysis,
    transcript: readonly SpokenLine[],
    { signal, stopping }: { readonly signal: AbortSignal; readonly stopping: AbortSignal },
  ): Promise<Judgement> {
    const { id, data } = node;
    let work: () => readonly VendorWork[] = () => [];
    const done = () => work().map((entry) => ({ ...entry, leg: 'qa' as const }));
    try {
      const opened = await options.openJudge(run.organizationId, settings, data.qa_use_workflow_llm ? null : (data.qa_model ?? null));
      work = opened.work;
      const answer = await judgeCall(opened.model, { systemPrompt: data.qa_system_prompt, transcript }, signal);
      if (answer === null) return { result: failureOf(node, unreadable()), work: done() };
      const { vendor, model } = opened.model;
      return { result: { status: 'done', node_id: id, name: data.name, vendor, model, ...answer }, work: done() };
    } catch (error) {
      // A node that stops calls its attempts off: that is no failure of a vendor.
      stopping.throwIfAborted();
      const failure = toAgentStreamError(error, 'vendor-failed');
      return failure.retryable ? { retry: failure, node, work: done() } : { result: failureOf(node, failure), work: done() };
    }
  }

  async function attempt(claimed: ClaimedAnalysis, before: Progress, signal: AbortSignal): Promise<readonly Judgement[]> {
    const { run, workflow } = claimed;
    const transcript = await readTranscript(run, store);
    const isSettled = (node: QaNode) => before.results.some(({ node_id: nodeId }) => nodeId === node.id);
    const late = () => new AgentStreamError('vendor-unreachable', { message: 'The model took too long to judge the call.' });
    const deadline = deadlineSignal(clock, ATTEMPT_LIMIT_MS, signal, late);
    try {
      const open = qaNodesOf(workflow).filter((node) => !isSettled(node));
      return await Promise.all(
        open.map(async (node): Promise<Judgement> => {
          const reason = skipReasonOf(node, run, transcript);
          if (reason !== null) return { result: { status: 'skipped', node_id: node.id, name: node.data.name, reason }, work: [] };
          return judge(node, claimed, transcript, { signal: deadline.signal, stopping: signal });
        }),
      );
    } finally {
      deadline.dispose();
    }
  }

  async function settle(run: Run, { results, work }: Progress): Promise<void> {
    const analysis = analysisOf(results);
    const added = work.length === 0 ? null : costOf(work, await priceBookOf(run.organizationId, store), run.createdAt);
    const former = readCost(run.cost);
    const cost = added === null ? null : { ...(former === null ? added : addCosts(former, added)) };
    await store.analyses.settle(run.id, { analysis, cost, work: work.map(asRecorded), isAnnounced: analysis['status'] !== 'skipped' });
    log.debug('A run was analysed', { runId: run.id, status: String(analysis['status']) });
  }

  return async (runId, signal) => {
    const claimed = await store.analyses.claim(runId, CLAIM_MS);
    if (claimed === 'done') return;
    // The queue tries again; by then the other attempt has recorded its result, or its claim has run out.
    if (claimed === 'busy') throw new AgentStreamError('not-ready', { message: 'Another attempt at the analysis is under way.' });
    const parsed = progressSchema.safeParse(claimed.progress);
    const before = parsed.success ? parsed.data : { results: [], work: [] };
    const judgements = await attempt(claimed, before, signal).catch(async (error: unknown) => {
      await store.analyses.postpone(runId, 0, before);
      throw error;
    });
    const retries = judgements.flatMap((judgement) => ('retry' in judgement ? [judgement] : []));
    const results = [...before.results, ...judgements.flatMap((judgement) => ('result' in judgement ? [judgement.result] : []))];
    const work = [...before.work, ...judgements.flatMap((judgement) => judgement.work)];
    const delayMs = retryDelaysMs[claimed.tries - 1];
    if (retries.length > 0 && delayMs !== undefined) return store.analyses.postpone(runId, delayMs, { results, work });
    await settle(claimed.run, { results: [...results, ...retries.map(({ node, retry }) => failureOf(node, retry))], work });
  };
}

const unreadable = () => new AgentStreamError('vendor-protocol', { message: 'The model gave no judgement that can be read, nor mended it.' });

function failureOf({ id, data }: QaNode, { code, message }: AgentStreamError): NodeResult {
  return { status: 'failed', node_id: id, name: data.name, code, message };
}

/** Work as `usage.vendors` shows it. */
function asRecorded({ leg, vendor, model, inputTokens, cachedInputTokens, outputTokens, uncountedRequests }: UsageEntry): Readonly<Record<string, unknown>> {
  const counts = { input_tokens: inputTokens, cached_input_tokens: cachedInputTokens, output_tokens: outputTokens, uncounted_requests: uncountedRequests };
  return { leg, vendor, model, ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== undefined)) };
}
