import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.js';
import { silentLog } from '../../src/base/log.js';
import { LEASE_MS } from '../../src/runs/leases.js';
import { startFakeCloudonix, type FakeCloudonix } from '../../src/simulator/fake-cloudonix.js';
import { SIMULATOR_BEARER_TOKEN, SIMULATOR_DOMAIN, type PlacedCall } from '../../src/simulator/place-call.js';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.js';
import {
  createAgent,
  createSimulatorConfig,
  eventsOf,
  hasEnded,
  runsOf,
  send,
  startCall,
  streamUrl,
  transcriptOf,
  waitForRun,
  type RunJson,
} from '../support/installation.js';
import { expectHeard } from '../support/heard.js';
import { buildProgram, createDataDir, disposeProcesses, postmasterOf, signalDatabase, startServerProcess, type ServerProcess } from '../support/server-process.js';
import { connected, openCarrier, startMessage } from '../support/stream-carrier.js';
import { waitUntil } from '../support/wait-for.js';

/** The answer to parking is in the middle of the outage. */
const conversation = `
  caller: Where are you, what is the address?
  caller: Where can I park?
  caller: When are you open on Sunday?
  listen
`;

let cloudonix: FakeCloudonix;
beforeAll(async () => {
  await buildProgram();
  cloudonix = await startFakeCloudonix({ domains: { [SIMULATOR_DOMAIN]: { bearerToken: SIMULATOR_BEARER_TOKEN } } });
}, 120_000);
afterAll(async () => {
  await disposeProcesses();
  await cloudonix.close();
});

async function startServer(carrier: FakeCloudonix = cloudonix): Promise<{ server: ServerProcess; agentUuid: string }> {
  const server = await startServerProcess({ env: { CLOUDONIX_API_BASE_URL: carrier.baseUrl } });
  await createSimulatorConfig(server.url);
  return { server, agentUuid: await createAgent(server.url, { max_user_idle_timeout: 120 }) };
}

const answerTexts = [
  'We are at twelve Harbour Street, next to the old lighthouse.',
  'You can park behind the building. The first two hours are free.',
  'We are open ten to four on Sundays.',
];

/** Every question was answered aloud and without a gap longer than a conversation has. */
function expectUndisturbed(call: PlacedCall): void {
  const answers = call.turns.filter((turn) => turn.who === 'agent' && turn.gapFrom === 'caller');
  expect(answers).toHaveLength(3);
  for (const answer of answers) {
    expect(answer.who === 'agent' ? answer.gapMs : null).toBeLessThan(3_000);
  }
  expectHeard(call, ['Hello, this is the front desk. How can I help you?', ...answerTexts]);
  expect(call.stats.violations).toEqual([]);
  expect(call.problems).toEqual([]);
}

/** Everything is stored: in order, once, to the end, as it was heard. */
async function expectComplete(url: string, run: RunJson): Promise<void> {
  const events = await eventsOf(url, run.id);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.at(-1)).toMatchObject({ type: 'run-ended' });
  expect((await transcriptOf(url, run.id)).map(({ role, text }) => `${role}: ${text}`)).toEqual([
    'agent: Hello, this is the front desk. How can I help you?',
    expect.stringMatching(/^caller: .*address/i),
    `agent: ${answerTexts[0]}`,
    expect.stringMatching(/^caller: .*park/i),
    `agent: ${answerTexts[1]}`,
    expect.stringMatching(/^caller: .*sunday/i),
    `agent: ${answerTexts[2]}`,
  ]);
}

