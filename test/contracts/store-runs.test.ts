import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestStore, type TestStore } from '../support/database.js';
import { createTenant, ending, mint, mintRun, sweep } from './store-fixtures.js';

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

const bind = (runId: string, sessionId: string) =>
  test.store.runs.bindSession(runId, {
    sessionId,
    telephonyConfigId: '01890000-0000-7000-8000-000000000001',
    initialContext: { direction: 'inbound' },
    gatheredContext: { session: sessionId },
    logs: { inbound_webhook: { domain: 'acme.cloudonix.net' } },
  });

const expireLease = (runId: string) => admin.query(`UPDATE runs SET lease_expires_at = now() - interval '1 second' WHERE id = $1`, [runId]);

describe('the spend of an organization', () => {
  it('is what its ended runs cost, to the millionth, with those apart that are not priced whole', async () => {
    const { organization, agent } = await createTenant(test.store);
    const costs = [{ total: '0.100001', unknown: [] }, { total: '12.000009', unknown: [{ leg: 'telephony' }] }, {}];
    for (const cost of costs) {
      const run = await mintRun(test.store, agent);
      expect(await test.store.runs.finalise(run.id, { ...ending(), cost })).toBe(true);
      expect(await test.store.runs.finalise(run.id, { ...ending(), cost })).toBe(false);
    }
    const usage = await test.store.quotas.usage(organization.id);
    expect(usage).toMatchObject({ runs: 3, costTotal: '12.100010', partlyPricedRuns: 1 });
  });

  it('goes by prices of its own, which are replaced and forgotten', async () => {
    const { organization } = await createTenant(test.store);
    const { organization: other } = await createTenant(test.store);
    const { accounts } = test.store;
    expect(await accounts.getPrices(organization.id)).toBeNull();
    await accounts.putPrices(organization.id, [{ price: '0.1' }]);
    await accounts.putPrices(organization.id, [{ price: '0.2' }]);
    expect(await accounts.getPrices(organization.id)).toMatchObject({ prices: [{ price: '0.2' }] });
    expect(await accounts.getPrices(other.id)).toBeNull();
    await accounts.putPrices(organization.id, null);
    expect(await accounts.getPrices(organization.id)).toBeNull();
  });
});

