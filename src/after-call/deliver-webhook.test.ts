import { lookup } from 'node:dns';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTenant, ending, mintRun } from '../../test/contracts/store-fixtures.js';
import { openTestStore, type TestStore } from '../../test/support/database.js';
import { createVirtualClock, type VirtualClock } from '../../test/support/virtual-clock.js';
import { settle, until } from '../../test/support/wait-for.js';
import { startWebhookReceiver, type WebhookReceiver } from '../../test/support/webhook-receiver.js';
import { silentLog } from '../base/log.js';
import { createGuardedEgress, createGuardedFetch } from '../base/guarded-fetch.js';
import type { RunEventType, WebhookDelivery, WebhookEndpoint } from '../store/store.js';
import { ATTEMPT_TIMEOUT_MS, createWebhookDelivery } from './deliver-webhook.js';
import { retryDelaysMs } from './delivery-plan.js';

let test: TestStore;
let receiver: WebhookReceiver;
beforeAll(async () => {
  test = await openTestStore();
  receiver = await startWebhookReceiver();
});
afterAll(async () => {
  await receiver.close();
  await test.dispose();
});

const allEvents: readonly RunEventType[] = ['run.started', 'run.ended', 'run.failed', 'run.transferred', 'run.analysed'];

/** Both clients that deliver: the platform's where private networks are allowed, and the guarded one, here with an open gate. */
const clients = {
  'the platform’s client': fetch,
  'the guarded client': createGuardedFetch({ check: () => undefined, lookup: (name, options, callback) => lookup(name, { ...options, all: true }, (error, addresses) => callback(error, addresses)) }),
} as const;

