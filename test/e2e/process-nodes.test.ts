import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { startFakeCloudonix, type FakeCloudonix } from '../../src/simulator/fake-cloudonix.js';
import { SIMULATOR_BEARER_TOKEN, SIMULATOR_DOMAIN } from '../../src/simulator/place-call.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { followEvents } from '../support/event-stream.js';
import { createAgent, createSimulatorConfig, hasEnded, liveCalls, runsOf, send, startCall, transcriptOf, waitForRun } from '../support/installation.js';
import { expectHeard } from '../support/heard.js';
import { buildProgram, disposeProcesses, startServerProcess, type ServerProcess } from '../support/server-process.js';
import { waitUntil } from '../support/wait-for.js';

let cloudonix: FakeCloudonix;
beforeAll(async () => {
  await buildProgram();
  cloudonix = await startFakeCloudonix({ domains: { [SIMULATOR_DOMAIN]: { bearerToken: SIMULATOR_BEARER_TOKEN } } });
}, 120_000);
afterAll(async () => {
  await disposeProcesses();
  await cloudonix.close();
});

describe('two nodes on one database', () => {
  let database: TestDatabase;
  let nodes: [ServerProcess, ServerProcess];
  let agentUuid: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    const env = { DATABASE_URL: database.databaseUrl, AGENT_STREAM_SECRET_KEY: 'cd'.repeat(32), CLOUDONIX_API_BASE_URL: cloudonix.baseUrl };
    nodes = await Promise.all([startServerProcess({ env }), startServerProcess({ env })]);
    await createSimulatorConfig(nodes[0].url);
    agentUuid = await createAgent(nodes[0].url, { max_user_idle_timeout: 120 });
  }, 60_000);
  afterAll(async () => {
    await disposeProcesses();
    await database.drop();
  });

  it('show and control each other’s calls', async () => {
    const [holder, other] = nodes;
    const call = startCall(holder.url, agentUuid, 'listen\nlisten\nwait: 60s', { cloudonix });
    const run = await waitForRun(other.url, agentUuid, ({ state }) => state === 'running');
    const stream = await followEvents(other.url, run.id);
    await stream.until(({ type, data }) => type === 'agent-said' && data['text'] === 'Hello, this is the front desk. How can I help you?');

    const said = await send(other.url, 'POST', `/api/v1/runs/${run.id}/say`, { body: { text: 'A table is free now.' } });
    expect([said.status, said.json]).toEqual([202, { id: run.id, command: 'say' }]);
    await stream.until(({ type, data }) => type === 'agent-said' && data['text'] === 'A table is free now.' && data['interrupted'] === false);

    const hangup = await send(other.url, 'POST', `/api/v1/runs/${run.id}/hangup`, { body: {} });
    expect(hangup.status).toBe(202);
    const ended = await call.ended;
    expect(ended.asked).toBe('hang-up');
    expect(ended.ending.type).toBe('closed');
    expectHeard(ended, ['Hello, this is the front desk. How can I help you?', 'A table is free now.']);
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ type: 'run-ended', data: { end_reason: 'operator_hangup' } });
    expect(stream.events.map(({ seq }) => seq)).toEqual(stream.events.map((_, index) => index + 1));
    const after = await send(other.url, 'POST', `/api/v1/runs/${run.id}/say`, { body: { text: 'Hello?' } });
    expect([after.status, after.json['code']]).toEqual([409, 'run-not-live']);
  });

  it('survive each other: the calls of one that dies end by the other’s sweep, whose own go on', async () => {
    const [dying, surviving] = nodes;
    const keptAgent = await createAgent(surviving.url, { max_user_idle_timeout: 120 });
    await waitUntil('the new agent at both nodes', async () => (await send(dying.url, 'GET', `/api/v1/agents/${keptAgent}`)).status === 200);
    const lost = Array.from({ length: 3 }, () => startCall(dying.url, agentUuid, 'listen\nwait: 90s', { cloudonix }));
    const kept = Array.from({ length: 3 }, () => startCall(surviving.url, keptAgent, 'listen\nwait: 90s', { cloudonix }));
    const running = async (uuid: string) => (await runsOf(surviving.url, uuid)).filter(({ state }) => state === 'running').map(({ id }) => id);
    await waitUntil('all calls', async () => (await running(agentUuid)).length === 3 && (await running(keptAgent)).length === 3);
    const lostRuns = await running(agentUuid);

    dying.kill('SIGKILL');
    const downAtMs = systemClock.nowMs();
    await waitUntil('the sweep', async () => (await running(agentUuid)).length === 0, 50_000);
    const sweptAfterMs = systemClock.nowMs() - downAtMs;
    process.stdout.write(`kill -9 of one of two nodes: its runs ended after ${(sweptAfterMs / 1000).toFixed(1)} s (lease 15 s, sweep 5 s)\n`);
    expect(sweptAfterMs).toBeLessThan(45_000);
    const runs = await runsOf(surviving.url, agentUuid);
    for (const id of lostRuns) expect(runs.find((run) => run.id === id)).toMatchObject({ state: 'failed', end_reason: 'node_lost' });
    expect(await liveCalls(surviving.url)).toBe(3);

    // Longer than a lease after the other's death, and all along its own lived.
    expect(await running(keptAgent)).toHaveLength(3);
    for (const id of await running(keptAgent)) {
      expect((await send(surviving.url, 'POST', `/api/v1/runs/${id}/say`, { body: { text: 'Still here.' } })).status).toBe(202);
    }
    await Promise.all(
      (await running(keptAgent)).map((id) =>
        waitUntil('the words', async () => (await transcriptOf(surviving.url, id)).some(({ text }) => text === 'Still here.')),
      ),
    );
    for (const call of [...lost, ...kept]) call.hangUp();
    await waitUntil('the end of the kept calls', async () => (await runsOf(surviving.url, keptAgent)).every(hasEnded));
    for (const run of await runsOf(surviving.url, keptAgent)) expect(run).toMatchObject({ state: 'completed', end_reason: 'caller_hangup' });
    expect(await surviving.stop()).toEqual({ code: 0, signal: null });
  });
});
