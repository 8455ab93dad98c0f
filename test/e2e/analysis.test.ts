import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { webhookPayloadSchema } from '../../src/after-call/webhook-payload.js';
import { defaultDocument } from '../../src/workflow/default-document.js';
import { ending, mintRun } from '../contracts/store-fixtures.js';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { startFakeOpenai, type FakeOpenai } from '../support/fakes/openai.js';
import { media, placeStream, stop } from '../support/stream-carrier.js';
import { settle, waitUntil } from '../support/wait-for.js';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';

const judgement = { score: 7, summary: 'Nobody asked for anything.', tags: ['silent'], issues: [], answers: [] };

let openai: FakeOpenai;
let receiver: WebhookReceiver;
let server: CallServer;
beforeAll(async () => {
  openai = await startFakeOpenai({
    reply: ({ tools = [] }) =>
      tools.some((tool) => tool.function.name === 'report_analysis')
        ? { toolCalls: [{ id: 'call-1', name: 'report_analysis', argumentsJson: JSON.stringify(judgement) }], finishReason: 'tool_calls' }
        : undefined,
  });
  receiver = await startWebhookReceiver();
  server = await startCallServer({ env: { AGENT_STREAM_ALLOW_PRIVATE_NETWORKS: 'true', OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: openai.httpUrl } });
});
afterAll(async () => {
  await server.stop();
  await receiver.close();
  await openai.close();
});

const settings = { models: { stt: { vendor: 'builtin' }, llm: { vendor: 'openai' }, tts: { vendor: 'builtin' } } };
const qaNode = (data: Readonly<Record<string, unknown>>) => ({ id: 'qa', type: 'qa', data: { name: 'Quality', ...data } });
const webhookNode = () => ({
  id: 'crm',
  type: 'webhook',
  data: { name: 'CRM', endpoint_url: `${receiver.url}/crm`, payload_template: { score: '{{analysis.score}}', status: '{{analysis.status}}' } },
});

describe('a call of an agent with a qa node', () => {
  it('is judged once it has ended; run, events, webhooks and spend tell of it, once', async () => {
    const tenant = await server.createTenant();
    const created = await server.request('POST', '/api/v1/webhook-endpoints', { url: `${receiver.url}/hook`, events: ['run.ended', 'run.analysed'] }, tenant);
    const workflow = { ...defaultDocument, nodes: [...defaultDocument.nodes, qaNode({ qa_min_call_duration: 0, qa_system_prompt: 'Was it polite?' }), webhookNode()] };
    const published = await server.request('POST', '/api/v1/agents', { name: 'Judged', workflow_definition: workflow, settings }, tenant);
    expect(published.status).toBe(201);
    const agent = (await server.store.agents.get(tenant.organizationId, String(published.json['uuid'])))!;
    const carrier = await placeStream(server, server.streamUrl(agent.uuid), { tenant });
    await carrier.heard();
    const live = await server.waitForRun(agent, ({ state }) => state === 'running');
    await waitUntil('the greeting to be heard', async () => (await server.eventsOf(live)).some(({ type }) => type === 'agent-said'));
    carrier.send(media(), stop);
    await carrier.closed;
    const ended = await server.endedRun(agent);
    await waitUntil('all messages', () => receiver.received.length === 3);
    await settle(300);
    expect(receiver.received.map(({ path }) => path).sort()).toEqual(['/crm', '/hook', '/hook']);

    const run = (await server.request('GET', `/api/v1/runs/${ended.id}`, undefined, tenant)).json;
    expect(run['analysis']).toMatchObject({ status: 'done', ...judgement, nodes: [{ node_id: 'qa', status: 'done', vendor: 'openai', model: 'gpt-4.1-mini' }] });
    const messages = receiver.received
      .filter(({ path }) => path === '/hook')
      .map(({ body, headers }) => webhookPayloadSchema.parse(new Webhook(String(created.json['secret'])).verify(body, headers)));
    expect(messages.map(({ type, data }) => [type, data.run?.analysis?.['score'] ?? null]).sort()).toEqual([['run.analysed', 7], ['run.ended', null]]);
    // The node's own request waits for what it may name.
    expect(JSON.parse(receiver.received.find(({ path }) => path === '/crm')?.body ?? '')).toEqual({ score: '7', status: 'done' });
    expect((await server.eventsOf(ended)).at(-1)).toMatchObject({ type: 'run-analysed', data: { status: 'done', score: 7 } });

    const cost = run['cost'] as { total: string; parts: { leg: string; vendor: string }[] };
    expect(cost.parts.filter(({ leg }) => leg === 'qa').map(({ vendor }) => vendor)).toEqual(['openai', 'openai']);
    expect(Number(cost.total)).toBeGreaterThan(0);
    expect((run['usage'] as { vendors: { leg: string }[] }).vendors.filter(({ leg }) => leg === 'qa')).toHaveLength(1);
    expect((await server.request('GET', '/api/v1/usage', undefined, tenant)).json['cost']).toEqual({ currency: 'USD', total: cost.total, partly_priced_runs: 1 });
  });

  it('that is not judged is not announced, and its webhook nodes do not wait', async () => {
    receiver.received.length = 0;
    const tenant = await server.createTenant();
    await server.request('POST', '/api/v1/webhook-endpoints', { url: `${receiver.url}/hook`, events: ['run.analysed'] }, tenant);
    const workflow = { ...defaultDocument, nodes: [...defaultDocument.nodes, qaNode({ qa_min_call_duration: 3600 }), webhookNode()] };
    const run = await mintRun(server.store, await server.createAgent({ tenant, workflow, settings }));
    await server.store.runs.markRunning(run.id);
    await server.store.runs.finalise(run.id, ending());
    await waitUntil('the node’s request', () => receiver.received.length === 1);
    await settle(300);
    expect(receiver.received.map(({ path, body }) => [path, JSON.parse(body) as unknown])).toEqual([['/crm', { score: '', status: 'skipped' }]]);
    expect((await server.store.runs.get(tenant.organizationId, run.id))?.analysis).toMatchObject({ status: 'skipped', nodes: [{ reason: 'too_short' }] });
  });

  it('is settled once, however often it is tried', async () => {
    const workflow = { ...defaultDocument, nodes: [...defaultDocument.nodes, qaNode({})] };
    const run = await mintRun(server.store, await server.createAgent({ workflow, settings }));
    await server.store.runs.finalise(run.id, ending());
    const read = async () => (await server.store.runs.get(run.organizationId, run.id))?.analysis;
    await waitUntil('the analysis', async () => (await read()) !== null);
    expect(await server.store.analyses.claim(run.id, 1000)).toBe('done');
    expect(await server.store.analyses.settle(run.id, { analysis: { status: 'done' }, cost: null, work: [], isAnnounced: true })).toBe(false);
    expect(await read()).toMatchObject({ status: 'skipped', nodes: [{ reason: 'not_answered' }] });
  });
});