describe.concurrent('a database that goes away in the middle of a call', () => {
  it('frozen for seconds, does not disturb the call, and stores everything afterwards', async () => {
    const { server, agentUuid } = await startServer();
    const call = startCall(server.url, agentUuid, conversation, { cloudonix, lingerMs: 0 });
    const run = await waitForRun(server.url, agentUuid, ({ state }) => state === 'running');
    await waitUntil('the first answer', async () => (await transcriptOf(server.url, run.id)).length >= 3);
    await signalDatabase(server.dataDir, 'SIGSTOP');
    const frozenAtMs = systemClock.nowMs();
    // A new caller is not left in the dark for as long as the database is away.
    expect((await startCall(server.url, agentUuid, 'wait: 60s', { cloudonix }).ended).ending).toMatchObject({ type: 'closed', code: 1011, by: 'server' });
    expect(systemClock.nowMs() - frozenAtMs).toBeLessThan(10_000);
    await signalDatabase(server.dataDir, 'SIGCONT');
    expectUndisturbed(await call.ended);
    await waitUntil('the end of the run', async () => (await runsOf(server.url, agentUuid)).some(({ id, state }) => id === run.id && state === 'completed'));
    await expectComplete(server.url, run);
    await server.stop();
  }, 90_000);

  it.each(['is looked up in it', 'is bound in it'])('frozen while a call %s, keeps its caller waiting for seconds only', async (step) => {
    const fake = await startFakeCloudonix({ domains: { [SIMULATOR_DOMAIN]: { bearerToken: SIMULATOR_BEARER_TOKEN } } });
    const { server, agentUuid } = await startServer(fake);
    const carrier = await openCarrier(streamUrl(server.url, agentUuid));
    fake.addSession(SIMULATOR_DOMAIN, carrier.session);
    const start = startMessage(carrier.session, SIMULATOR_DOMAIN);
    carrier.send(connected);
    await waitForRun(server.url, agentUuid, ({ state }) => state === 'initialized');
    if (step === 'is bound in it') {
      fake.setBehaviour('get-session', [{ type: 'slow', delayMs: 1_500 }]);
      carrier.send(start);
      await waitUntil('the validation', () => fake.requests.some(({ operation }) => operation === 'get-session'));
    }
    await signalDatabase(server.dataDir, 'SIGSTOP');
    const frozenAtMs = systemClock.nowMs();
    if (step === 'is looked up in it') carrier.send(start);
    expect(await carrier.closed).toEqual({ code: 1011, reason: 'Internal server error' });
    expect(systemClock.nowMs() - frozenAtMs).toBeLessThan(10_000);
    await signalDatabase(server.dataDir, 'SIGCONT');
    await waitUntil('the end of the run', async () => (await runsOf(server.url, agentUuid)).every(hasEnded));
    expect(await runsOf(server.url, agentUuid)).toMatchObject([{ state: 'failed', end_reason: 'internal_error', close_code: 1011 }]);
    await server.stop();
    await fake.close();
  }, 90_000);

  it('killed, is started again; the call goes on and is stored in full', async () => {
    const { server, agentUuid } = await startServer();
    const call = startCall(server.url, agentUuid, conversation, { cloudonix, lingerMs: 0 });
    const run = await waitForRun(server.url, agentUuid, ({ state }) => state === 'running');
    await waitUntil('the first answer', async () => (await transcriptOf(server.url, run.id)).length >= 3);
    const former = await postmasterOf(server.dataDir);
    await signalDatabase(server.dataDir, 'SIGKILL');
    const downAtMs = systemClock.nowMs();
    await waitUntil('readiness', async () => (await send(server.url, 'GET', '/readyz', { key: null })).status === 200);
    process.stdout.write(`the embedded database, killed, answered again after ${(systemClock.nowMs() - downAtMs).toFixed(0)} ms\n`);
    expect(await postmasterOf(server.dataDir)).not.toBe(former);
    expectUndisturbed(await call.ended);
    const ended = await waitForRun(server.url, agentUuid, hasEnded);
    expect(ended).toMatchObject({ state: 'completed', end_reason: 'caller_hangup' });
    await expectComplete(server.url, ended);
    await server.stop();
  }, 90_000);

  it('away while a call ends, stores its end and its last words when it is back', async () => {
    const { server, agentUuid } = await startServer();
    const call = startCall(server.url, agentUuid, conversation, { cloudonix, lingerMs: 0 });
    const run = await waitForRun(server.url, agentUuid, ({ state }) => state === 'running');
    await waitUntil('the first answer', async () => (await transcriptOf(server.url, run.id)).length >= 3);
    await signalDatabase(server.dataDir, 'SIGSTOP');
    expectUndisturbed(await call.ended);
    // Longer than a process that ends would wait.
    await sleep(systemClock, 6_000);
    await signalDatabase(server.dataDir, 'SIGCONT');
    const ended = await waitForRun(server.url, agentUuid, hasEnded);
    expect(ended).toMatchObject({ id: run.id, state: 'completed', end_reason: 'caller_hangup', close_code: 1000 });
    expect(Math.abs((ended.duration_ms ?? 0) - (await call.ended).durationMs)).toBeLessThan(1_000);
    await expectComplete(server.url, ended);
    await server.stop();
  }, 90_000);

  it('away for longer than a lease, costs no node its calls', async () => {
    const dataDir = await createDataDir();
    const shared = await startEmbeddedPostgres({ dataDir, log: silentLog });
    const env = {
      DATABASE_URL: `postgresql://${String(shared.poolConfig.user)}@localhost/postgres?host=${encodeURIComponent(String(shared.poolConfig.host))}`,
      AGENT_STREAM_SECRET_KEY: '1f'.repeat(32),
      CLOUDONIX_API_BASE_URL: cloudonix.baseUrl,
    };
    const nodes = await Promise.all([startServerProcess({ env }), startServerProcess({ env })]);
    const [first, second] = nodes;
    await createSimulatorConfig(first.url);
    const agentUuid = await createAgent(first.url, { max_user_idle_timeout: 120 });
    const script = 'listen\nwait: 24s\ncaller: Where can I park?\nwait: 60s';
    const calls = nodes.map(({ url }) => startCall(url, agentUuid, script, { cloudonix, session: randomUUID() }));
    const running = async () => (await runsOf(first.url, agentUuid)).filter(({ state }) => state === 'running').map(({ id }) => id);
    await waitUntil('both calls', async () => (await running()).length === 2);
    const runIds = await running();
    // Long enough for either node to trust the leases of the other.
    await sleep(systemClock, LEASE_MS + 4_000);
    await signalDatabase(dataDir, 'SIGSTOP');
    await sleep(systemClock, LEASE_MS + 2_000);
    await signalDatabase(dataDir, 'SIGCONT');
    await waitUntil('the answer in the middle of the outage', async () => {
      const transcripts = await Promise.all(runIds.map((id) => transcriptOf(second.url, id)));
      return transcripts.every((lines) => lines.some(({ text }) => text.startsWith('You can park behind the building.')));
    });
    await sleep(systemClock, 6_000);
    expect(await running()).toEqual(runIds);
    for (const call of calls) call.hangUp();
    await waitUntil('the end of both', async () => (await runsOf(first.url, agentUuid)).every(hasEnded));
    for (const run of await runsOf(first.url, agentUuid)) expect(run).toMatchObject({ state: 'completed', end_reason: 'caller_hangup' });
    expect(await Promise.all(nodes.map((node) => node.stop()))).toEqual(nodes.map(() => ({ code: 0, signal: null })));
    await shared.stop();
  }, 120_000);
});