describe('the life of a run', () => {
  it('goes from minted to running to completed with everything that was written', async () => {
    const { organization, owner, agent } = await createTenant(test.store);
    const run = await mintRun(test.store, agent, { gatheredContext: { call_id: 'call-1' } });
    expect(run).toMatchObject({
      organizationId: organization.id,
      ownerUserId: owner.id,
      agentUuid: agent.uuid,
      agentVersion: 1,
      state: 'initialized',
      callType: 'inbound',
      mode: 'cloudonix',
      nodeId: 'node-a',
      endReason: null,
      answeredAt: null,
      logs: {},
    });
    expect(run.name).toMatch(/^WR-AGS-\d{8}$/);
    expect(Math.abs(run.createdAt.getTime() - Date.now())).toBeLessThan(10_000);

    expect(await bind(run.id, 'session-1')).toBe('bound');
    expect(await test.store.runs.markRunning(run.id)).toBe(true);
    expect(await test.store.runs.markRunning(run.id)).toBe(false);
    expect(await test.store.runs.finalise(run.id, ending())).toBe(true);

    const stored = await test.store.runs.get(organization.id, run.id);
    expect(stored).toMatchObject({
      state: 'completed',
      endReason: 'caller_hangup',
      closeCode: 1000,
      closeReason: '',
      durationMs: 61_500,
      sessionId: 'session-1',
      initialContext: { provider: 'cloudonix', direction: 'inbound', caller_number: '+15550001111' },
      gatheredContext: { call_id: 'call-1', session: 'session-1', nodes_visited: ['start'] },
      logs: { inbound_webhook: { domain: 'acme.cloudonix.net' } },
      usage: { llm_tokens: 12 },
      latency: { turns: [] },
    });
    expect(stored?.answeredAt).toBeInstanceOf(Date);
    expect(stored?.endedAt).toBeInstanceOf(Date);
  });

  it('ends exactly once, however many try', async () => {
    const { organization, owner, agent } = await createTenant(test.store);
    const run = await mintRun(test.store, agent);
    await expireLease(run.id);
    const [first, second, swept] = await Promise.all([
      test.store.runs.finalise(run.id, ending({ durationMs: 1_000 })),
      test.store.runs.finalise(run.id, ending({ durationMs: 1_000 })),
      sweep(test.store),
    ]);
    const endings = [first, second, swept.includes(run.id)];
    expect(endings.filter(Boolean)).toHaveLength(1);
    const usage = await test.store.quotas.get(organization.id, owner.id);
    const stored = await test.store.runs.get(organization.id, run.id);
    expect(usage?.usage).toMatchObject({ runs: 1, usedMs: stored?.durationMs });
    expect(await test.store.runs.markRunning(run.id)).toBe(false);
    expect(await bind(run.id, 'too-late')).toBe('ended');
  });

  it('derives the terminal state from the reason', async () => {
    const { organization, agent } = await createTenant(test.store);
    const run = await mintRun(test.store, agent);
    await test.store.runs.finalise(run.id, ending({ endReason: 'vendor_error', closeCode: 1011, closeReason: 'x', durationMs: -3.7 }));
    expect(await test.store.runs.get(organization.id, run.id)).toMatchObject({ state: 'failed', endReason: 'vendor_error', durationMs: 0 });
  });

  it('stores what peers send even where PostgreSQL has no such character', async () => {
    const { organization, agent } = await createTenant(test.store);
    const run = await mintRun(test.store, agent, { initialContext: { 'a\u0000b': ['x\u0000y', '\ud800z'], __proto__: { polluted: 1 } } });
    expect(await bind(run.id, 'se\u0000ssion-nul')).toBe('bound');
    const stored = await test.store.runs.findBySession(organization.id, 'session-nul');
    expect(stored?.initialContext).toMatchObject({ ab: ['xy', '\ufffdz'] });
  });

  it('merges logs after the end', async () => {
    const { organization, agent } = await createTenant(test.store);
    const run = await mintRun(test.store, agent);
    await test.store.runs.finalise(run.id, ending());
    await test.store.runs.mergeLogs(run.id, { cdr: { billsec: 61 } });
    expect((await test.store.runs.get(organization.id, run.id))?.logs).toEqual({ cdr: { billsec: 61 } });
  });
});

describe('one socket per session', () => {
  it('refuses a second live run for a session and grants it after the first has ended', async () => {
    const { agent } = await createTenant(test.store);
    const [first, second] = [await mintRun(test.store, agent), await mintRun(test.store, agent)];
    expect(await bind(first.id, 'shared')).toBe('bound');
    expect(await bind(second.id, 'shared')).toBe('duplicate');
    await test.store.runs.finalise(first.id, ending());
    expect(await bind(second.id, 'shared')).toBe('bound');
  });

  it('lets exactly one of many sockets have the session', async () => {
    const { agent } = await createTenant(test.store);
    const runs = await Promise.all(Array.from({ length: 8 }, () => mintRun(test.store, agent)));
    const outcomes = await Promise.all(runs.map((run) => bind(run.id, 'contended')));
    expect(outcomes.filter((outcome) => outcome === 'bound')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'duplicate')).toHaveLength(7);
  });

  it('is not blocked by a run whose node died', async () => {
    const { organization, agent } = await createTenant(test.store);
    const [dead, next] = [await mintRun(test.store, agent, { nodeId: 'node-dead' }), await mintRun(test.store, agent)];
    await bind(dead.id, 'orphaned');
    await expireLease(dead.id);
    expect(await bind(next.id, 'orphaned')).toBe('bound');
    expect(await test.store.runs.get(organization.id, dead.id)).toMatchObject({ state: 'failed', endReason: 'node_lost' });
  });

  it('is blocked by a run that the same node holds, though the database was away for longer than its lease', async () => {
    const { organization, agent } = await createTenant(test.store);
    const [held, next] = [await mintRun(test.store, agent), await mintRun(test.store, agent)];
    await bind(held.id, 'still-held');
    await expireLease(held.id);
    expect(await bind(next.id, 'still-held')).toBe('duplicate');
    expect(await test.store.runs.get(organization.id, held.id)).toMatchObject({ state: 'initialized' });
  });

  it('knows sessions per organization', async () => {
    const [one, other] = [await createTenant(test.store), await createTenant(test.store)];
    expect(await bind((await mintRun(test.store, one.agent)).id, 'same-id')).toBe('bound');
    expect(await bind((await mintRun(test.store, other.agent)).id, 'same-id')).toBe('bound');
    expect((await test.store.runs.findBySession(one.organization.id, 'same-id'))?.organizationId).toBe(one.organization.id);
    expect(await test.store.runs.findBySession(one.organization.id, 'no-such')).toBeNull();
  });
});

