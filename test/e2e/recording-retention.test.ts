import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openRecordings } from '../../src/call/recordings.js';
import { systemClock } from '../../src/base/clock.js';
import { silentLog } from '../../src/base/log.js';
import { startRecordingSweeper } from '../../src/runs/recording-sweeper.js';
import type { Run } from '../../src/store/store.js';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { placeStream, stop } from '../support/stream-carrier.js';
import { waitUntil } from '../support/wait-for.js';

let server: CallServer;
let admin: pg.Pool;
beforeAll(async () => {
  server = await startCallServer();
  admin = new pg.Pool({ ...server.database.poolConfig, max: 1 });
});
afterAll(async () => {
  await admin.end();
  await server.stop();
});

async function recordedCall(recording: Record<string, unknown>): Promise<{ run: Run; path: string }> {
  const agent = await server.createAgent({ settings: { recording } });
  const carrier = await placeStream(server, server.streamUrl(agent.uuid));
  await carrier.heard();
  carrier.send(stop);
  await carrier.closed;
  const run = await server.endedRun(agent);
  return { run, path: join(server.dataDir, String(run.recordingPath)) };
}

const isThere = (path: string) => access(path).then(() => true, () => false);
const readRun = async ({ id }: Run) => (await server.request('GET', `/api/v1/runs/${id}`)).json;
const expire = ({ id }: Run) => admin.query(`UPDATE runs SET recording_expires_at = now() - interval '1 second' WHERE id = $1`, [id]);

it('a recording is deleted when the agent’s retention is over, and no other', async () => {
  const [expired, missing, due, kept] = [
    await recordedCall({ retention_days: 1 }),
    await recordedCall({ retention_days: 1 }),
    await recordedCall({ retention_days: 3650 }),
    await recordedCall({}),
  ];
  const { ended_at: endedAt, recording_expires_at: expiresAt, recording_url: url } = await readRun(due.run);
  expect(Date.parse(String(expiresAt)) - Date.parse(String(endedAt))).toBe(3650 * 86_400_000);
  expect(url).toBe(`${server.node.publicUrl}/api/v1/runs/${due.run.id}/recording`);
  expect((await readRun(kept.run))['recording_expires_at']).toBeNull();
  await expire(expired.run);
  await expire(missing.run);
  await rm(missing.path);

  // As the node does when it starts again on its data directory.
  const recordings = await openRecordings(server.dataDir, silentLog);
  const deleteFile = recordings.delete.bind(recordings);
  const sweeper = startRecordingSweeper({ store: server.store, storeId: recordings.storeId, deleteFile, clock: systemClock, log: silentLog });
  await waitUntil('the sweep', async () => (await readRun(missing.run))['recording_deleted_at'] !== null);
  await sweeper.stop();

  for (const { run, path } of [expired, missing]) {
    expect(await isThere(path)).toBe(false);
    const { recording_url, recording_deleted_at } = await readRun(run);
    expect([recording_url, typeof recording_deleted_at]).toEqual([null, 'string']);
    const { status, json } = await server.request('GET', `/api/v1/runs/${run.id}/recording`);
    expect([status, json['code'], json['detail']]).toEqual([404, 'not-found', `The recording was deleted at ${String(recording_deleted_at)}, when its retention ended.`]);
    expect((await server.request('GET', `/api/v1/runs/${run.id}/transcript`)).status).toBe(200);
  }
  for (const { run, path } of [due, kept]) {
    expect(await isThere(path)).toBe(true);
    expect((await readRun(run))['recording_deleted_at']).toBeNull();
  }
}, 30_000);
