import pg from 'pg';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { webhookPayloadSchema } from '../../src/after-call/webhook-payload.js';
import { defaultDocument } from '../../src/workflow/default-document.js';
import { ending, mintRun } from '../contracts/store-fixtures.js';
import { startCallServer, type CallServer, type CallTenant } from '../support/call-server.js';
import { createTestDatabase } from '../support/database.js';
import { media, placeStream, stop } from '../support/stream-carrier.js';
import { settle, waitUntil } from '../support/wait-for.js';
import { startWebhookReceiver, type ReceivedMessage, type WebhookReceiver } from '../support/webhook-receiver.js';

let server: CallServer;
let receiver: WebhookReceiver;
beforeAll(async () => {
  receiver = await startWebhookReceiver();
  server = await startCallServer({ env: { AGENT_STREAM_ALLOW_PRIVATE_NETWORKS: 'true' } });
});
afterAll(async () => {
  await server.stop();
  await receiver.close();
});
beforeEach(() => {
  receiver.received.length = 0;
  receiver.answer((_message, response) => void response.writeHead(204).end());
});

async function createEndpoint(tenant: CallTenant, path: string, events?: readonly string[]): Promise<{ id: string; secret: string }> {
  const { status, json } = await server.request('POST', '/api/v1/webhook-endpoints', { url: `${receiver.url}${path}`, ...(events === undefined ? {} : { events }) }, tenant);
  expect(status).toBe(201);
  return { id: String(json['id']), secret: String(json['secret']) };
}

const verified = (secret: string, { body, headers }: ReceivedMessage) => webhookPayloadSchema.parse(new Webhook(secret).verify(body, headers));

/** A run that was answered and ended without a call. */
async function endRun(tenant: CallTenant): Promise<string> {
  const run = await mintRun(server.store, await server.createAgent({ tenant }));
  await server.store.runs.markRunning(run.id);
  await server.store.runs.finalise(run.id, ending());
  return run.id;
}