describe('concurrency', () => {
  it('grants exactly the limit to 50 calls at once', async () => {
    const { organization, agent } = await createTenant(test.store);
    await test.store.accounts.updateOrganization(organization.id, { concurrentCalls: 10 });
    const results = await Promise.all(Array.from({ length: 50 }, () => mint(test.store, agent)));
    expect(results.filter((result) => result.ok)).toHaveLength(10);
    expect(results.filter((result) => !result.ok && result.code === 'concurrency-limit')).toHaveLength(40);
    expect((await test.store.quotas.usage(organization.id)).liveCalls).toBe(10);
  });

  it('limits each agent by itself', async () => {
    const { organization, owner, agent } = await createTenant(test.store);
    const other = await test.store.agents.create({ organizationId: organization.id, ownerUserId: owner.id, name: 'B', workflow: {}, settings: {}, variables: {} });
    await mintRun(test.store, agent, { agentConcurrentCalls: 1 });
    expect(await mint(test.store, agent, { agentConcurrentCalls: 1 })).toEqual({ ok: false, code: 'concurrency-limit' });
    expect((await mint(test.store, other, { agentConcurrentCalls: 1 })).ok).toBe(true);
  });

  it('frees the slot when a run ends and when a lease runs out', async () => {
    const { organization, agent } = await createTenant(test.store);
    await test.store.accounts.updateOrganization(organization.id, { concurrentCalls: 1 });
    const first = await mintRun(test.store, agent);
    expect((await mint(test.store, agent)).ok).toBe(false);
    await test.store.runs.finalise(first.id, ending());
    const second = await mintRun(test.store, agent, { leaseMs: 0 });
    expect((await mint(test.store, agent)).ok).toBe(true);
    expect(await sweep(test.store)).toContain(second.id);
  });
});

