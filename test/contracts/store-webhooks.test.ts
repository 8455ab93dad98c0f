import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunEventType, WebhookEndpointFields } from '../../src/store/store.js';
import { openTestStore, type TestStore } from '../support/database.js';
import { createTenant, ending, mintRun, sweep, type Tenant } from './store-fixtures.js';

let test: TestStore;
let admin: pg.Pool;
beforeAll(async () => {
  test = await openTestStore();
  admin = new pg.Pool({ ...test.poolConfig, max: 1 });
});
afterAll(async () => {
  await admin.end();
  await test.dispose();
});

const allEvents: readonly RunEventType[] = ['run.started', 'run.ended', 'run.failed', 'run.transferred', 'run.analysed'];

const createEndpoint = async ({ organization }: Tenant, change: Partial<WebhookEndpointFields> = {}) =>
  (await test.store.webhookEndpoints.create(organization.id, { url: 'https://example.com/hook', description: '', events: allEvents, enabled: true, ...change })).endpoint;

/** What is to be delivered of an organization, oldest first. */
async function outbox({ organization }: Tenant) {
  const { items } = await test.store.webhookDeliveries.list(organization.id, { limit: 200 });
  return items.toReversed();
}

const typesOf = async (tenant: Tenant) => (await outbox(tenant)).map(({ eventType }) => eventType).sort();

/** Identifiers of the deliveries that have a job. */
async function queuedIds(): Promise<readonly unknown[]> {
  const { rows } = await admin.query<{ id: unknown }>(`SELECT payload->>'deliveryId' AS id FROM graphile_worker._private_jobs`);
  return rows.map(({ id }) => id);
}

describe('the outbox of a run', () => {
  it('holds its start and its end once, each with a job, for every endpoint that asks', async () => {
    const tenant = await createTenant(test.store);
    const [all, ends] = [await createEndpoint(tenant), await createEndpoint(tenant, { events: ['run.ended'] })];
    await createEndpoint(tenant, { enabled: false });
    await createEndpoint(await createTenant(test.store));
    const run = await mintRun(test.store, tenant.agent);
    expect(await outbox(tenant)).toEqual([]);
    await test.store.runs.markRunning(run.id);
    await test.store.runs.markRunning(run.id);
    await Promise.all([test.store.runs.finalise(run.id, ending()), test.store.runs.finalise(run.id, ending()), test.store.runs.finalise(run.id, ending())]);
    const written = await outbox(tenant);
    expect(written.map(({ eventType, endpointId }) => `${eventType} ${endpointId}`).sort()).toEqual(
      [`run.started ${all.id}`, `run.ended ${all.id}`, `run.ended ${ends.id}`].sort(),
    );
    for (const delivery of written) expect(delivery).toMatchObject({ runId: run.id, status: 'pending', attempts: 0, outcome: null });
    expect(new Set(written.filter(({ eventType }) => eventType === 'run.ended').map(({ eventId }) => eventId)).size).toBe(1);
    expect(await queuedIds()).toEqual(expect.arrayContaining(written.map(({ id }) => id)));
  });

  it.each([
    ['transferred', ['run.ended', 'run.transferred']],
    ['vendor_error', ['run.failed']],
  ] as const)('of a run that ended as %s holds %j', async (endReason, types) => {
    const tenant = await createTenant(test.store);
    await createEndpoint(tenant);
    await test.store.runs.finalise((await mintRun(test.store, tenant.agent)).id, ending({ endReason }));
    expect(await typesOf(tenant)).toEqual(types);
  });

  it('holds the end of a run whose node died, whoever sweeps it and however often', async () => {
    const tenant = await createTenant(test.store);
    await createEndpoint(tenant);
    const run = await mintRun(test.store, tenant.agent);
    await admin.query(`UPDATE runs SET lease_expires_at = now() - interval '1 second' WHERE id = $1`, [run.id]);
    await Promise.all([sweep(test.store), sweep(test.store), test.store.runs.finalise(run.id, ending({ endReason: 'internal_error' }))]);
    await sweep(test.store);
    expect(await typesOf(tenant)).toEqual(['run.failed']);
  });

  it('is written with the run or not at all', async () => {
    const tenant = await createTenant(test.store);
    await createEndpoint(tenant);
    const run = await mintRun(test.store, tenant.agent);
    await admin.query(`ALTER TABLE webhook_deliveries ADD CONSTRAINT broken CHECK (run_id <> '${run.id}')`);
    await expect(test.store.runs.finalise(run.id, ending())).rejects.toMatchObject({ code: 'internal-error' });
    expect(await test.store.runs.get(tenant.organization.id, run.id)).toMatchObject({ state: 'initialized' });
    await admin.query('ALTER TABLE webhook_deliveries DROP CONSTRAINT broken');
    expect(await test.store.runs.finalise(run.id, ending())).toBe(true);
    expect(await typesOf(tenant)).toEqual(['run.ended']);
  });

  it('takes what is worked out afterwards, once', async () => {
    const tenant = await createTenant(test.store);
    await createEndpoint(tenant);
    const run = await mintRun(test.store, tenant.agent);
    for (let times = 0; times < 2; times += 1) await test.store.webhookDeliveries.announce(run.id, 'run.analysed');
    expect(await typesOf(tenant)).toEqual(['run.analysed']);
  });

  it('passes over an endpoint that is being deleted, without failing the run', async () => {
    const tenant = await createTenant(test.store);
    const endpoints = await Promise.all(Array.from({ length: 10 }, () => createEndpoint(tenant)));
    const run = await mintRun(test.store, tenant.agent);
    const deleted = endpoints.map(({ id }) => test.store.webhookEndpoints.delete(tenant.organization.id, id));
    expect((await Promise.all([test.store.runs.finalise(run.id, ending()), ...deleted])).every(Boolean)).toBe(true);
    expect(await outbox(tenant)).toEqual([]);
  });
});

