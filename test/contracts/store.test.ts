import { createHash } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openStore } from '../../src/store/postgres-store.js';
import { AgentStreamError } from '../../src/base/errors.js';
import { systemClock } from '../../src/base/clock.js';
import { silentLog } from '../../src/base/log.js';
import { MAX_REFUSALS } from '../../src/store/refusals.js';
import { openTestStore, type TestStore } from '../support/database.js';
import { content, createTenant, ending, mint, mintRun } from './store-fixtures.js';

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

describe('accounts', () => {
  it('are empty until an organization is created', async () => {
    const fresh = await openTestStore();
    expect(await fresh.store.accounts.isEmpty()).toBe(true);
    const { organization, owner } = await createTenant(fresh.store);
    expect(await fresh.store.accounts.isEmpty()).toBe(false);
    expect(await fresh.store.accounts.getOrganization(organization.id)).toEqual(organization);
    expect(await fresh.store.accounts.listUsers(organization.id)).toEqual([owner]);
    await fresh.dispose();
  });

  it('get their first organization, with its key, once, however many nodes try at once', async () => {
    const fresh = await openTestStore();
    const input = { name: 'First', ownerEmail: 'Owner@Example.com', apiKey: { name: 'Bootstrap', key: 'a-key-of-the-environment-0123' } };
    const results = await Promise.all(Array.from({ length: 8 }, () => fresh.store.accounts.createFirstOrganization(input)));
    const [first, ...more] = results.filter((result) => result !== null);
    expect(more).toEqual([]);
    expect(first).toMatchObject({ organization: { name: 'First' }, owner: { email: 'owner@example.com' }, key: input.apiKey.key });
    expect(await fresh.store.accounts.authenticate(input.apiKey.key)).toMatchObject({ organizationId: first?.organization.id, userId: first?.owner.id });
    expect(await fresh.store.accounts.createFirstOrganization({ ...input, apiKey: { name: 'Set-up' } })).toBeNull();
    await fresh.dispose();
  });

  it('change what is named and leave the rest', async () => {
    const { organization } = await createTenant(test.store);
    const models = { stt: { vendor: 'builtin' } };
    expect(await test.store.accounts.updateOrganization(organization.id, { defaultModels: models })).toEqual({ ...organization, defaultModels: models });
    expect(await test.store.accounts.updateOrganization(organization.id, { concurrentCalls: 3 })).toMatchObject({ concurrentCalls: 3, defaultModels: models });
    expect(await test.store.accounts.updateOrganization(organization.id, {})).toMatchObject({ concurrentCalls: 3 });
    expect(await test.store.accounts.updateOrganization(unknownUuid, { concurrentCalls: 3 })).toBeNull();
    expect(await test.store.accounts.getOrganization('nonsense')).toBeNull();
  });

  it('authenticate API keys until they expire or are deleted, and store hashes alone', async () => {
    const { organization, owner } = await createTenant(test.store);
    const ids = { organizationId: organization.id, userId: owner.id };
    const { apiKey, key } = await test.store.accounts.createApiKey({ ...ids, name: 'CI' });
    expect(key).toMatch(/^as_[\w-]{43}$/);
    expect(apiKey).toMatchObject({ ...ids, name: 'CI', prefix: key.slice(0, 8), lastUsedAt: null, expiresAt: null });
    expect(await test.store.accounts.authenticate(key)).toEqual({ ...ids, apiKeyId: apiKey.id });
    expect((await test.store.accounts.listApiKeys(organization.id))[0]?.lastUsedAt).toBeInstanceOf(Date);

    const expired = await test.store.accounts.createApiKey({ ...ids, name: 'old', expiresAt: new Date(Date.now() - 1_000) });
    expect(await test.store.accounts.authenticate(expired.key)).toBeNull();
    expect(await test.store.accounts.authenticate('as_wrong')).toBeNull();
    expect(await test.store.accounts.deleteApiKey(unknownUuid, apiKey.id)).toBe(false);
    expect(await test.store.accounts.deleteApiKey(organization.id, apiKey.id)).toBe(true);
    expect(await test.store.accounts.authenticate(key)).toBeNull();

    const given = await test.store.accounts.createApiKey({ ...ids, name: 'bootstrap', key: 'a-key-that-was-set-outside' });
    expect(given.key).toBe('a-key-that-was-set-outside');
    const { rows } = await admin.query<{ text: string }>('SELECT api_keys::text AS text FROM api_keys WHERE id = $1', [given.apiKey.id]);
    expect(rows[0]?.text).not.toContain(given.key);
    expect(rows[0]?.text).toContain(createHash('sha256').update(given.key).digest('hex'));
    await expect(test.store.accounts.createApiKey({ ...ids, name: 'again', key: given.key })).rejects.toMatchObject({ code: 'conflict' });
  });

  it('stamp the last use at most once a minute', async () => {
    const { organization, owner } = await createTenant(test.store);
    const { key } = await test.store.accounts.createApiKey({ organizationId: organization.id, userId: owner.id, name: 'k' });
    const used = async () => (await test.store.accounts.listApiKeys(organization.id))[0]?.lastUsedAt?.getTime();
    await test.store.accounts.authenticate(key);
    const first = await used();
    await test.store.accounts.authenticate(key);
    expect(await used()).toBe(first);
    await admin.query(`UPDATE api_keys SET last_used_at = now() - interval '61 seconds' WHERE organization_id = $1`, [organization.id]);
    await test.store.accounts.authenticate(key);
    expect(await used()).toBeGreaterThanOrEqual(first ?? Infinity);
  });
});

