import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import type { Run } from '../../src/store/store.js';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { placeStream, stop } from '../support/stream-carrier.js';

/** Two nodes on one database. */
let holder: CallServer;
let other: CallServer;
let admin: pg.Pool;
beforeAll(async () => {
  holder = await startCallServer();
  other = await startCallServer({ database: holder.database });
  admin = new pg.Pool({ ...holder.database.poolConfig, max: 1 });
}, 60_000);
afterAll(async () => {
  await admin.end();
  await other.stop();
  await holder.stop();
});

/** The lease ends before its time, as where the database's clock jumped, and another node's sweep believes it. */
async function sweepAway(run: Run): Promise<void> {
  await admin.query(`UPDATE runs SET lease_expires_at = now() - interval '1 second' WHERE id = $1`, [run.id]);
  const leasesBelievedUntil = new Date(systemClock.wallMs() + 60_000);
  const { endedRunIds } = await other.store.runs.sweep({ nodeId: randomUUID(), heldRunIds: [], isExclusive: false, leasesBelievedUntil });
  expect(endedRunIds).toEqual([run.id]);
}

/** Nobody is told: the notification was lost. */
const endUnheard = (run: Run) =>
  admin.query(`UPDATE runs SET state = 'failed', end_reason = 'node_lost', ended_at = now() WHERE id = $1`, [run.id]);

it.each([
  ['at once, when it is told', sweepAway, 2500],
  ['at the next heartbeat, when it is not', endUnheard, 8000],
])('a live call whose run another node ended is hung up %s', async (_name, end, withinMs) => {
  const [agent, bystanding] = [await holder.createAgent(), await holder.createAgent()];
  const kept = await placeStream(holder, holder.streamUrl(bystanding.uuid));
  await kept.heard();
  kept.talk();
  const carrier = await placeStream(holder, holder.streamUrl(agent.uuid));
  await carrier.heard();
  carrier.talk();
  const run = await holder.waitForRun(agent, ({ state }) => state === 'running');

  const hangUps = () => holder.cloudonix.requests.filter(({ operation, path }) => operation === 'hang-up' && path.endsWith(carrier.session));
  await end(run);
  // The caller is not left on a silent line: the provider's session is ended too.
  await expect.poll(() => hangUps().length, { timeout: withinMs }).toBe(1);
  expect(await carrier.closed).toEqual({ code: 1011, reason: 'Internal server error' });

  await expect.poll(() => holder.node.directory.heldRunIds()).not.toContain(run.id);
  expect(holder.node.directory.activeCount()).toBe(1);
  expect(await holder.runsOf(agent)).toMatchObject([{ state: 'failed', endReason: 'node_lost' }]);
  expect(holder.logLines.join('')).toContain('A call is hung up because another node ended its run');

  expect(kept.socket.readyState).toBe(kept.socket.OPEN);
  kept.send(stop);
  await kept.closed;
  expect((await holder.endedRun(bystanding)).endReason).toBe('caller_hangup');
}, 30_000);