describe('leases', () => {
  it('extends those of the runs held alone, and tells which of them are live', async () => {
    const { organization, agent } = await createTenant(test.store);
    const mine = await mintRun(test.store, agent, { nodeId: 'node-alive', leaseMs: 0 });
    const orphan = await mintRun(test.store, agent, { nodeId: 'node-alive', leaseMs: 0 });
    const foreign = await mintRun(test.store, agent, { nodeId: 'node-other', leaseMs: 0 });
    const over = await mintRun(test.store, agent, { nodeId: 'node-alive' });
    await test.store.runs.finalise(over.id, ending());
    expect(await test.store.runs.heartbeat('node-alive', [mine.id, foreign.id, over.id], 15_000)).toEqual([mine.id]);
    expect(await test.store.runs.heartbeat('node-alive', [], 15_000)).toEqual([]);
    const swept = await sweep(test.store);
    expect(swept).toContain(orphan.id);
    expect(swept).toContain(foreign.id);
    expect(swept).not.toContain(mine.id);
    expect(await test.store.runs.get(organization.id, mine.id)).toMatchObject({ state: 'initialized' });
  });

  it('are swept once', async () => {
    const { organization, agent } = await createTenant(test.store);
    const lost = await mintRun(test.store, agent, { nodeId: 'node-dead', leaseMs: 0 });
    expect(await sweep(test.store)).toContain(lost.id);
    expect(await sweep(test.store)).not.toContain(lost.id);
    expect(await test.store.runs.get(organization.id, lost.id)).toMatchObject({ state: 'failed', endReason: 'node_lost', closeCode: null });
  });

  it('never let a node end what it holds, nor anybody what it cannot believe', async () => {
    const { agent } = await createTenant(test.store);
    const held = await mintRun(test.store, agent, { nodeId: 'node-a', leaseMs: 0 });
    const lost = await mintRun(test.store, agent, { nodeId: 'node-b', leaseMs: 0 });
    const unheld = await mintRun(test.store, agent, { nodeId: 'node-a', leaseMs: 0 });
    const asA = { nodeId: 'node-a', heldRunIds: [held.id] };
    for (const leasesBelievedUntil of [null, new Date(Date.now() - 1_000)]) {
      const swept = await sweep(test.store, { ...asA, leasesBelievedUntil });
      for (const run of [held, lost, unheld]) expect(swept).not.toContain(run.id);
    }
    const swept = await sweep(test.store, asA);
    expect(swept).toEqual(expect.arrayContaining([lost.id, unheld.id]));
    expect(swept).not.toContain(held.id);
    expect(await sweep(test.store, { ...asA, isExclusive: true })).not.toContain(held.id);
  });

  it('do not matter where the database is exclusive: every run of another node ends at once', async () => {
    const { agent } = await createTenant(test.store);
    const lost = await mintRun(test.store, agent, { nodeId: 'former-process' });
    const mine = await mintRun(test.store, agent, { nodeId: 'this-process' });
    const swept = await sweep(test.store, { nodeId: 'this-process', isExclusive: true, leasesBelievedUntil: null });
    expect(swept).toContain(lost.id);
    expect(swept).not.toContain(mine.id);
  });

  it('are told by the database’s own clock', async () => {
    const { at } = await test.store.runs.sweep({ nodeId: 'n', heldRunIds: [], isExclusive: false, leasesBelievedUntil: null });
    const { rows } = await admin.query<{ ms: number }>('SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms');
    expect(Math.abs((rows[0]?.ms ?? 0) - at.getTime())).toBeLessThan(5_000);
  });

  it('takes the last event as the end of a lost run', async () => {
    const { organization, owner, agent } = await createTenant(test.store);
    const run = await mintRun(test.store, agent);
    await test.store.runs.markRunning(run.id);
    await test.store.runs.appendEvents(run.id, [{ seq: 1, atMs: 90_000, type: 'transcript-final', data: {} }]);
    await admin.query(
      `UPDATE runs SET created_at = now() - interval '120 seconds', answered_at = now() - interval '100 seconds',
         heartbeat_at = now() - interval '20 seconds', lease_expires_at = now() - interval '5 seconds' WHERE id = $1`,
      [run.id],
    );
    await admin.query(`UPDATE run_events SET recorded_at = now() - interval '10 seconds' WHERE run_id = $1`, [run.id]);
    await sweep(test.store);
    const stored = await test.store.runs.get(organization.id, run.id);
    expect(Math.abs((stored?.durationMs ?? 0) - 90_000)).toBeLessThan(2_000);
    expect((await test.store.quotas.get(organization.id, owner.id))?.usage.usedMs).toBe(stored?.durationMs);
  });
});

