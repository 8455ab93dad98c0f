import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { parseCallerScript } from '../../src/simulator/caller-script.js';
import { placeCall } from '../../src/simulator/place-call.js';
import { createSimulatedSpeech } from '../../src/simulator/simulated-speech.js';
import { waitUntil } from '../support/wait-for.js';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';
import { startCallServer, type CallServer } from '../support/call-server.js';

let server: CallServer;
let receiver: WebhookReceiver;
beforeAll(async () => {
  receiver = await startWebhookReceiver();
  server = await startCallServer({ env: { AGENT_STREAM_ALLOW_PRIVATE_NETWORKS: 'true' } });
}, 60_000);
afterAll(async () => {
  await server.stop();
  await receiver.close();
});

const clinic = JSON.parse(readFileSync('examples/dograh/clinic.json', 'utf8')) as Record<string, unknown> & { workflow_definition: { nodes: { type: string }[]; edges: object[] } };
const importing = (body: unknown, query = '') => server.request('POST', `/api/v1/agents/import${query}`, body);

describe('an exported Dograh agent', () => {
  it('of every node type is imported, published, answers a call, and does what follows one', async () => {
    // What its editor knows (src/workflow/schema.ts has what is ours besides), and one integration that this server has not.
    const dograhTypes = ['agentNode', 'endCall', 'globalNode', 'qa', 'startCall', 'trigger', 'tuner', 'webhook'];
    expect([...new Set(clinic.workflow_definition.nodes.map(({ type }) => type))].toSorted()).toEqual(dograhTypes);
    const calendar = 'https://calendar.example.com';
    // Every call is judged, whatever its length. The builtin model gives no judgement: the request after the call does not wait for a better one.
    const judged = JSON.stringify(clinic).replace('"qa_sample_rate":50', '"qa_sample_rate":100').replace('"qa_min_call_duration":15', '"qa_min_call_duration":1');
    const { status, json } = await importing(JSON.parse(judged.replace(calendar, receiver.url)));
    expect([status, json['problems']]).toEqual([201, []]);
    expect(json['dropped']).toContainEqual({ path: 'nodes.7', element_id: '8', value_kind: 'object', why: 'node type “tuner”: an integration this server does not have' });
    expect(JSON.stringify(json)).not.toContain('not-a-real-key');
    const uuid = (json['agent'] as { uuid: string; published_version: number }).uuid;
    const agent = await server.store.agents.get(server.tenant.organizationId, uuid);
    if (agent === null) throw new Error('unreachable');
    expect(agent.publishedVersion).toBe(1);
    const script = ['caller: I want to book an appointment.', 'caller: Friday, my name is Ada. Booked, thank you, goodbye.', 'listen'].join('\n');
    await placeCall({
      url: server.streamUrl(uuid),
      domain: server.tenant.domain,
      cloudonix: server.cloudonix,
      steps: parseCallerScript(script),
      speech: createSimulatedSpeech(systemClock),
      clock: systemClock,
      maxDurationMs: 40_000,
    });
    const run = await server.endedRun(agent);
    expect(run.endReason).toBe('agent_hangup');
    expect(run.gatheredContext['nodes_visited']).toEqual(['Welcome', 'Appointment', 'Goodbye']);
    const said = (await server.eventsOf(run)).flatMap(({ type, data }) => (type === 'agent-said' ? [String(data['text'])] : []));
    expect(said[0]).toBe('Hello, this is Riverside Clinic. How can I help you?');
    expect(said.at(-1)).toContain('Goodbye');
    await waitUntil('the request after the call', () => receiver.received.length > 0);
    expect(receiver.received.map(({ path, body }) => [path, JSON.parse(body) as unknown])).toMatchObject([['/calls', { run: run.id, note: null }]]);
    expect(receiver.received[0]?.headers).toMatchObject({ 'x-clinic': 'Riverside Clinic' });
    const { json: shown } = await server.request('GET', `/api/v1/runs/${run.id}`);
    expect(shown['analysis']).toMatchObject({ status: 'failed', nodes: [{ node_id: '7', status: 'failed', code: 'vendor-protocol' }] });
  }, 60_000);

  it('is only looked at in a dry run, with everything that would be wrong', async () => {
    const before = (await server.request('GET', '/api/v1/agents?limit=200')).json['items'] as unknown[];
    const broken = { ...clinic, workflow_definition: { ...clinic.workflow_definition, nodes: [...clinic.workflow_definition.nodes, { id: '9', type: 'agentNode', data: { name: 'Lost' } }] } };
    const { status, json } = await importing(broken, '?dry_run=true&name=Tried');
    expect([status, json['agent'], (json['content'] as { name: string }).name]).toEqual([200, null, 'Tried']);
    const problems = json['problems'] as { path: string; element_id: string; cure: string }[];
    expect(problems.map(({ path, element_id }) => [element_id, path])).toEqual(expect.arrayContaining([['9', 'data.prompt'], ['9', 'edges']]));
    expect(problems.every(({ cure }) => cure !== '')).toBe(true);
    expect((await server.request('GET', '/api/v1/agents?limit=200')).json['items']).toHaveLength(before.length);
    const refused = await importing(broken);
    expect([refused.status, refused.json['code']]).toEqual([422, 'workflow-invalid']);
    expect(refused.json['errors']).toEqual(problems);
  });

  it('is refused with the reason where it is none, or of a newer version', async () => {
    const newer = await importing({ agent_stream_export: 99, workflow_definition: {} });
    expect([newer.status, newer.json['errors']]).toMatchObject([422, [{ path: 'agent_stream_export', message: 'was written by a newer version: format 99, known here is 1' }]]);
    expect((await importing({ hello: 1 })).status).toBe(422);
  });

  it('comes back from an export as it was', async () => {
    const first = await importing(clinic, '?name=First');
    const { json: exported } = await server.request('GET', `/api/v1/agents/${(first.json['agent'] as { uuid: string }).uuid}/export`);
    const second = await importing(exported);
    expect([second.status, second.json['dropped']]).toEqual([201, []]);
    expect(second.json['content']).toEqual(first.json['content']);
  });
});
