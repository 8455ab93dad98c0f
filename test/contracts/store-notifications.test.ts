import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openStore } from '../../src/store/postgres-store.js';
import { systemClock } from '../../src/base/clock.js';
import { silentLog } from '../../src/base/log.js';
import type { NotificationPayloads, Store } from '../../src/store/store.js';
import { openTestStore, type TestStore } from '../support/database.js';
import { content, createTenant, ending, mintRun, sweep } from './store-fixtures.js';

let test: TestStore;
/** Another node on the same database. */
let other: Store;
beforeAll(async () => {
  test = await openTestStore();
  other = await openStore({ poolConfig: test.poolConfig, secretKey: test.secretKey, clock: systemClock, log: silentLog, maxConnections: 2 });
});
afterAll(async () => {
  await other.close();
  await test.dispose();
});

/** Collects what the other node hears on a channel. */
function hear<K extends keyof NotificationPayloads>(channel: K): NotificationPayloads[K][] {
  const heard: NotificationPayloads[K][] = [];
  other.notifications.subscribe(channel, (payload) => heard.push(payload));
  return heard;
}

const eventually = (assertion: () => void) => vi.waitFor(assertion, { timeout: 10_000, interval: 10 });

describe('notifications between nodes', () => {
  it('tell of every change to an agent', async () => {
    const heard = hear('agent_changed');
    const { organization, agent } = await createTenant(test.store);
    const { agents } = test.store;
    const [id, uuid] = [organization.id, agent.uuid];
    await agents.rename(id, uuid, 'B');
    await agents.putDraft(id, uuid, content);
    await agents.publish(id, uuid);
    await agents.restore(id, uuid, 1);
    await agents.rotateStreamToken(id, uuid, 0);
    await agents.removeStreamToken(id, uuid);
    await agents.setArchived(id, uuid, true);
    await agents.publish(id, '00000000-0000-4000-8000-000000000000');
    await eventually(() => expect(heard).toHaveLength(8));
    expect(heard.map((payload) => payload.isActive)).toEqual([true, true, true, true, true, true, true, false]);
    expect(new Set(heard.map((payload) => payload.uuid))).toEqual(new Set([uuid]));
  });

  it('tell of configurations, events and endings', async () => {
    const [configs, events, endings] = [hear('telephony_config_changed'), hear('run_events'), hear('run_ended')];
    const { organization, agent } = await createTenant(test.store);
    const config = await test.store.telephonyConfigs.create({ organizationId: organization.id, name: 'm', provider: 'cloudonix', account: 'a', credentials: {} });
    await test.store.telephonyConfigs.delete(organization.id, config.id);
    const run = await mintRun(test.store, agent);
    await test.store.runs.appendEvents(run.id, [4, 5].map((seq) => ({ seq, atMs: 0, type: 'turn-started', data: {} })));
    await test.store.runs.finalise(run.id, ending());
    await test.store.runs.finalise(run.id, ending());
    const lost = await mintRun(test.store, agent, { leaseMs: 0 });
    await sweep(test.store);
    await eventually(() => expect(endings).toEqual([{ runId: run.id }, { runId: lost.id }]));
    expect(configs).toEqual([{ organizationId: organization.id }, { organizationId: organization.id }]);
    expect(events).toEqual([{ runId: run.id, lastSeq: 5 }]);
  });

  it('carry live control there and back, until unsubscribed', async () => {
    const results = new Promise<NotificationPayloads['run_control_result']>((resolve) => test.store.notifications.subscribe('run_control_result', resolve));
    const end = other.notifications.subscribe('run_control', ({ commandId }) => {
      end();
      void other.notifications.notify('run_control_result', { commandId, ok: true });
    });
    await test.store.notifications.notify('run_control', { runId: 'r', commandId: 'c', command: { type: 'say', text: 'Zdravím' } });
    expect(await results).toEqual({ commandId: 'c', ok: true });
    const tooLong = { runId: 'r', commandId: 'c', command: { type: 'say', text: 'x'.repeat(8_000) } } as const;
    await expect(test.store.notifications.notify('run_control', tooLong)).rejects.toMatchObject({ code: 'invalid-request' });
  });

  it('come back after the connection was lost, and say so', async () => {
    let losses = 0;
    const heard: string[] = [];
    const end = other.notifications.subscribe('run_ended', ({ runId }) => heard.push(runId), () => (losses += 1));
    other.notifications.subscribe('run_ended', () => {
      throw new Error('a subscriber that fails');
    });
    const admin = new pg.Client(test.poolConfig);
    await admin.connect();
    await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '%notifications'`);
    await admin.end();
    await eventually(() => expect(losses).toBe(2));
    await test.store.notifications.notify('run_ended', { runId: 'after' });
    await eventually(() => expect(heard).toEqual(['after']));
    end();
  });
});