describe('agents', () => {
  it('begin with published version 1, content kept as written', async () => {
    const { agent } = await createTenant(test.store);
    expect(agent).toMatchObject({ isArchived: false, hasStreamToken: false, publishedVersion: 1, draftVersion: null });
    expect(agent.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    const callable = await test.store.agents.findCallable(agent.uuid);
    expect(callable).toMatchObject({ agent, version: { number: 1, status: 'published', ...content }, streamTokenHashes: [] });
    expect(Object.keys(callable?.version.settings as object)).toEqual(['zeta', 'alpha']);
  });

  it('are found for a call by one query', async () => {
    const { agent } = await createTenant(test.store);
    const before = test.store.queryCount();
    await test.store.agents.findCallable(agent.uuid.toUpperCase());
    expect(test.store.queryCount() - before).toBe(1);
    expect(await test.store.agents.findCallable(unknownUuid)).toBeNull();
    expect(await test.store.agents.findCallable("'; DROP TABLE agents")).toBeNull();
    expect(test.store.queryCount() - before).toBe(2);
  });

  it('have one draft, which is published over the former version and can be restored', async () => {
    const { organization, agent } = await createTenant(test.store);
    const { agents } = test.store;
    const [id, uuid] = [organization.id, agent.uuid];
    expect(await agents.publish(id, uuid)).toBeNull();
    expect(await agents.putDraft(id, uuid, { ...content, workflow: { v: 2 } })).toMatchObject({ number: 2, status: 'draft', publishedAt: null });
    expect(await agents.putDraft(id, uuid, { ...content, workflow: { v: 3 } })).toMatchObject({ number: 2, workflow: { v: 3 } });
    expect(await agents.get(id, uuid)).toMatchObject({ publishedVersion: 1, draftVersion: 2 });
    expect((await agents.findCallable(uuid))?.version.number).toBe(1);

    expect(await agents.publish(id, uuid)).toMatchObject({ number: 2, status: 'published', workflow: { v: 3 } });
    expect((await agents.findCallable(uuid))?.version).toMatchObject({ number: 2, workflow: { v: 3 } });
    expect(await agents.restore(id, uuid, 1)).toMatchObject({ number: 3, status: 'draft', ...content });
    expect(await agents.restore(id, uuid, 99)).toBeNull();
    expect((await agents.listVersions(id, uuid))?.map(({ number, status }) => `${number} ${status}`)).toEqual(['3 draft', '2 published', '1 archived']);
  });

  it('number versions rightly when many drafts are put at once', async () => {
    const { organization, agent } = await createTenant(test.store);
    const drafts = await Promise.all(Array.from({ length: 8 }, (_, v) => test.store.agents.putDraft(organization.id, agent.uuid, { ...content, workflow: { v } })));
    expect(drafts.map((draft) => draft?.number)).toEqual(Array.from({ length: 8 }, () => 2));
  });

  it('are edited from what is stored, one edit after the other; an edit that throws changes nothing', async () => {
    const { organization, agent } = await createTenant(test.store);
    const edit = (change: (count: number) => number) =>
      test.store.agents.putDraft(organization.id, agent.uuid, ({ variables, ...current }) => ({ ...current, variables: { count: change(Number(variables['count'] ?? 0)) } }));
    await Promise.all(Array.from({ length: 8 }, () => edit((count) => count + 1)));
    const refused = edit(() => {
      throw new AgentStreamError('precondition-failed');
    });
    await expect(refused).rejects.toMatchObject({ code: 'precondition-failed' });
    const versions = await test.store.agents.listVersions(organization.id, agent.uuid);
    expect(versions?.map(({ number, variables }) => [number, variables])).toEqual([[2, { count: 8 }], [1, content.variables]]);
    await test.store.agents.publish(organization.id, agent.uuid);
    expect((await edit((count) => count + 1))?.variables).toEqual({ count: 9 });
    expect(await test.store.agents.putDraft(organization.id, unknownUuid, () => content)).toBeNull();
  });

  it('run their draft where nothing is published', async () => {
    const { organization, agent } = await createTenant(test.store);
    await test.store.agents.putDraft(organization.id, agent.uuid, content);
    await admin.query(`UPDATE agent_versions SET status = 'archived' WHERE agent_uuid = $1 AND status = 'published'`, [agent.uuid]);
    expect((await test.store.agents.findCallable(agent.uuid))?.version).toMatchObject({ number: 2, status: 'draft' });
  });

  it('are not callable while archived', async () => {
    const { organization, agent } = await createTenant(test.store);
    expect(await test.store.agents.setArchived(organization.id, agent.uuid, true)).toMatchObject({ isArchived: true });
    expect(await test.store.agents.findCallable(agent.uuid)).toBeNull();
    const before = test.store.queryCount();
    expect(await test.store.agents.findForCall(agent.uuid)).toMatchObject({ type: 'archived', agent: { uuid: agent.uuid, organizationId: organization.id } });
    expect(test.store.queryCount() - before).toBe(1);
    expect(await test.store.agents.listActiveUuids()).not.toContain(agent.uuid);
    expect((await test.store.agents.list(organization.id, {})).items).toEqual([]);
    expect((await test.store.agents.list(organization.id, { includeArchived: true })).items).toHaveLength(1);
    await test.store.agents.setArchived(organization.id, agent.uuid, false);
    expect(await test.store.agents.listActiveUuids()).toContain(agent.uuid);
  });

  it('rotate stream tokens with an overlap', async () => {
    const { organization, agent } = await createTenant(test.store);
    const { agents } = test.store;
    const hash = (token: string | null) => createHash('sha256').update(token ?? '').digest();
    const hashes = async () => (await agents.findCallable(agent.uuid))?.streamTokenHashes;
    const first = await agents.rotateStreamToken(organization.id, agent.uuid, 60_000);
    expect(Buffer.from(first ?? '', 'base64url').length).toBeGreaterThanOrEqual(16);
    expect(await hashes()).toEqual([hash(first)]);
    const second = await agents.rotateStreamToken(organization.id, agent.uuid, 60_000);
    expect(await hashes()).toEqual([hash(second), hash(first)]);
    const third = await agents.rotateStreamToken(organization.id, agent.uuid, 0);
    expect(await hashes()).toEqual([hash(third)]);
    expect(await agents.get(organization.id, agent.uuid)).toMatchObject({ hasStreamToken: true });
    expect(await agents.removeStreamToken(organization.id, agent.uuid)).toBe(true);
    expect(await agents.removeStreamToken(organization.id, agent.uuid)).toBe(false);
    expect(await hashes()).toEqual([]);
  });

  it('are listed newest first, page by page, also within a millisecond', async () => {
    const { organization, owner, agent } = await createTenant(test.store);
    const created = await Promise.all(
      Array.from({ length: 5 }, (_, index) => test.store.agents.create({ organizationId: organization.id, ownerUserId: owner.id, name: `n${index}`, ...content })),
    );
    await admin.query(`UPDATE agents SET created_at = '2026-01-01' WHERE organization_id = $1`, [organization.id]);
    const seen: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await test.store.agents.list(organization.id, { limit: 2, cursor });
      seen.push(...page.items.map((item) => item.uuid));
      if (page.nextCursor === null) break;
      cursor = page.nextCursor;
    }
    expect(seen).toEqual([agent, ...created].map((item) => item.uuid).sort().reverse());
  });

  it('belong to their organization', async () => {
    const [one, other] = [await createTenant(test.store), await createTenant(test.store)];
    const { agents } = test.store;
    const [id, uuid] = [other.organization.id, one.agent.uuid];
    expect(
      await Promise.all([
        agents.get(id, uuid),
        agents.rename(id, uuid, 'stolen'),
        agents.setArchived(id, uuid, true),
        agents.putDraft(id, uuid, content),
        agents.publish(id, uuid),
        agents.listVersions(id, uuid),
        agents.restore(id, uuid, 1),
        agents.rotateStreamToken(id, uuid, 0),
      ]),
    ).toEqual(Array.from({ length: 8 }, () => null));
    expect(await agents.removeStreamToken(id, uuid)).toBe(false);
    expect(await agents.rename(one.organization.id, uuid, 'Front desk')).toMatchObject({ name: 'Front desk' });
  });
});