describe('the webhooks of a call', () => {
  it('arrive, signed, once each, and the workflow’s own with them', async () => {
    const tenant = await server.createTenant();
    const { id, secret } = await createEndpoint(tenant, '/hook');
    const node = { id: 'crm', type: 'webhook', data: { name: 'CRM', endpoint_url: `${receiver.url}/crm`, payload_template: { call: '{{call_id}}', who: '{{company}}' } } };
    const workflow = { ...defaultDocument, nodes: [...defaultDocument.nodes, node] };
    const agent = await server.createAgent({ tenant, workflow, variables: { company: 'Acme' } });
    const carrier = await placeStream(server, server.streamUrl(agent.uuid), { tenant });
    await carrier.heard();
    carrier.send(media(), stop);
    await carrier.closed;
    const run = await server.endedRun(agent);
    await waitUntil('all messages', () => receiver.received.length === 3);
    await settle(300);
    expect(receiver.received).toHaveLength(3);
    const messages = receiver.received.filter(({ path }) => path === '/hook').map((message) => verified(secret, message));
    expect(messages.map(({ type }) => type).sort()).toEqual(['run.ended', 'run.started']);
    expect(messages.find(({ type }) => type === 'run.ended')?.data.run).toMatchObject({ id: run.id, end_reason: 'caller_hangup', state: 'completed' });
    const own = receiver.received.find(({ path }) => path === '/crm')!;
    expect(JSON.parse(own.body)).toEqual({ call: run.gatheredContext['call_id'], who: 'Acme' });
    expect(own.headers).not.toHaveProperty('webhook-signature');
    await waitUntil('the log', async () => {
      const { json } = await server.request('GET', `/api/v1/webhook-deliveries?run_id=${run.id}`, undefined, tenant);
      return (json['items'] as { status: string }[]).every(({ status }) => status === 'delivered');
    });
    const log = await server.request('GET', `/api/v1/webhook-endpoints/${id}/deliveries`, undefined, tenant);
    expect(log.json['items']).toMatchObject([{ attempts: 1, response_status: 204, run_id: run.id }, { attempts: 1, response_status: 204, run_id: run.id }]);
    expect((await (await fetch(`${server.node.url}/metrics`, { headers: { authorization: `Bearer ${tenant.key}` } })).text())).toMatch(/agent_stream_webhook_attempts_total\{outcome="delivered"\} \d/);
  });

  it('are tried again after five seconds, by the same id', async () => {
    const tenant = await server.createTenant();
    await createEndpoint(tenant, '/flaky', ['run.ended']);
    receiver.answer((_message, response) => void response.writeHead(receiver.received.length === 1 ? 503 : 200).end());
    const startMs = performance.now();
    await endRun(tenant);
    await waitUntil('the second attempt', () => receiver.received.length === 2);
    expect(performance.now() - startMs).toBeGreaterThan(4_900);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  it('to a receiver that hangs hold up nobody else', async () => {
    const [slow, quick] = [await server.createTenant(), await server.createTenant()];
    await createEndpoint(slow, '/slow', ['run.ended']);
    await createEndpoint(quick, '/quick', ['run.ended']);
    receiver.answer(({ path }, response) => {
      if (path === '/quick') response.writeHead(204).end();
    });
    for (let count = 0; count < 12; count += 1) await endRun(slow);
    await waitUntil('the slow ones', () => receiver.received.length > 0);
    await endRun(quick);
    await waitUntil('the quick one', () => receiver.received.some(({ path }) => path === '/quick'), 3_000);
    expect(receiver.received.filter(({ path }) => path === '/slow').length).toBeLessThanOrEqual(4);
  });
});

describe('a node that stops', () => {
  it('ends in time though a receiver hangs, and the next one delivers', async () => {
    const database = await createTestDatabase();
    const options = { env: { AGENT_STREAM_ALLOW_PRIVATE_NETWORKS: 'true' }, database };
    const first = await startCallServer(options);
    const { json } = await first.request('POST', '/api/v1/webhook-endpoints', { url: `${receiver.url}/left`, events: ['run.ended'] });
    receiver.answer(() => undefined);
    const run = await mintRun(first.store, await first.createAgent());
    await first.store.runs.finalise(run.id, ending());
    await waitUntil('an attempt', () => receiver.received.length > 0);
    const startMs = performance.now();
    await first.stop();
    const stoppedMs = performance.now() - startMs;
    process.stdout.write(`a node with a hanging delivery stopped in ${stoppedMs.toFixed(0)} ms\n`);
    expect(stoppedMs).toBeLessThan(10_000);
    receiver.answer((_message, response) => void response.writeHead(204).end());
    const next = await startCallServer(options);
    const read = async () => (await next.store.webhookDeliveries.list(run.organizationId, { runId: run.id })).items;
    await waitUntil('the delivery', async () => (await read()).every(({ status }) => status === 'delivered'));
    expect(receiver.received).toHaveLength(2);
    for (const message of receiver.received) expect(verified(String(json['secret']), message).data.run?.id).toBe(run.id);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    await next.stop();
    await database.drop();
  });
});

describe('a database that drops every connection', () => {
  it('costs no delivery', async () => {
    const admin = new pg.Client(server.database.poolConfig);
    await admin.connect();
    const tenant = await server.createTenant();
    await createEndpoint(tenant, '/cut', ['run.ended']);
    for (let cuts = 1; cuts <= 3; cuts += 1) {
      await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()');
      await settle(200);
      const { rows } = await admin.query<{ id: string }>('SELECT uuid AS id FROM agents WHERE organization_id = $1', [tenant.organizationId]);
      expect(rows).toHaveLength(cuts - 1);
      await endRun(tenant);
      await waitUntil('the delivery', () => receiver.received.length === cuts);
    }
    await admin.end();
  });
});
