import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RequestCredential } from '../../src/store/store.js';
import { openTestStore, type TestStore } from '../support/database.js';
import { content, createTenant, type Tenant } from './store-fixtures.js';

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

const unknownUuid = '00000000-0000-4000-8000-000000000000';
const fields: RequestCredential = { type: 'bearer', token: 'canary-token' };

const store = ({ organization }: Tenant, name = 'CRM') => test.store.credentials.create({ organizationId: organization.id, name, fields });
const toolOf = ({ organization }: Tenant, name: string, credential: Parameters<typeof test.store.tools.create>[0]['credential']) =>
  test.store.tools.create({ organizationId: organization.id, name, description: 'D', kind: 'calculator', config: {}, filler: null, credential });

describe('credentials', () => {
  it('are sealed in the row they belong to, and seen by their organization alone', async () => {
    const [one, other] = [await createTenant(test.store), await createTenant(test.store)];
    const { credentials } = test.store;
    const credential = await store(one);
    expect(credential).toMatchObject({ organizationId: one.organization.id, name: 'CRM', fields });
    expect(await credentials.get(one.organization.id, credential.uuid)).toEqual(credential);
    expect(await credentials.list(one.organization.id)).toEqual([credential]);
    expect(await credentials.uuids(one.organization.id)).toEqual(new Set([credential.uuid]));
    await expect(store(one)).rejects.toMatchObject({ code: 'conflict' });
    for (const [organizationId, uuid] of [[other.organization.id, credential.uuid], [one.organization.id, unknownUuid], [one.organization.id, 'nonsense']] as const) {
      expect(await credentials.get(organizationId, uuid)).toBeNull();
      expect(await credentials.update(organizationId, uuid, { name: 'Mine' })).toBeNull();
      expect(await credentials.delete(organizationId, uuid)).toBe(false);
    }
    expect([await credentials.list(other.organization.id), await credentials.uuids(other.organization.id)]).toEqual([[], new Set()]);
    const { rows } = await admin.query<{ text: string }>(`SELECT encode(fields_sealed, 'escape') AS text FROM credentials`);
    expect(rows.map(({ text }) => text).join()).not.toContain('canary');
    const second = await store(one, 'Second');
    await admin.query('UPDATE credentials SET fields_sealed = (SELECT fields_sealed FROM credentials WHERE uuid = $1) WHERE uuid = $2', [credential.uuid, second.uuid]);
    await expect(credentials.get(one.organization.id, second.uuid)).rejects.toMatchObject({ code: 'secret-key-mismatch' });
  });

  it('change part by part', async () => {
    const { organization, ...tenant } = await createTenant(test.store);
    const { uuid } = await store({ organization, ...tenant });
    const { credentials } = test.store;
    expect(await credentials.update(organization.id, uuid, { name: 'Renamed' })).toMatchObject({ name: 'Renamed', fields });
    const next = { type: 'api_key', header: 'X-Key', key: 'k' };
    expect(await credentials.update(organization.id, uuid, { fields: next })).toMatchObject({ name: 'Renamed', fields: next });
    expect(await credentials.get(organization.id, uuid)).toMatchObject({ name: 'Renamed', fields: next });
  });

  it('are what tools send that name them, in place of their own', async () => {
    const [tenant, other] = [await createTenant(test.store), await createTenant(test.store)];
    const organizationId = tenant.organization.id;
    const { uuid } = await store(tenant);
    const { tools } = test.store;
    const tool = await toolOf(tenant, 'Look up', { uuid });
    expect(tool).toMatchObject({ credentialUuid: uuid, hasCredential: false });
    expect(await tools.credentialOf(organizationId, tool.uuid)).toEqual(fields);
    const own = { type: 'bearer', token: 'own' };
    expect(await tools.update(organizationId, tool.uuid, { credential: { own } })).toMatchObject({ credentialUuid: null, hasCredential: true });
    expect(await tools.credentialOf(organizationId, tool.uuid)).toEqual(own);
    expect(await tools.update(organizationId, tool.uuid, { credential: { uuid } })).toMatchObject({ credentialUuid: uuid, hasCredential: false });
    expect(await tools.update(organizationId, tool.uuid, { name: 'Renamed' })).toMatchObject({ credentialUuid: uuid });
    expect(await tools.update(organizationId, tool.uuid, { credential: null })).toMatchObject({ credentialUuid: null, hasCredential: false });
    expect(await tools.credentialOf(organizationId, tool.uuid)).toBeNull();
    const theirs = await store(other);
    for (const foreign of [theirs.uuid, unknownUuid]) {
      await expect(tools.update(organizationId, tool.uuid, { credential: { uuid: foreign } })).rejects.toMatchObject({ code: 'conflict' });
      await expect(toolOf(tenant, 'Another', { uuid: foreign })).rejects.toMatchObject({ code: 'conflict' });
    }
  });

  it('stay while tools or agents in use name them', async () => {
    const tenant = await createTenant(test.store);
    const { organization, owner, agent } = tenant;
    const { credentials, tools, agents } = test.store;
    const { uuid } = await store(tenant);
    const tool = await toolOf(tenant, 'Look up', { uuid });
    const workflow = { nodes: [{ id: 'w', type: 'webhook', data: { credential_uuid: uuid } }], edges: [] };
    const named = await agents.create({ organizationId: organization.id, ownerUserId: owner.id, name: 'Desk', ...content, workflow });
    await agents.putDraft(organization.id, agent.uuid, () => ({ ...content, workflow }));
    const refusal = await credentials.delete(organization.id, uuid).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'conflict' });
    for (const user of ['the tool “Look up”', 'the agent “Desk”', 'the agent “Reception”']) expect(String(refusal)).toContain(user);
    await tools.delete(organization.id, tool.uuid);
    await agents.putDraft(organization.id, agent.uuid, () => content);
    await expect(credentials.delete(organization.id, uuid)).rejects.toThrow('is used by the agent “Desk”.');
    await agents.putDraft(organization.id, named.uuid, () => content);
    await expect(credentials.delete(organization.id, uuid)).rejects.toThrow('“Desk”');
    await agents.publish(organization.id, named.uuid);
    expect(await credentials.delete(organization.id, uuid)).toBe(true);
    expect(await credentials.get(organization.id, uuid)).toBeNull();
  });

  it('are not named by a tool while they are deleted', async () => {
    const tenant = await createTenant(test.store);
    for (let times = 0; times < 10; times += 1) {
      const { uuid } = await store(tenant, `Raced ${times}`);
      const [made, deleted] = await Promise.allSettled([toolOf(tenant, `Tool ${times}`, { uuid }), test.store.credentials.delete(tenant.organization.id, uuid)]);
      expect([made.status, deleted.status].sort()).toEqual(['fulfilled', 'rejected']);
      for (const result of [made, deleted]) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'conflict' });
    }
  });
});
