import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { parseCallerScript } from '../../src/simulator/caller-script.js';
import { placeCall, type PlacedCall } from '../../src/simulator/place-call.js';
import { createSimulatedSpeech } from '../../src/simulator/simulated-speech.js';
import type { Agent, Run } from '../../src/store/store.js';
import { hasEnded, startCallServer, type CallServer, type CallTenant } from '../support/call-server.js';
import { connected, openCarrier, startMessage, stop, type StreamCarrier } from '../support/stream-carrier.js';
import { waitUntil } from '../support/wait-for.js';

const LIMIT = 5;
const RACE = 30;

let server: CallServer;
/** Shares the database and the carrier. */
let other: CallServer;
beforeAll(async () => {
  server = await startCallServer();
  other = await startCallServer({ database: server.database, env: { CLOUDONIX_API_BASE_URL: server.cloudonix.baseUrl } });
}, 60_000);
afterAll(async () => {
  await other.stop();
  await server.stop();
});

const speech = createSimulatedSpeech(systemClock);

/** A caller with a script, of the tenant's domain. */
function call(tenant: CallTenant, agent: Agent, script: string): Promise<PlacedCall> {
  return placeCall({
    url: server.streamUrl(agent.uuid),
    domain: tenant.domain,
    cloudonix: server.cloudonix,
    steps: parseCallerScript(script),
    speech,
    clock: systemClock,
  });
}

/** The goodbye was said to its end, and the last that the caller heard was the agent. */
async function expectGoodbye({ turns, asked }: PlacedCall, run: Run): Promise<void> {
  expect(asked).toBe('hang-up');
  expect(run).toMatchObject({ state: 'completed', endReason: 'quota_exceeded', closeCode: 1000 });
  const said = (await server.eventsOf(run)).filter(({ type }) => type === 'agent-said');
  expect(said.at(-1)?.data).toMatchObject({ text: 'I am sorry, I have to end the call here. Goodbye.', interrupted: false });
  const last = turns.at(-1);
  expect(last?.who).toBe('agent');
  expect((last?.endMs ?? 0) - (last?.startMs ?? 0)).toBeGreaterThan(500);
}

const longCall = 'listen\nwait: 60s';
const quietSettings = { max_user_idle_timeout: 120 };

describe.concurrent('a quota of minutes', () => {
  it('that runs out in a call ends it with a goodbye, and refuses the next one', async () => {
    const tenant = await server.createTenant();
    const agent = await server.createAgent({ tenant, settings: quietSettings });
    await server.store.quotas.put(tenant.organizationId, tenant.userId, { period: 'month', minutes: 0.1, runs: null });
    const ended = await call(tenant, agent, longCall);
    const run = await server.endedRun(agent);
    await expectGoodbye(ended, run);
    expect(run.durationMs).toBeGreaterThan(6_000);
    expect(run.durationMs).toBeLessThan(15_000);
    const events = await server.eventsOf(run);
    expect(events.find(({ type }) => type === 'end-requested')?.data).toEqual({ reason: 'quota_exceeded' });
    expect((await server.store.quotas.get(tenant.organizationId, tenant.userId))?.usage.usedMs).toBe(run.durationMs);

    expect((await call(tenant, agent, longCall)).ending).toMatchObject({ type: 'closed', code: 1008, reason: 'Quota exceeded' });
    expect(await server.runsOf(agent)).toHaveLength(1);
    await waitUntil('the refusal', async () => (await server.refusalsOf(agent)).length === 1);
    expect(await server.refusalsOf(agent)).toEqual([{ closeCode: 1008, reason: 'Quota exceeded' }]);
  }, 60_000);

  it('that is lowered during a call ends it at the next beat', async () => {
    const tenant = await server.createTenant();
    const agent = await server.createAgent({ tenant, settings: quietSettings });
    const calling = call(tenant, agent, longCall);
    await server.waitForRun(agent, ({ state }) => state === 'running');
    await server.store.quotas.put(tenant.organizationId, tenant.userId, { period: 'month', minutes: 0, runs: null });
    await expectGoodbye(await calling, await server.endedRun(agent));
  }, 60_000);

  it('is shared by calls that are live at once', async () => {
    const tenant = await server.createTenant();
    const agent = await server.createAgent({ tenant, settings: quietSettings });
    // Alone, either call would have 24 s.
    await server.store.quotas.put(tenant.organizationId, tenant.userId, { period: 'day', minutes: 0.4, runs: null });
    const calls = await Promise.all([call(tenant, agent, longCall), call(tenant, agent, longCall), call(tenant, agent, longCall)]);
    await waitUntil('the end of all runs', async () => (await server.runsOf(agent)).every(hasEnded));
    const runs = await server.runsOf(agent);
    for (const run of runs) {
      await expectGoodbye(calls.find(({ session }) => session === run.sessionId)!, run);
      expect(run.durationMs).toBeLessThan(22_000);
    }
    const usedMs = runs.reduce((sum, run) => sum + (run.durationMs ?? 0), 0);
    expect((await server.store.quotas.get(tenant.organizationId, tenant.userId))?.usage).toMatchObject({ usedMs, runs: 3 });
  }, 60_000);
});