describe.each(Object.entries(clients))('a delivery by %s', (_name, client) => {
  let clock: VirtualClock;
  let outcomes: string[];
  let endpoint: WebhookEndpoint;
  let secret: string;
  let deliveryId: string;
  let deliver: (id: string, signal: AbortSignal) => Promise<void>;
  const open = new AbortController().signal;

  const read = async (): Promise<WebhookDelivery> => {
    const { items } = await test.store.webhookDeliveries.list(endpoint.organizationId, { endpointId: endpoint.id });
    return items.find(({ id }) => id === deliveryId)!;
  };
  const waitMs = ({ nextAttemptAt, lastAttemptAt }: WebhookDelivery) => Math.round((nextAttemptAt!.getTime() - lastAttemptAt!.getTime()) / 1000) * 1000;

  async function setUp(url = `${receiver.url}/hook`): Promise<void> {
    const { organization, agent } = await createTenant(test.store);
    const created = await test.store.webhookEndpoints.create(organization.id, { url, description: '', enabled: true, events: allEvents });
    ({ endpoint, secret } = created);
    const run = await mintRun(test.store, agent);
    await test.store.runs.finalise(run.id, ending());
    deliveryId = (await test.store.webhookDeliveries.list(organization.id, { endpointId: endpoint.id })).items[0]!.id;
  }

  beforeEach(async () => {
    receiver.received.length = 0;
    receiver.answer((_message, response) => void response.writeHead(204).end());
    clock = createVirtualClock();
    outcomes = [];
    deliver = createWebhookDelivery({
      store: test.store,
      // Signatures are checked against real time.
      clock: { ...clock, wallMs: () => Date.now() },
      log: silentLog,
      fetch: client,
      publicUrl: () => 'https://calls.example.com',
      userAgent: 'agent-stream/test',
      onAttempt: (outcome) => outcomes.push(outcome),
      random: () => 0,
    });
    await setUp();
  });

  it('arrives, verifiable', async () => {
    await deliver(deliveryId, open);
    const { headers, body } = receiver.received[0]!;
    expect(new Webhook(secret).verify(body, headers)).toMatchObject({ type: 'run.ended', data: { run: { end_reason: 'caller_hangup' } } });
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'agent-stream/test', 'webhook-id': (await read()).eventId });
    expect(await read()).toMatchObject({ status: 'delivered', attempts: 1, responseStatus: 204, nextAttemptAt: null });
    await deliver(deliveryId, open);
    expect(receiver.received).toHaveLength(1);
  });

  it('answered with 500 for three days is tried ten times, the same each time, then given up and resent on demand', async () => {
    receiver.answer((_message, response) => void response.writeHead(500).end('x'.repeat(5_000)));
    const waits: number[] = [];
    for (let tries = 1; tries <= 10; tries += 1) {
      await deliver(deliveryId, open);
      if (tries < 10) waits.push(waitMs(await read()));
    }
    expect(waits).toEqual(retryDelaysMs);
    expect(await read()).toMatchObject({ status: 'failed', attempts: 10, outcome: 'receiver_error', responseBody: 'x'.repeat(1_024), nextAttemptAt: null });
    expect(new Set(receiver.received.map(({ headers, body }) => `${headers['webhook-id']} ${body}`)).size).toBe(1);
    await deliver(deliveryId, open);
    expect(receiver.received).toHaveLength(10);
    receiver.answer((_message, response) => void response.writeHead(200).end('ok'));
    await test.store.webhookDeliveries.resend(endpoint.organizationId, endpoint.id, deliveryId);
    await deliver(deliveryId, open);
    expect(await read()).toMatchObject({ status: 'delivered', attempts: 11, tries: 1, responseBody: 'ok' });
  });

  it('to a receiver that hangs is called off after 20 s', async () => {
    receiver.answer(() => undefined);
    const attempt = deliver(deliveryId, open);
    await until(() => receiver.received.length === 1);
    await clock.advance(ATTEMPT_TIMEOUT_MS - 1);
    expect(outcomes).toEqual([]);
    await clock.advance(1);
    await attempt;
    expect(await read()).toMatchObject({ status: 'pending', outcome: 'timed_out', responseStatus: null });
    expect(clock.pendingTimers()).toBe(0);
  });

  it('answered with 410 disables the endpoint', async () => {
    receiver.answer((_message, response) => void response.writeHead(410).end());
    await deliver(deliveryId, open);
    expect(await read()).toMatchObject({ status: 'failed', outcome: 'gone' });
    expect(await test.store.webhookEndpoints.get(endpoint.organizationId, endpoint.id)).toMatchObject({ enabled: false, disabledReason: 'gone' });
    await test.store.webhookDeliveries.resend(endpoint.organizationId, endpoint.id, deliveryId);
    await deliver(deliveryId, open);
    expect(receiver.received).toHaveLength(1);
    expect(await read()).toMatchObject({ status: 'failed', outcome: 'disabled' });
  });

  it('answered with 429 waits as long as it is asked to', async () => {
    receiver.answer((_message, response) => void response.writeHead(429, { 'retry-after': '600' }).end());
    await deliver(deliveryId, open);
    expect(waitMs(await read())).toBe(600_000);
  });

  it('answered with a redirect follows it nowhere', async () => {
    receiver.answer((_message, response) => void response.writeHead(302, { location: `${receiver.url}/elsewhere` }).end());
    await deliver(deliveryId, open);
    expect(receiver.received.map(({ path }) => path)).toEqual(['/hook']);
    expect(await read()).toMatchObject({ status: 'pending', outcome: 'redirected', responseStatus: 302 });
  });

  it('answered with a gigabyte reads the beginning of it', async () => {
    let sentBytes = 0;
    let isCut = false;
    receiver.answer((_message, response) => {
      const chunk = Buffer.alloc(65_536, 'x');
      response.once('close', () => (isCut = true));
      const write = () => {
        while (!isCut && sentBytes < 1_000_000_000) {
          sentBytes += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', write);
        }
      };
      response.writeHead(200);
      write();
    });
    await deliver(deliveryId, open);
    await until(() => isCut);
    expect(sentBytes).toBeLessThan(50_000_000);
    expect(await read()).toMatchObject({ status: 'delivered', responseBody: 'x'.repeat(1_024) });
  });

  it('whose answer begins and never ends counts by its status', async () => {
    receiver.answer((_message, response) => void response.writeHead(200).write('beginning'));
    const attempt = deliver(deliveryId, open);
    await until(() => receiver.received.length === 1);
    await settle(300);
    await clock.advance(ATTEMPT_TIMEOUT_MS);
    await attempt;
    expect(await read()).toMatchObject({ status: 'delivered', responseStatus: 200, responseBody: 'beginning' });
  });

  it('to a receiver that cuts the connection, speaks no TLS or is not there is tried again', async () => {
    receiver.answer((_message, response) => void response.destroy());
    await deliver(deliveryId, open);
    expect(await read()).toMatchObject({ status: 'pending', outcome: 'unreachable' });
    for (const url of [receiver.url.replace('http:', 'https:'), 'http://127.0.0.1:1/', 'http://no-such-host.invalid/']) {
      await test.store.webhookEndpoints.update(endpoint.organizationId, endpoint.id, { url });
      await deliver(deliveryId, open);
      expect(await read()).toMatchObject({ status: 'pending', outcome: 'unreachable', responseStatus: null });
    }
    await test.store.webhookEndpoints.update(endpoint.organizationId, endpoint.id, { url: receiver.url });
    receiver.answer((_message, response) => void response.writeHead(200).end());
    await deliver(deliveryId, open);
    expect(await read()).toMatchObject({ status: 'delivered', attempts: 5 });
  });

  it('is left to others while it is under way, and as it was when the node stops', async () => {
    receiver.answer(() => undefined);
    const stopping = new AbortController();
    const attempt = deliver(deliveryId, stopping.signal);
    await until(() => receiver.received.length === 1);
    await expect(deliver(deliveryId, open)).rejects.toMatchObject({ code: 'not-ready' });
    stopping.abort(new Error('The node stops'));
    await expect(attempt).rejects.toThrow('The node stops');
    expect(await read()).toMatchObject({ status: 'pending', outcome: null });
    expect(outcomes).toEqual([]);
    receiver.answer((_message, response) => void response.writeHead(204).end());
    await deliver(deliveryId, open);
    expect(await read()).toMatchObject({ status: 'delivered' });
  });
});

