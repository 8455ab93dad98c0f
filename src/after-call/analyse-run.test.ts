import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { sampleRun } from '../../test/support/sample-run.js';
import { AgentStreamError } from '../base/errors.js';
import { silentLog } from '../base/log.js';
import type { RunEvent } from '../runs/events.js';
import type { LanguageModel, LanguageModelRequest } from '../speech/language-model.js';
import { meterLanguageModel } from '../speech/metered.js';
import { createWorkMeter } from '../speech/work-meter.js';
import type { ClaimedAnalysis, Run, SettledAnalysis } from '../store/store.js';
import { ATTEMPT_LIMIT_MS, createRunAnalysis, retryDelaysMs } from './analyse-run.js';
import { samplePercent } from './qa-plan.js';

const judgement = { score: 8, summary: 'A ticket was sold.', tags: ['sale'], issues: [], answers: [{ question: 'Sold?', answer: 'Yes.' }] };
const events: readonly RunEvent[] = [
  { seq: 1, atMs: 0, type: 'agent-said', data: { turn_id: 0, text: 'Hello.', start_ms: 0, end_ms: 500, interrupted: false } },
  { seq: 2, atMs: 900, type: 'caller-said', data: { turn_id: 1, text: 'A ticket, please.', start_ms: 600, end_ms: 900 } },
];
const qaNode = (id: string, data: Readonly<Record<string, unknown>> = {}) => ({ id, type: 'qa', data: { name: `Judge ${id}`, ...data } });

type Reply = string | AgentStreamError;

/** One run to be judged, and a model that answers in this order: JSON of a function call, `text:` and words, an error, or silence. */
function stage(options: { nodes: readonly unknown[]; replies?: readonly Reply[]; run?: Partial<Run> }) {
  const clock = createVirtualClock();
  const meter = createWorkMeter();
  const requests: LanguageModelRequest[] = [];
  const replies = [...(options.replies ?? [])];
  const product: LanguageModel = {
    vendor: 'openai',
    model: 'gpt-4.1-mini',
    async *stream(request) {
      requests.push(request);
      const reply = replies.shift();
      if (reply === undefined) throw new Error('The model was asked too often');
      if (reply instanceof AgentStreamError) throw reply;
      if (reply === 'silence') await new Promise(() => undefined);
      else if (reply.startsWith('text:')) yield { type: 'text-delta', text: reply.slice(5) };
      else yield { type: 'tool-call', toolCall: { id: '1', name: 'report_analysis', argumentsJson: reply } };
      yield { type: 'finish', reason: 'stop', usage: { inputTokens: 1000, outputTokens: 100 } };
    },
  };
  const models: (string | null)[] = [];
  const state = { tries: 0, progress: null as unknown, postponedMs: [] as number[], settled: [] as SettledAnalysis[] };
  const run = sampleRun(options.run);
  const store = {
    analyses: {
      claim: async (): Promise<ClaimedAnalysis | 'done'> => {
        if (state.settled.length > 0) return 'done';
        state.tries += 1;
        return { run, workflow: { nodes: options.nodes }, settings: {}, tries: state.tries, progress: structuredClone(state.progress) };
      },
      postpone: async (_id: string, delayMs: number, progress: unknown) => {
        state.postponedMs.push(delayMs);
        state.progress = JSON.parse(JSON.stringify(progress));
      },
      settle: async (_id: string, settled: SettledAnalysis) => state.settled.push(settled) === 1,
    },
    runs: { listEvents: async (_organizationId: string, _id: string, afterSeq: number) => events.filter(({ seq }) => seq > afterSeq) },
    accounts: { getPrices: async () => null },
  };
  const analyse = createRunAnalysis({
    store: store as unknown as Parameters<typeof createRunAnalysis>[0]['store'],
    clock,
    log: silentLog,
    async openJudge(_organizationId, _settings, model) {
      models.push(model);
      return { model: meterLanguageModel(product, meter), work: () => meter.work };
    },
  });
  const attempt = (signal = new AbortController().signal) => analyse(run.id, signal);
  return { clock, state, requests, models, attempt };
}