describe('telephony configurations', () => {
  const credentials = { domain_id: 'acme.cloudonix.net', bearer_token: 'XI-super-secret-bearer' };
  const create = (organizationId: string, account = 'acme.cloudonix.net') =>
    test.store.telephonyConfigs.create({ organizationId, name: 'Main', provider: 'cloudonix', account, credentials });

  it('are found by provider and account, credentials opened', async () => {
    const { organization } = await createTenant(test.store);
    const config = await create(organization.id);
    expect(config.credentials).toEqual(credentials);
    expect(await test.store.telephonyConfigs.find(organization.id, 'cloudonix', 'acme.cloudonix.net')).toEqual(config);
    expect(await test.store.telephonyConfigs.find(organization.id, 'cloudonix', 'other.cloudonix.net')).toBeNull();
    expect(await test.store.telephonyConfigs.getById(config.id)).toEqual(config);
    expect(await test.store.telephonyConfigs.list(organization.id)).toEqual([config]);
    const { rows } = await admin.query<{ sealed: Buffer }>('SELECT credentials_sealed AS sealed FROM telephony_configs WHERE id = $1', [config.id]);
    expect(rows[0]?.sealed.length).toBeGreaterThan(JSON.stringify(credentials).length);
    expect(rows[0]?.sealed.includes('super-secret')).toBe(false);
  });

  it('are unique per account, changed in part, and deleted', async () => {
    const { organization } = await createTenant(test.store);
    const config = await create(organization.id);
    await expect(create(organization.id)).rejects.toMatchObject({ code: 'conflict' });
    const other = await createTenant(test.store);
    await create(other.organization.id);
    expect(await test.store.telephonyConfigs.update(organization.id, config.id, { name: 'Renamed' })).toMatchObject({ name: 'Renamed', credentials });
    const changed = await test.store.telephonyConfigs.update(organization.id, config.id, { account: 'b.cloudonix.net', credentials: { bearer_token: 'XI-2' } });
    expect(changed).toMatchObject({ account: 'b.cloudonix.net', credentials: { bearer_token: 'XI-2' } });
    expect(await test.store.telephonyConfigs.update(other.organization.id, config.id, { name: 'x' })).toBeNull();
    expect(await test.store.telephonyConfigs.delete(other.organization.id, config.id)).toBe(false);
    expect(await test.store.telephonyConfigs.delete(organization.id, config.id)).toBe(true);
    expect(await test.store.telephonyConfigs.get(organization.id, config.id)).toBeNull();
  });

  it('do not open in another row, nor with another key', async () => {
    const [one, other] = [await createTenant(test.store), await createTenant(test.store)];
    const [mine, theirs] = [await create(one.organization.id), await create(other.organization.id)];
    await admin.query('UPDATE telephony_configs SET credentials_sealed = (SELECT credentials_sealed FROM telephony_configs WHERE id = $1) WHERE id = $2', [mine.id, theirs.id]);
    await expect(test.store.telephonyConfigs.getById(theirs.id)).rejects.toMatchObject({ code: 'secret-key-mismatch' });
    const errors: string[] = [];
    const log = { ...silentLog, error: (message: string) => void errors.push(message) };
    const wrongKey = await openStore({ poolConfig: test.poolConfig, secretKey: Buffer.alloc(32, 7), clock: systemClock, log });
    expect(errors).toHaveLength(1);
    await expect(wrongKey.telephonyConfigs.getById(mine.id)).rejects.toMatchObject({ code: 'secret-key-mismatch' });
    await wrongKey.close();
  });
});

