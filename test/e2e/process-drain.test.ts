import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { sleep, systemClock } from '../../src/base/clock.js';
import { startFakeCloudonix, type FakeCloudonix } from '../../src/simulator/fake-cloudonix.js';
import { SIMULATOR_BEARER_TOKEN, SIMULATOR_DOMAIN } from '../../src/simulator/place-call.js';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.js';
import { openStore } from '../../src/store/postgres-store.js';
import { silentLog } from '../../src/base/log.js';
import type { Run, Store } from '../../src/store/store.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { followEvents } from '../support/event-stream.js';
import { createAgent, createSimulatorConfig, send, startCall, streamUrl, waitForRun, type OngoingCall } from '../support/installation.js';
import { expectHeard } from '../support/heard.js';
import { buildProgram, createDataDir, disposeProcesses, signalDatabase, startServerProcess, type ServerProcess } from '../support/server-process.js';

const secretKey = 'ef'.repeat(32);

let cloudonix: FakeCloudonix;
let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  await buildProgram();
  cloudonix = await startFakeCloudonix({ domains: { [SIMULATOR_DOMAIN]: { bearerToken: SIMULATOR_BEARER_TOKEN } } });
  database = await createTestDatabase();
  store = await openStore({ poolConfig: database.poolConfig, secretKey: Buffer.from(secretKey, 'hex'), clock: systemClock, log: silentLog });
}, 120_000);
afterAll(async () => {
  await disposeProcesses();
  await cloudonix.close();
  await store.close();
  await database.drop();
});

/** What an upgrade is answered with instead. */
async function refusedUpgrade(url: string): Promise<{ status: number | undefined; retryAfter: string | undefined }> {
  const socket = new WebSocket(url);
  return new Promise((resolve, reject) => {
    socket.once('open', () => reject(new Error('The upgrade was granted')));
    socket.once('error', reject);
    socket.once('unexpected-response', (_request, { statusCode: status, headers }) => resolve({ status, retryAfter: headers['retry-after'] }));
  });
}

/** A server on the file's database unless `env` names another, with one call that talks. */
async function holdCall(
  env: Readonly<Record<string, string>>,
  script: string,
  options: { hearsHangUps: boolean },
): Promise<{ server: ServerProcess; call: OngoingCall; runId: string; agentUuid: string; stored: () => Promise<Run | null> }> {
  const server = await startServerProcess({
    env: { DATABASE_URL: database.databaseUrl, AGENT_STREAM_SECRET_KEY: secretKey, CLOUDONIX_API_BASE_URL: cloudonix.baseUrl, ...env },
  });
  await createSimulatorConfig(server.url);
  const agentUuid = await createAgent(server.url, { max_user_idle_timeout: 120 });
  const session = randomUUID();
  cloudonix.addSession(SIMULATOR_DOMAIN, session);
  // A carrier that does not end the stream by itself when the call is hung up shows the server's close code.
  const call = options.hearsHangUps
    ? startCall(server.url, agentUuid, script, { cloudonix, session })
    : startCall(server.url, agentUuid, script, { cloudonix: { ...cloudonix, on: () => () => undefined }, session });
  const run = await waitForRun(server.url, agentUuid, ({ state }) => state === 'running');
  const { organization_id: organizationId } = (await send(server.url, 'GET', `/api/v1/runs/${run.id}`)).json;
  return { server, call, runId: run.id, agentUuid, stored: () => store.runs.get(String(organizationId), run.id) };
}

async function timed<T>(work: Promise<T>): Promise<{ value: T; ms: number }> {
  const startMs = systemClock.nowMs();
  const value = await work;
  return { value, ms: systemClock.nowMs() - startMs };
}