describe('lists', () => {
  it('pages newest first without gaps or repeats', async () => {
    const { organization, agent } = await createTenant(test.store);
    const ids: string[] = [];
    for (let index = 0; index < 7; index += 1) ids.unshift((await mintRun(test.store, agent)).id);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await test.store.runs.list(organization.id, { limit: 3, cursor });
      seen.push(...page.items.map((run) => run.id));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual(ids);
  });

  it('filters by state, reason, agent, time and text', async () => {
    const { organization, agent } = await createTenant(test.store);
    const ended = await mintRun(test.store, agent, { gatheredContext: { call_id: 'call_100%' } });
    await bind(ended.id, 'sess-xyz');
    await test.store.runs.finalise(ended.id, ending());
    const live = await mintRun(test.store, agent, { initialContext: { caller_number: '+447700900123' } });
    const idsOf = async (filter: Parameters<typeof test.store.runs.list>[1]) =>
      (await test.store.runs.list(organization.id, filter)).items.map((run) => run.id);
    expect(await idsOf({ state: 'completed' })).toEqual([ended.id]);
    expect(await idsOf({ endReason: 'caller_hangup' })).toEqual([ended.id]);
    expect(await idsOf({ agentUuid: agent.uuid })).toEqual([live.id, ended.id]);
    expect(await idsOf({ agentUuid: '00000000-0000-4000-8000-000000000000' })).toEqual([]);
    expect(await idsOf({ agentUuid: 'not-a-uuid' })).toEqual([]);
    expect(await idsOf({ from: new Date(Date.now() + 60_000) })).toEqual([]);
    expect(await idsOf({ to: new Date(Date.now() - 60_000) })).toEqual([]);
    expect(await idsOf({ q: '7700900' })).toEqual([live.id]);
    expect(await idsOf({ q: 'SESS-X' })).toEqual([ended.id]);
    expect(await idsOf({ q: 'call_100%' })).toEqual([ended.id]);
    expect(await idsOf({ q: 'call_1%x' })).toEqual([]);
    expect(await idsOf({ q: ended.name })).toEqual([ended.id]);
    expect(await idsOf({ q: live.id })).toEqual([live.id]);
  });

  it('refuses a cursor that it did not make', async () => {
    const { organization } = await createTenant(test.store);
    await expect(test.store.runs.list(organization.id, { cursor: 'AAAA' })).rejects.toMatchObject({ code: 'invalid-request' });
  });

  it('shows nothing of another organization', async () => {
    const [one, other] = [await createTenant(test.store), await createTenant(test.store)];
    const run = await mintRun(test.store, one.agent);
    expect(await test.store.runs.get(other.organization.id, run.id)).toBeNull();
    expect(await test.store.runs.listEvents(other.organization.id, run.id, 0, 10)).toBeNull();
    expect((await test.store.runs.list(other.organization.id, {})).items).toEqual([]);
    expect(await test.store.runs.get(one.organization.id, 'nonsense')).toBeNull();
  });
});

describe('events', () => {
  it('keeps order and content, and skips what it already has', async () => {
    const { organization, agent } = await createTenant(test.store);
    const run = await mintRun(test.store, agent);
    const events = [1, 2, 3].map((seq) => ({ seq, atMs: seq * 20.5, type: 'turn-started', data: { text: `n\u0000${seq}` } }));
    await test.store.runs.appendEvents(run.id, events);
    await test.store.runs.appendEvents(run.id, events.slice(1));
    const stored = await test.store.runs.listEvents(organization.id, run.id, 0, 10);
    expect(stored).toEqual(events.map((event) => ({ ...event, data: { text: `n${event.seq}` } })));
    expect(await test.store.runs.listEvents(organization.id, run.id, 1, 1)).toEqual([stored?.[1]]);
    expect(await test.store.runs.listEvents(organization.id, run.id, 3, 10)).toEqual([]);
  });

  it('appends for many runs in one statement, leaving out unknown ones and data that is too large', async () => {
    const { organization, agent } = await createTenant(test.store);
    const runs = await Promise.all([mintRun(test.store, agent), mintRun(test.store, agent)]);
    const before = test.store.queryCount();
    const ids = [...runs.map((run) => run.id), '01890000-0000-7000-8000-000000000009', 'not-a-uuid'];
    await test.store.runs.appendEventBatches(
      ids.map((runId) => ({ runId, events: [{ seq: 1, atMs: 0, type: 'note-added', data: { text: 'x'.repeat(70_000) } }] })),
    );
    expect(test.store.queryCount() - before).toBe(1);
    for (const run of runs) {
      const [event] = (await test.store.runs.listEvents(organization.id, run.id, 0, 10)) ?? [];
      expect(event?.data).toEqual({ omitted_bytes: 70_011 });
    }
  });
});