describe('vendor credentials', () => {
  it('are sealed, listed opened and deleted', async () => {
    const [one, other] = [await createTenant(test.store), await createTenant(test.store)];
    const input = { organizationId: one.organization.id, vendor: 'deepgram', name: 'main', apiKey: 'dg-secret', baseUrl: null };
    const credential = await test.store.vendorCredentials.create(input);
    expect(credential).toMatchObject(input);
    expect(await test.store.vendorCredentials.list(one.organization.id)).toEqual([credential]);
    expect(await test.store.vendorCredentials.list(other.organization.id)).toEqual([]);
    await expect(test.store.vendorCredentials.create(input)).rejects.toMatchObject({ code: 'conflict' });
    expect(await test.store.vendorCredentials.get(one.organization.id, credential.id)).toEqual(credential);
    expect(await test.store.vendorCredentials.get(other.organization.id, credential.id)).toBeNull();
    expect(await test.store.vendorCredentials.delete(other.organization.id, credential.id)).toBe(false);
    expect(await test.store.vendorCredentials.delete(one.organization.id, credential.id)).toBe(true);
  });

  it('change field by field, within their organization', async () => {
    const [one, other] = [await createTenant(test.store), await createTenant(test.store)];
    const credentials = test.store.vendorCredentials;
    const { id, ...rest } = await credentials.create({ organizationId: one.organization.id, vendor: 'deepgram', name: 'main', apiKey: 'dg-1', baseUrl: null });
    await credentials.create({ organizationId: one.organization.id, vendor: 'deepgram', name: 'taken', apiKey: 'dg-9', baseUrl: null });
    expect(await credentials.update(one.organization.id, id, {})).toEqual({ id, ...rest });
    expect(await credentials.update(one.organization.id, id, { apiKey: 'dg-2' })).toEqual({ id, ...rest, apiKey: 'dg-2' });
    expect(await credentials.update(one.organization.id, id, { name: 'new', baseUrl: 'https://proxy.example.com' })).toMatchObject({ name: 'new', apiKey: 'dg-2' });
    expect(await credentials.update(one.organization.id, id, { baseUrl: null })).toEqual({ id, ...rest, name: 'new', apiKey: 'dg-2' });
    await expect(credentials.update(one.organization.id, id, { name: 'taken' })).rejects.toMatchObject({ code: 'conflict' });
    expect(await credentials.update(other.organization.id, id, { apiKey: 'mine' })).toBeNull();
    expect((await credentials.get(one.organization.id, id))?.apiKey).toBe('dg-2');
  });
});