describe.concurrent('SIGTERM', () => {
  it('refuses what is new at once and lets the live call come to its end', async () => {
    const script = 'caller: Where can I park?\ncaller: That is all, thank you and goodbye.';
    const { server, call, runId, agentUuid, stored } = await holdCall({}, script, { hearsHangUps: true });
    const events = await followEvents(server.url, runId);
    server.kill('SIGTERM');
    let ready = await send(server.url, 'GET', '/readyz', { key: null });
    for (let polls = 0; ready.status === 200 && polls < 50; polls += 1) {
      await sleep(systemClock, 20);
      ready = await send(server.url, 'GET', '/readyz', { key: null });
    }
    expect([ready.status, ready.json['code']]).toEqual([503, 'node-draining']);
    const refusal = await refusedUpgrade(streamUrl(server.url, agentUuid));
    expect(refusal.status).toBe(503);
    expect(refusal.retryAfter).toMatch(/^\d+$/);

    const ended = await call.ended;
    const { ending, asked, turns } = ended;
    expect(asked).toBe('hang-up');
    expect(ending).toMatchObject({ type: 'closed', code: 1000 });
    const speakers = turns.map(({ who }) => who);
    expect(speakers.filter((who, index) => who !== speakers[index - 1])).toEqual(['agent', 'caller', 'agent', 'caller', 'agent']);
    expectHeard(ended, [
      'Hello, this is the front desk. How can I help you?',
      'You can park behind the building. The first two hours are free.',
      'Thank you for calling the front desk. Goodbye.',
    ]);
    expect(await server.exited()).toEqual({ code: 0, signal: null });
    await events.ended;
    expect(events.end()).toBe(JSON.stringify({ state: 'completed', end_reason: 'agent_hangup' }));
    expect(await stored()).toMatchObject({ state: 'completed', endReason: 'agent_hangup', closeCode: 1000 });
    expect(server.output().stderr).toBe('');
  });

  it('says goodbye to the caller at the drain deadline, and closes with 1001', async () => {
    const env = { AGENT_STREAM_DRAIN_TIMEOUT_SECONDS: '1' };
    const { server, call, runId, stored } = await holdCall(env, 'listen\nwait: 60s', { hearsHangUps: false });
    const events = await followEvents(server.url, runId);
    const { value, ms } = await timed(server.stop());
    process.stdout.write(`SIGTERM with a drain of 1 s and a live call: ended after ${(ms / 1000).toFixed(1)} s\n`);
    expect(value).toEqual({ code: 0, signal: null });
    const ended = await call.ended;
    expect(ended.ending).toEqual({ type: 'closed', code: 1001, reason: 'Server is going away', by: 'server' });
    expectHeard(ended, ['I have to end the call here. Please call again. Goodbye.'], 'end');
    await events.ended;
    expect(await stored()).toMatchObject({ state: 'completed', endReason: 'drained', closeCode: 1001 });
    const { organizationId } = (await stored())!;
    const said = (await store.runs.listEvents(organizationId, runId, 0, 1000)) ?? [];
    expect(said.filter(({ type }) => type === 'agent-said').at(-1)?.data).toMatchObject({ text: expect.stringContaining('Please call again. Goodbye.') as unknown, interrupted: false });
    expect(said.at(-1)).toMatchObject({ type: 'run-ended', data: { end_reason: 'drained', close_code: 1001 } });
    expect(ms).toBeLessThan(30_000);
  });

  it('given twice does not wait', async () => {
    const { server, call, runId, stored } = await holdCall({}, 'listen\nwait: 60s', { hearsHangUps: true });
    const events = await followEvents(server.url, runId);
    server.kill('SIGTERM');
    await sleep(systemClock, 500);
    expect((await send(server.url, 'GET', '/readyz', { key: null })).status).toBe(503);
    const { value, ms } = await timed(server.stop());
    process.stdout.write(`SIGTERM given twice with a live call: ended after ${(ms / 1000).toFixed(1)} s\n`);
    expect(value).toEqual({ code: 0, signal: null });
    expect(ms).toBeLessThan(10_000);
    expect((await call.ended).asked).toBe('hang-up');
    await events.ended;
    expect(await stored()).toMatchObject({ state: 'completed', endReason: 'drained' });
  });

  it('ends a server that holds connections which do not say anything', async () => {
    const server = await startServerProcess({ env: { DATABASE_URL: database.databaseUrl, AGENT_STREAM_SECRET_KEY: secretKey } });
    const { hostname, port } = new URL(server.url);
    const sockets = await Promise.all(
      ['', 'GET /healthz HTTP/1.1\r\nHost: x\r\n', `GET /api/v1/agent-stream/cloudonix/${randomUUID()} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n`].map(
        (text) =>
          new Promise<ReturnType<typeof connect>>((resolve) => {
            const socket = connect(Number(port), hostname, () => socket.write(text, () => resolve(socket)));
            socket.on('error', () => undefined);
          }),
      ),
    );
    const { value, ms } = await timed(server.stop());
    for (const socket of sockets) socket.destroy();
    expect(value).toEqual({ code: 0, signal: null });
    expect(ms).toBeLessThan(15_000);
  });

  it('ends a server whose database is frozen', async () => {
    const dataDir = await createDataDir();
    const frozen = await startEmbeddedPostgres({ dataDir, log: silentLog });
    const databaseUrl = `postgresql://${String(frozen.poolConfig.user)}@localhost/postgres?host=${encodeURIComponent(String(frozen.poolConfig.host))}`;
    const { server, call } = await holdCall({ DATABASE_URL: databaseUrl }, 'listen\nwait: 60s', { hearsHangUps: true });
    await signalDatabase(dataDir, 'SIGSTOP');
    server.kill('SIGTERM');
    await sleep(systemClock, 300);
    const { value, ms } = await timed(server.stop());
    process.stdout.write(`SIGTERM given twice with a frozen database: ended after ${(ms / 1000).toFixed(1)} s\n`);
    expect((await call.ended).asked).toBe('hang-up');
    expect(value).toEqual({ code: 0, signal: null });
    expect(ms).toBeLessThan(60_000);
    await signalDatabase(dataDir, 'SIGCONT');
    await frozen.stop();
  }, 90_000);
});