describe('cost of admission', () => {
  it('mints in four queries and binds in one', async () => {
    const { agent } = await createTenant(test.store);
    await mintRun(test.store, agent);
    const before = test.store.queryCount();
    const run = await mintRun(test.store, agent);
    expect(test.store.queryCount() - before).toBe(4);
    await bind(run.id, 'counted');
    expect(test.store.queryCount() - before).toBe(5);
    const durationsMs: number[] = [];
    for (let index = 0; index < 40; index += 1) {
      const startMs = performance.now();
      await mintRun(test.store, agent);
      durationsMs.push(performance.now() - startMs);
    }
    durationsMs.sort((a, b) => a - b);
    process.stdout.write(`mint: p50 ${durationsMs[20]?.toFixed(2)} ms, p90 ${durationsMs[36]?.toFixed(2)} ms (40 sequential)\n`);
  });
});

describe('recordings that are kept for a time', () => {
  const day = 86_400_000;
  const bindFor = async (runId: string, storeId: string, days: number) =>
    test.store.runs.bindSession(runId, {
      ...{ sessionId: randomUUID(), telephonyConfigId: randomUUID(), initialContext: {}, gatheredContext: {}, logs: {} },
      recordingRetention: { storeId, days },
    });
  const expire = (runId: string, secondsAgo: number) =>
    admin.query(`UPDATE runs SET recording_expires_at = now() - make_interval(secs => $2) WHERE id = $1`, [runId, secondsAgo]);
  const expiredOf = async (storeId: string, limit = 10) => test.store.runs.listExpiredRecordings({ storeId, after: null, limit });

  it('expire that long after the end of their run, however it ended', async () => {
    const { organization, agent } = await createTenant(test.store);
    const storeId = randomUUID();
    const [ended, lost, unbounded] = [await mintRun(test.store, agent), await mintRun(test.store, agent), await mintRun(test.store, agent)];
    await bindFor(ended.id, storeId, 30);
    await bindFor(lost.id, storeId, 1);
    await bind(unbounded.id, randomUUID());
    await test.store.runs.finalise(ended.id, ending({ recordingPath: 'a.wav' }));
    await test.store.runs.finalise(unbounded.id, ending({ recordingPath: 'b.wav' }));
    await expireLease(lost.id);
    await sweep(test.store);
    const read = async (id: string) => {
      const run = await test.store.runs.get(organization.id, id);
      const [expiresAt, endedAt] = [run?.recordingExpiresAt ?? null, run?.endedAt ?? null];
      return expiresAt === null || endedAt === null ? null : expiresAt.getTime() - endedAt.getTime();
    };
    expect(await read(ended.id)).toBe(30 * day);
    expect(await read(lost.id)).toBe(day);
    expect(await read(unbounded.id)).toBeNull();
    expect(await expiredOf(storeId)).toEqual([]);
  });

  it('are listed for the data directory that holds them, oldest first and in parts, until they are marked', async () => {
    const { organization, agent } = await createTenant(test.store);
    const storeId = randomUUID();
    const runs = [await mintRun(test.store, agent), await mintRun(test.store, agent), await mintRun(test.store, agent)];
    for (const [index, run] of runs.entries()) {
      await bindFor(run.id, storeId, 1);
      await test.store.runs.finalise(run.id, ending({ recordingPath: 'a.wav' }));
      await expire(run.id, 10 * (index + 1));
    }
    const [newest, middle, oldest] = runs.map(({ id }) => id);
    expect(await expiredOf(randomUUID())).toEqual([]);
    const first = await expiredOf(storeId, 2);
    expect(first.map(({ id }) => id)).toEqual([oldest, middle]);
    const rest = await test.store.runs.listExpiredRecordings({ storeId, after: first[1] ?? null, limit: 2 });
    expect(rest.map(({ id, createdAt }) => [id, createdAt])).toEqual([[newest, runs[0]?.createdAt]]);
    await test.store.runs.markRecordingsDeleted([middle ?? '', newest ?? '']);
    expect((await expiredOf(storeId)).map(({ id }) => id)).toEqual([oldest]);
    expect((await test.store.runs.get(organization.id, middle ?? ''))?.recordingDeletedAt).toBeInstanceOf(Date);
    expect((await test.store.runs.get(organization.id, oldest ?? ''))?.recordingDeletedAt).toBeNull();
  });
});