describe('quotas', () => {
  it('are unlimited and monthly until set, and set within the organization alone', async () => {
    const [one, other] = [await createTenant(test.store), await createTenant(test.store)];
    const found = await test.store.quotas.get(one.organization.id, one.owner.id);
    expect(found?.quota).toEqual({ period: 'month', minutes: null, runs: null });
    expect(found?.usage).toMatchObject({ usedMs: 0, runs: 0 });
    expect(found?.usage.periodStart.toISOString()).toMatch(/-01T00:00:00.000Z$/);
    expect(found?.usage.periodEnd.toISOString()).toMatch(/-01T00:00:00.000Z$/);
    const quota = { period: 'day', minutes: 2.5, runs: 7 } as const;
    expect(await test.store.quotas.put(other.organization.id, one.owner.id, quota)).toBeNull();
    expect(await test.store.quotas.put(one.organization.id, one.owner.id, quota)).toEqual(quota);
    const changed = await test.store.quotas.get(one.organization.id, one.owner.id);
    expect(changed?.quota).toEqual(quota);
    expect((changed?.usage.periodEnd.getTime() ?? 0) - (changed?.usage.periodStart.getTime() ?? 0)).toBe(86_400_000);
    expect(await test.store.quotas.get(other.organization.id, one.owner.id)).toBeNull();
  });

  it('count minutes of ended and of live calls', async () => {
    const { organization, owner, agent } = await createTenant(test.store);
    await test.store.quotas.put(organization.id, owner.id, { period: 'month', minutes: 10, runs: null });
    const ended = await mintRun(test.store, agent);
    await test.store.runs.finalise(ended.id, ending({ durationMs: 4 * 60_000 }));
    const live = await mint(test.store, agent);
    expect(live.ok && live.remainingMs).toBeGreaterThan(5.9 * 60_000);
    expect(live.ok && live.remainingMs).toBeLessThanOrEqual(6 * 60_000);
    const runId = live.ok ? live.run.id : '';
    expect(await test.store.quotas.findExhausted([runId])).toEqual([]);
    await admin.query(`UPDATE runs SET state = 'running', answered_at = now() - interval '6 minutes' WHERE id = $1`, [runId]);
    // The month may have begun within the last six minutes; the run was minted in it all the same.
    expect(await test.store.quotas.findExhausted([runId, ended.id])).toEqual([runId]);
    expect(await mint(test.store, agent)).toEqual({ ok: false, code: 'quota-exceeded' });
    const usage = await test.store.quotas.usage(organization.id);
    expect(usage).toMatchObject({ runs: 2, liveCalls: 1 });
    expect(usage.durationMs).toBeGreaterThanOrEqual(10 * 60_000);
  });

  it('count runs under concurrency', async () => {
    const { organization, owner, agent } = await createTenant(test.store);
    await test.store.quotas.put(organization.id, owner.id, { period: 'day', minutes: null, runs: 5 });
    const results = await Promise.all(Array.from({ length: 12 }, () => mint(test.store, agent)));
    expect(results.filter((result) => result.ok)).toHaveLength(5);
    expect(results.filter((result) => !result.ok && result.code === 'quota-exceeded')).toHaveLength(7);
    expect(results.find((result) => result.ok)).toMatchObject({ remainingMs: null });
  });

  it('begin anew with the period, and charge a call to the period it began in', async () => {
    const { organization, owner, agent } = await createTenant(test.store);
    await test.store.quotas.put(organization.id, owner.id, { period: 'day', minutes: 1, runs: 1 });
    const yesterday = await mintRun(test.store, agent);
    await admin.query(`UPDATE runs SET created_at = created_at - interval '1 day' WHERE id = $1`, [yesterday.id]);
    await admin.query(`UPDATE usage_counters SET period_start = period_start - interval '1 day' WHERE user_id = $1 AND period = 'day'`, [owner.id]);
    await test.store.runs.finalise(yesterday.id, ending({ durationMs: 600_000 }));
    expect((await test.store.quotas.get(organization.id, owner.id))?.usage).toMatchObject({ usedMs: 0, runs: 0 });
    expect(await mint(test.store, agent)).toMatchObject({ ok: true });
  });
});