/** A stream that shakes hands as soon as it is open, and how that went. */
async function race(at: CallServer, tenant: CallTenant, agent: Agent): Promise<{ carrier: StreamCarrier; outcome: string }> {
  const carrier = await openCarrier(at.streamUrl(agent.uuid));
  server.cloudonix.addSession(tenant.domain, carrier.session);
  carrier.send(connected, startMessage(carrier.session, tenant.domain));
  carrier.talk();
  const refused = carrier.closed.then(({ code, reason }) => `${code} ${reason}`);
  const outcome = await Promise.race([carrier.heard().then(() => 'answered', () => refused), refused]);
  return { carrier, outcome };
}

/** Lets `RACE` callers in at once, hangs up, and returns how many had which outcome. */
async function raceAll(nodes: readonly CallServer[], tenant: CallTenant, agent: Agent): Promise<Record<string, number>> {
  const callers = await Promise.all(Array.from({ length: RACE }, (_, index) => race(nodes[index % nodes.length]!, tenant, agent)));
  for (const { carrier } of callers) {
    if (carrier.socket.readyState === carrier.socket.OPEN) carrier.send(stop);
    carrier.socket.close();
  }
  await Promise.all(callers.map(({ carrier }) => carrier.closed));
  return callers.reduce<Record<string, number>>((counts, { outcome }) => ({ ...counts, [outcome]: (counts[outcome] ?? 0) + 1 }), {});
}

describe('30 calls at once', () => {
  const refusal = '1008 Concurrent call limit reached';

  async function expectFreed(agent: Agent, tenant: CallTenant): Promise<void> {
    await waitUntil('the end of all runs', async () => (await server.runsOf(agent)).every(hasEnded));
    expect((await server.store.quotas.usage(tenant.organizationId)).liveCalls).toBe(0);
  }

  it('are answered up to the organization’s limit, and again when those have ended', async () => {
    const tenant = await server.createTenant();
    const agent = await server.createAgent({ tenant });
    await server.store.accounts.updateOrganization(tenant.organizationId, { concurrentCalls: LIMIT });
    for (let round = 1; round <= 2; round += 1) {
      expect(await raceAll([server], tenant, agent)).toEqual({ answered: LIMIT, [refusal]: RACE - LIMIT });
      await expectFreed(agent, tenant);
      expect(await server.runsOf(agent)).toHaveLength(LIMIT * round);
      await waitUntil('the refusals', async () => (await server.refusalsOf(agent)).length >= (RACE - LIMIT) * round);
    }
  });

  it('are answered up to the agent’s limit', async () => {
    const tenant = await server.createTenant();
    const agent = await server.createAgent({ tenant, settings: { limits: { concurrent_calls: LIMIT } } });
    expect(await raceAll([server], tenant, agent)).toEqual({ answered: LIMIT, [refusal]: RACE - LIMIT });
    await expectFreed(agent, tenant);
  });

  it('are answered up to the limit over all nodes together', async () => {
    const tenant = await server.createTenant();
    const agent = await server.createAgent({ tenant });
    await server.store.accounts.updateOrganization(tenant.organizationId, { concurrentCalls: LIMIT });
    expect(await raceAll([server, other], tenant, agent)).toEqual({ answered: LIMIT, [refusal]: RACE - LIMIT });
    await expectFreed(agent, tenant);
  });

  it('are answered up to the quota of runs', async () => {
    const tenant = await server.createTenant();
    const agent = await server.createAgent({ tenant });
    await server.store.quotas.put(tenant.organizationId, tenant.userId, { period: 'day', minutes: null, runs: LIMIT });
    expect(await raceAll([server], tenant, agent)).toEqual({ answered: LIMIT, '1008 Quota exceeded': RACE - LIMIT });
    await expectFreed(agent, tenant);
    expect(await server.runsOf(agent)).toHaveLength(LIMIT);
    expect((await race(server, tenant, agent)).outcome).toBe('1008 Quota exceeded');
  });
});