describe('the outbox of a workflow', () => {
  const webhookNode = (id: string, data: Record<string, unknown> = {}) => ({ id, type: 'webhook', data: { name: id, endpoint_url: 'https://example.com', ...data } });

  async function endedRun(workflow: unknown) {
    const tenant = await createTenant(test.store);
    const { organization, owner } = tenant;
    const agent = await test.store.agents.create({ organizationId: organization.id, ownerUserId: owner.id, name: 'B', workflow, settings: {}, variables: {} });
    const run = await mintRun(test.store, agent);
    expect(await test.store.runs.finalise(run.id, ending())).toBe(true);
    return { tenant, run };
  }

  it('holds one delivery for each enabled webhook node', async () => {
    const nodes = [webhookNode('a'), webhookNode('b', { enabled: true }), webhookNode('c', { enabled: false }), { id: 's', type: 'say', data: {} }];
    const { tenant, run } = await endedRun({ nodes, edges: [] });
    const written = await outbox(tenant);
    expect(written.map(({ nodeId, endpointId, runId }) => [nodeId, endpointId, runId])).toEqual(expect.arrayContaining([['a', null, run.id], ['b', null, run.id]]));
    expect(written).toHaveLength(2);
    const claimed = await test.store.webhookDeliveries.claim(written[0]!.id, 1_000);
    expect(claimed).toMatchObject({ endpoint: null, body: null, run: { id: run.id, state: 'completed' }, node: { type: 'webhook', id: written[0]!.nodeId } });
  });

  it.each([[7], [[]], [{ nodes: 'x' }], [{ nodes: { a: 1 } }], [{ nodes: [null, 1, { type: 'webhook' }, { type: 'webhook', id: 7, data: 3 }, { type: 'webhook', id: 'x'.repeat(9_000) }] }]])('never stands in the way of the run: %j', async (workflow) => {
    await endedRun(workflow);
  });
});