describe('a delivery to a private address', () => {
  it('is refused before a connection is made', async () => {
    const { organization } = await createTenant(test.store);
    const store = test.store.webhookDeliveries;
    const outcomes: string[] = [];
    const deliver = createWebhookDelivery({
      store: test.store,
      clock: createVirtualClock(),
      log: silentLog,
      fetch: createGuardedEgress((_name, _options, callback) => callback(null, [{ address: '203.0.113.7', family: 4 }, { address: '127.0.0.1', family: 4 }])).fetch,
      publicUrl: () => 'https://calls.example.com',
      userAgent: 'agent-stream/test',
      onAttempt: (outcome) => outcomes.push(outcome),
    });
    receiver.received.length = 0;
    for (const url of [receiver.url, receiver.url.replace('127.0.0.1', 'rebinding.example.com'), 'http://[::ffff:169.254.169.254]/']) {
      const { endpoint } = await test.store.webhookEndpoints.create(organization.id, { url, description: '', enabled: true, events: allEvents });
      const delivery = await store.writeTest(organization.id, endpoint.id);
      await deliver(delivery!.id, new AbortController().signal);
      expect((await store.list(organization.id, { endpointId: endpoint.id })).items).toMatchObject([{ status: 'failed', outcome: 'egress_refused' }]);
    }
    expect(outcomes).toEqual(['egress_refused', 'egress_refused', 'egress_refused']);
    expect(receiver.received).toEqual([]);
  });
});

describe('a delivery for a webhook node', () => {
  const token = 'canary-node-token';

  /** A run whose workflow sends a request with a credential, its delivery, and what attempts it. */
  async function endRun(credentialUuid?: string) {
    const tenant = await createTenant(test.store);
    const organizationId = tenant.organization.id;
    const stored = await test.store.credentials.create({ organizationId, name: 'CRM', fields: { type: 'bearer', token } });
    const data = { name: 'CRM', endpoint_url: `${receiver.url}/crm`, credential_uuid: credentialUuid ?? stored.uuid, custom_headers: [{ key: 'Authorization', value: 'none' }, { key: 'X-Own', value: 'own' }] };
    const workflow = { nodes: [{ id: 'w', type: 'webhook', data }], edges: [] };
    const agent = await test.store.agents.create({ organizationId, ownerUserId: tenant.owner.id, name: 'Desk', workflow, settings: {}, variables: {} });
    const run = await mintRun(test.store, agent);
    await test.store.runs.finalise(run.id, ending());
    const deliver = createWebhookDelivery({
      store: test.store,
      clock: createVirtualClock(),
      log: silentLog,
      fetch,
      publicUrl: () => 'https://calls.example.com',
      userAgent: 'agent-stream/test',
      onAttempt: () => undefined,
    });
    const read = async () => (await test.store.webhookDeliveries.list(organizationId, { runId: run.id })).items[0]!;
    return { stored, read, attempt: async () => deliver((await read()).id, new AbortController().signal) };
  }
  beforeEach(() => {
    receiver.received.length = 0;
  });

  it('is sent with its credential as it is at each attempt, and keeps nothing of it', async () => {
    receiver.answer(({ headers }, response) => void response.writeHead(503).end(`you sent ${headers['authorization'] ?? ''}`));
    const { stored, read, attempt } = await endRun();
    await attempt();
    expect(await read()).toMatchObject({ status: 'pending', outcome: 'receiver_error', responseBody: 'you sent Bearer ****' });
    await test.store.credentials.update(stored.organizationId, stored.uuid, { fields: { type: 'custom_headers', headers: { Authorization: 'Key second', 'X-Client': 'us' } } });
    receiver.answer((_message, response) => void response.writeHead(204).end());
    await attempt();
    expect(await read()).toMatchObject({ status: 'delivered', attempts: 2 });
    expect(receiver.received.map(({ headers }) => [headers['authorization'], headers['x-client'], headers['x-own']])).toEqual([
      [`Bearer ${token}`, undefined, 'own'],
      ['Key second', 'us', 'own'],
    ]);
  });

  it('takes its credential nowhere else', async () => {
    receiver.answer((_message, response) => void response.writeHead(307, { location: `${receiver.url.replace('127.0.0.1', 'localhost')}/elsewhere` }).end());
    const { read, attempt } = await endRun();
    await attempt();
    expect(await read()).toMatchObject({ status: 'pending', outcome: 'redirected' });
    expect(receiver.received.map(({ path }) => path)).toEqual(['/crm']);
  });

  it('is given up where its credential is no more', async () => {
    const { read, attempt } = await endRun('00000000-0000-4000-8000-000000000000');
    await attempt();
    expect(await read()).toMatchObject({ status: 'failed', outcome: 'credential_missing', attempts: 1 });
    expect(receiver.received).toEqual([]);
  });
});