describe('refusals', () => {
  it('keep the newest, newest first', async () => {
    const { organization, agent } = await createTenant(test.store);
    const refusal = { organizationId: organization.id, agentUuid: agent.uuid, closeCode: 1008 };
    await admin.query(
      `INSERT INTO refusals (id, organization_id, agent_uuid, at, close_code, reason)
       SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, $1, $2, now(), 1008, 'old' FROM generate_series(1, ${MAX_REFUSALS}) n`,
      [organization.id, agent.uuid],
    );
    for (let index = 0; index < 64; index += 1) await test.store.refusals.add({ ...refusal, reason: `Quota exceeded ${index}` });
    const page = await test.store.refusals.list(organization.id, { limit: 2 });
    expect(page.items.map((item) => item.reason)).toEqual(['Quota exceeded 63', 'Quota exceeded 62']);
    expect(page.items[0]).toMatchObject({ ...refusal, at: expect.any(Date) as Date });
    const next = await test.store.refusals.list(organization.id, { limit: 1, cursor: page.nextCursor ?? undefined });
    expect(next.items[0]?.reason).toBe('Quota exceeded 61');
    const { rows } = await admin.query<{ count: number }>('SELECT count(*)::int AS count FROM refusals WHERE organization_id = $1', [organization.id]);
    expect(rows[0]?.count).toBe(MAX_REFUSALS);
  });
});

describe('errors', () => {
  it('are ours, and say nothing of parameters', async () => {
    const failure = await test.store.agents
      .create({ organizationId: unknownUuid, ownerUserId: unknownUuid, name: 'canary-name', ...content })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'AgentStreamError', code: 'internal-error' });
    expect(JSON.stringify(failure) + String(failure)).not.toContain('canary-name');
  });

  it('tell a database that went away from a fault', async () => {
    const away = openStore({ poolConfig: { host: '/nonexistent', user: 'x' }, secretKey: Buffer.alloc(32), clock: systemClock, log: silentLog });
    await expect(away).rejects.toMatchObject({ code: 'database-unavailable', retryable: true });
  });

  it('do not outlive a lost connection', async () => {
    await test.store.ping();
    await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'agent-stream'`);
    const failures: unknown[] = [];
    await vi.waitFor(
      () =>
        test.store.ping().catch((error: unknown) => {
          failures.push(error);
          throw error;
        }),
      { timeout: 10_000, interval: 10 },
    );
    for (const failure of failures) expect(failure).toMatchObject({ code: 'database-unavailable' });
  });
});