describe('a claim', () => {
  it('is one attempt’s, until it runs out', async () => {
    const tenant = await createTenant(test.store);
    const endpoint = await createEndpoint(tenant);
    const { id } = (await test.store.webhookDeliveries.writeTest(tenant.organization.id, endpoint.id))!;
    const claims = await Promise.all([1, 2, 3].map(() => test.store.webhookDeliveries.claim(id, 60_000)));
    expect(claims.filter((claim) => claim === 'busy')).toHaveLength(2);
    await admin.query(`UPDATE webhook_deliveries SET claimed_until = now() - interval '1 second' WHERE id = $1`, [id]);
    expect(await test.store.webhookDeliveries.claim(id, 60_000)).toMatchObject({ delivery: { attempts: 2 } });
    await test.store.webhookDeliveries.record(id, { status: 'delivered', retryInMs: null, outcome: 'delivered', responseStatus: 200, responseBody: 'a\u0000b', disablesEndpoint: false });
    expect(await test.store.webhookDeliveries.claim(id, 60_000)).toBe('done');
    expect((await outbox(tenant))[0]).toMatchObject({ status: 'delivered', responseBody: 'ab', nextAttemptAt: null });
  });
});

describe('the log of deliveries', () => {
  it('keeps the newest of each endpoint and everything that is under way', async () => {
    const tenant = await createTenant(test.store);
    const endpoint = await createEndpoint(tenant);
    await admin.query(
      `INSERT INTO webhook_deliveries (organization_id, endpoint_id, event_type, event_id, lane, status, next_attempt_at)
       SELECT $1, $2, 'endpoint.test', gen_random_uuid(), 'x', CASE WHEN n <= 3 THEN 'pending' ELSE 'delivered' END, CASE WHEN n <= 3 THEN now() END
       FROM generate_series(1, 1100) n ORDER BY n`,
      [tenant.organization.id, endpoint.id],
    );
    for (let times = 0; times < 64; times += 1) {
      const { id } = (await test.store.webhookDeliveries.writeTest(tenant.organization.id, endpoint.id))!;
      await test.store.webhookDeliveries.record(id, { status: 'delivered', retryInMs: null, outcome: 'delivered', responseStatus: 200, responseBody: '', disablesEndpoint: false });
    }
    const { rows } = await admin.query<{ status: string; count: string }>('SELECT status, count(*) FROM webhook_deliveries WHERE endpoint_id = $1 GROUP BY 1 ORDER BY 1', [endpoint.id]);
    const total = rows.reduce((sum, { count }) => sum + Number(count), 0);
    expect(total).toBeGreaterThanOrEqual(1_000);
    expect(total).toBeLessThanOrEqual(1_003 + 64);
    expect(rows.find(({ status }) => status === 'pending')?.count).toBe('3');
  });
});

describe('endpoints', () => {
  it('are limited in number', async () => {
    const tenant = await createTenant(test.store);
    for (let count = 0; count < 20; count += 1) await createEndpoint(tenant);
    await expect(createEndpoint(tenant)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('keep their secrets sealed', async () => {
    const tenant = await createTenant(test.store);
    const { endpoint, secret } = await test.store.webhookEndpoints.create(tenant.organization.id, { url: 'https://example.com', description: '', events: allEvents, enabled: true });
    const rotated = await test.store.webhookEndpoints.rotateSecret(tenant.organization.id, endpoint.id, 60_000);
    const { rows } = await admin.query<{ row: string }>('SELECT e::text AS row FROM webhook_endpoints e WHERE id = $1', [endpoint.id]);
    for (const text of [secret, rotated!.secret]) expect(rows[0]!.row).not.toContain(Buffer.from(text).toString('hex'));
    const { id } = (await test.store.webhookDeliveries.writeTest(tenant.organization.id, endpoint.id))!;
    expect(await test.store.webhookDeliveries.claim(id, 1_000)).toMatchObject({ endpoint: { secrets: [rotated!.secret, secret] } });
    await test.store.webhookEndpoints.rotateSecret(tenant.organization.id, endpoint.id, 0);
    const again = (await test.store.webhookDeliveries.writeTest(tenant.organization.id, endpoint.id))!;
    const claimed = await test.store.webhookDeliveries.claim(again.id, 1_000);
    expect(typeof claimed === 'object' && claimed.endpoint?.secrets).toHaveLength(1);
  });
});