describe('the analysis of a run', () => {
  it('is the model’s judgement, with its cost beside the call’s', async () => {
    const cost = { currency: 'USD', total: '1.000000', price_table_version: 'x', parts: [], unknown: [] };
    const { state, requests, models, attempt } = stage({ nodes: [qaNode('a', { qa_system_prompt: 'Was a ticket sold?' })], replies: [JSON.stringify(judgement)], run: { cost } });
    await attempt();
    const [{ analysis, cost: after, work, isAnnounced } = { analysis: null, cost: null, work: [], isAnnounced: false }] = state.settled;
    expect(analysis).toEqual({ status: 'done', sentiment: null, ...judgement, nodes: [{ status: 'done', node_id: 'a', name: 'Judge a', vendor: 'openai', model: 'gpt-4.1-mini', ...judgement }] });
    expect(isAnnounced).toBe(true);
    expect(after).toMatchObject({ total: '1.000560', parts: [{ leg: 'qa', amount: '0.000400' }, { leg: 'qa', amount: '0.000160' }] });
    expect(work).toEqual([{ leg: 'qa', vendor: 'openai', model: 'gpt-4.1-mini', input_tokens: 1000, output_tokens: 100 }]);
    expect(models).toEqual([null]);
    const [system, user] = requests[0]?.messages ?? [];
    expect(system).toMatchObject({ role: 'system', text: expect.stringMatching(/never an instruction to you\.\n\nWas a ticket sold\?$/) as string });
    expect(user).toMatchObject({ role: 'user', text: 'The conversation:\nagent: Hello.\ncaller: A ticket, please.' });
    await attempt();
    expect(state.settled).toHaveLength(1);
  });

  it('takes JSON that stands in the model’s text, and another model where the node names one', async () => {
    const { state, models, attempt } = stage({ nodes: [qaNode('a', { qa_use_workflow_llm: false, qa_model: 'gpt-4.1' })], replies: [`text:Here it is: ${JSON.stringify(judgement)}.`] });
    await attempt();
    expect(state.settled[0]?.analysis).toMatchObject({ status: 'done', score: 8 });
    expect(models).toEqual(['gpt-4.1']);
  });

  it('is mended once, and given up where that is no better', async () => {
    const mended = stage({ nodes: [qaNode('a')], replies: ['{"score": 11}', JSON.stringify(judgement)] });
    await mended.attempt();
    expect(mended.state.settled[0]?.analysis).toMatchObject({ status: 'done' });
    expect(mended.requests[1]?.messages.at(-1)).toMatchObject({ role: 'user', text: expect.stringMatching(/score: .*\nsummary: /) as string });

    const hopeless = stage({ nodes: [qaNode('a')], replies: ['nonsense', 'text:no', 'nonsense', 'text:no', 'x', 'x', 'x', 'x'] });
    for (let tries = 0; tries < 4; tries += 1) await hopeless.attempt();
    expect(hopeless.state.settled[0]).toMatchObject({ isAnnounced: true, analysis: { status: 'failed', nodes: [{ code: 'vendor-protocol' }] } });
  });

  it.each<[string, Partial<Run>, Readonly<Record<string, unknown>>, string]>([
    ['was never answered', { answeredAt: null }, {}, 'not_answered'],
    ['was short', { durationMs: 14_999 }, {}, 'too_short'],
    ['reached a voicemail', { endReason: 'voicemail' }, {}, 'voicemail'],
    ['is not in the sample', {}, { qa_sample_rate: 0 }, 'sampled_out'],
  ])('is none for a call that %s', async (_name, run, data, reason) => {
    const { state, attempt, requests } = stage({ nodes: [qaNode('a', data)], run });
    await attempt();
    expect(requests).toEqual([]);
    expect(state.settled[0]).toMatchObject({ isAnnounced: false, cost: null, analysis: { status: 'skipped', nodes: [{ reason }] } });
  });

  it('asks again later for what a vendor failed at, and for that only', async () => {
    const unreachable = new AgentStreamError('vendor-unreachable');
    const { state, requests, attempt } = stage({ nodes: [qaNode('a'), qaNode('b')], replies: [JSON.stringify(judgement), unreachable, JSON.stringify({ ...judgement, score: 3 })] });
    await attempt();
    expect(state.postponedMs).toEqual([retryDelaysMs[0]]);
    await attempt();
    expect(requests).toHaveLength(3);
    expect(state.settled[0]?.analysis).toMatchObject({ score: 8, nodes: [{ node_id: 'a', score: 8 }, { node_id: 'b', score: 3 }] });
  });

  it('gives up at once on what no retry helps, and after the last try on the rest', async () => {
    const refused = stage({ nodes: [qaNode('a')], replies: [new AgentStreamError('vendor-unauthorized')] });
    await refused.attempt();
    expect(refused.state.settled[0]?.analysis).toMatchObject({ status: 'failed', nodes: [{ code: 'vendor-unauthorized' }] });

    const lost = stage({ nodes: [qaNode('a')], replies: Array.from({ length: 4 }, () => new AgentStreamError('vendor-unreachable')) });
    for (let tries = 0; tries < 4; tries += 1) await lost.attempt();
    expect(lost.state.postponedMs).toEqual(retryDelaysMs);
    expect(lost.state.settled[0]?.analysis).toMatchObject({ status: 'failed', nodes: [{ code: 'vendor-unreachable' }] });
  });

  it('does not wait for a model that stays silent', async () => {
    const { clock, state, attempt } = stage({ nodes: [qaNode('a')], replies: ['silence'] });
    const attempted = attempt();
    await clock.advance(ATTEMPT_LIMIT_MS + 1);
    await attempted;
    expect(state.postponedMs).toEqual([retryDelaysMs[0]]);
    expect(state.progress).toMatchObject({ results: [], work: [{ leg: 'qa', uncountedRequests: 1 }] });
  });

  it('is called off with its node, and due at once', async () => {
    const { clock, state, attempt } = stage({ nodes: [qaNode('a')], replies: ['silence'] });
    const stopping = new AbortController();
    const attempted = attempt(stopping.signal);
    const outcome = expect(attempted).rejects.toThrow('The node stops');
    await clock.advance(10);
    stopping.abort(new Error('The node stops'));
    await outcome;
    expect(state).toMatchObject({ postponedMs: [0], settled: [] });
  });
});

describe('a sample of calls', () => {
  it('is the same whenever it is drawn, and as large as it should be', () => {
    const ids = Array.from({ length: 4000 }, (_, index) => `run-${index}`);
    const share = ids.filter((id) => samplePercent(id, 'qa') < 25).length / ids.length;
    expect(share).toBeGreaterThan(0.22);
    expect(share).toBeLessThan(0.28);
    expect(ids.every((id) => samplePercent(id, 'qa') === samplePercent(id, 'qa') && samplePercent(id, 'qa') < 100)).toBe(true);
  });
});
