import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { FRAME_MS } from '../../src/audio/frame.js';
import { defaultDocument } from '../../src/workflow/default-document.js';
import { hasEnded, startCallServer, type CallServer } from '../support/call-server.js';
import { startFakeDeepgram, type FakeDeepgram } from '../support/fakes/deepgram.js';
import { connected, openCarrier, placeStream, startMessage, UpgradeRefused, type StreamCarrier } from '../support/stream-carrier.js';
import { waitUntil } from '../support/wait-for.js';

/** Bounds of src/http/agent-stream-gate.ts, src/call/agent-cache.ts and src/call/warm-ups.ts. */
const MISSES_PER_WINDOW = 20;
const WINDOW_MS = 10_000;
const PENDING_PER_AGENT = 100;
const PENDING_PER_ADDRESS_AND_AGENT = 75;
const FAILURES_PER_ADDRESS = 50;
const WARM_UPS_PER_AGENT = 16;

let server: CallServer;
let deepgram: FakeDeepgram;
beforeAll(async () => {
  deepgram = await startFakeDeepgram();
  server = await startCallServer({
    env: {
      AGENT_STREAM_TRUST_PROXY: 'true',
      AGENT_STREAM_MAX_CALLS: '1000',
      DEEPGRAM_API_KEY: 'a-deepgram-key-0123456789',
      DEEPGRAM_BASE_URL: deepgram.httpUrl,
    },
  });
  // The endpoint's own bounds are shown, not the organization's.
  await server.store.accounts.updateOrganization(server.tenant.organizationId, { concurrentCalls: 1000 });
});
afterAll(async () => {
  await server.stop();
  await deepgram.close();
});

/** A socket, or the HTTP status the upgrade was answered with. */
const attempt = (url: string, headers: Readonly<Record<string, string>> = {}): Promise<StreamCarrier | number> =>
  openCarrier(url, { headers }).catch((error: unknown) => {
    if (error instanceof UpgradeRefused) return error.status;
    throw error;
  });

/** What becomes of `count` upgrades, `atOnce` at a time. */
async function flood(count: number, atOnce: number, url: (index: number) => string, headers: (index: number) => Readonly<Record<string, string>> = () => ({})) {
  const outcomes: (StreamCarrier | number)[] = [];
  for (let begun = 0; begun < count; begun += atOnce) {
    const batch = Array.from({ length: Math.min(atOnce, count - begun) }, (_, index) => attempt(url(begun + index), headers(begun + index)));
    outcomes.push(...(await Promise.all(batch)));
  }
  const sockets = outcomes.filter((outcome): outcome is StreamCarrier => typeof outcome !== 'number');
  return { sockets, statuses: new Set(outcomes.filter((outcome) => typeof outcome === 'number')) };
}

/** Closes every socket and waits until its run has ended. */
async function disperse(agent: Parameters<CallServer['runsOf']>[0], sockets: readonly StreamCarrier[]) {
  for (const { socket } of sockets) socket.close();
  await waitUntil('the runs to end', async () => (await server.runsOf(agent)).every(hasEnded));
}

/** An agent that goes on for half a minute. */
const talkative = {
  ...defaultDocument,
  nodes: defaultDocument.nodes.map((node) =>
    node.id === 'start' ? { ...node, data: { ...node.data, greeting: 'One moment, please, while I tell you all that we have to offer. '.repeat(12) } } : node,
  ),
};

it('2,000 unknown UUIDs cost no query after the first misses, and a call in progress goes on playing', async () => {
  const agent = await server.createAgent({ workflow: talkative });
  const call = await placeStream(server, server.streamUrl(agent.uuid));
  await call.heard();
  const heardMs = () => call.received.filter(({ event }) => event === 'media').length * FRAME_MS;

  const before = { queries: server.store.queryCount(), heardMs: heardMs(), atMs: systemClock.nowMs() };
  const { sockets, statuses } = await flood(2000, 50, (index) =>
    server.streamUrl(randomUUID(), index % 2 === 0 ? {} : { form: 'query', query: 'Domain=acme&callId=1' }),
  );
  const elapsedMs = systemClock.nowMs() - before.atMs;
  const queries = server.store.queryCount() - before.queries;
  const playedMs = heardMs() - before.heardMs;

  const windows = 1 + Math.ceil(elapsedMs / WINDOW_MS);
  expect(statuses).toEqual(new Set([429]));
  expect(sockets.length).toBeGreaterThan(0);
  expect(sockets.length).toBeLessThanOrEqual(windows * MISSES_PER_WINDOW);
  expect(new Set(await Promise.all(sockets.map(async ({ closed }) => (await closed).code)))).toEqual(new Set([1008]));
  // Besides the misses: heartbeats, sweeps and the call's own events, a few per second.
  expect(queries).toBeLessThanOrEqual(windows * MISSES_PER_WINDOW + 20 + (elapsedMs / 1000) * 10);
  expect(call.socket.readyState).toBe(call.socket.OPEN);
  // The flood shares this process with the server, so that frames are late at either end; none may be lost.
  expect(playedMs).toBeGreaterThan(0.6 * elapsedMs);
  await disperse(agent, [call]);
});

it('sockets without a handshake mint no more runs than may wait, open nothing at a vendor, and leave no slot taken', async () => {
  const settings = { models: { stt: { vendor: 'deepgram' }, llm: { vendor: 'builtin' }, tts: { vendor: 'builtin' } } };
  const agent = await server.createAgent({ settings });
  const { sockets, statuses } = await flood(300, 50, () => server.streamUrl(agent.uuid), (index) => ({ 'x-forwarded-for': `203.0.113.${index % 10}` }));
  expect(sockets).toHaveLength(PENDING_PER_AGENT);
  expect(statuses).toEqual(new Set([429]));
  await waitUntil('the runs to be minted', async () => (await server.runsOf(agent)).length === PENDING_PER_AGENT);
  expect(deepgram.connections).toHaveLength(0);

  await disperse(agent, sockets);
  const runs = await server.runsOf(agent);
  expect(runs).toHaveLength(PENDING_PER_AGENT);
  expect(new Set(runs.map(({ endReason }) => endReason))).toEqual(new Set(['handshake_error']));
  const usage = await server.store.quotas.usage(server.tenant.organizationId);
  expect(usage.liveCalls).toBe(0);

  // The agent can be called again at once.
  const call = await placeStream(server, server.streamUrl(agent.uuid));
  await call.heard();
  await disperse(agent, [call]);
});

it('who holds all the places that an address may have keeps no real call out', async () => {
  const tenant = await server.createTenant();
  const agent = await server.createAgent({ tenant });
  await server.store.accounts.updateOrganization(tenant.organizationId, { concurrentCalls: 1000 });
  const holder = { 'x-forwarded-for': '203.0.113.77' };
  const { sockets, statuses } = await flood(120, 30, () => server.streamUrl(agent.uuid), () => holder);
  expect(sockets).toHaveLength(PENDING_PER_ADDRESS_AND_AGENT);
  expect(statuses).toEqual(new Set([429]));
  const call = await placeStream(server, server.streamUrl(agent.uuid), { tenant });
  await call.heard();
  await disperse(agent, [...sockets, call]);
});

it('forged starts open few connections at a vendor, and an address that goes on is stopped for that agent', async () => {
  const tenant = await server.createTenant();
  const settings = { models: { stt: { vendor: 'deepgram' }, llm: { vendor: 'builtin' }, tts: { vendor: 'builtin' } } };
  const agent = await server.createAgent({ tenant, settings });
  const before = deepgram.connections.length;
  server.cloudonix.setBehaviour('get-session', [{ type: 'hang' }], { forever: true });
  const forger = { 'x-forwarded-for': '203.0.113.99' };
  const { sockets, statuses } = await flood(40, 40, () => server.streamUrl(agent.uuid), () => forger);
  expect(statuses).toEqual(new Set());
  for (const carrier of sockets) carrier.send(connected, startMessage(carrier.session, tenant.domain));
  expect(new Set(await Promise.all(sockets.map(async ({ closed }) => (await closed).reason)))).toEqual(new Set(['Session validation failed']));
  expect(deepgram.connections.length - before).toBeGreaterThan(0);
  expect(deepgram.connections.length - before).toBeLessThanOrEqual(WARM_UPS_PER_AGENT);
  server.cloudonix.setBehaviour('get-session', []);

  let refused = 0;
  for (let count = 0; count < FAILURES_PER_ADDRESS * 3 && refused === 0; count += 1) {
    const outcome = await attempt(server.streamUrl(agent.uuid), forger);
    if (typeof outcome === 'number') refused = outcome;
    else {
      outcome.socket.close();
      await outcome.closed;
    }
  }
  expect(refused).toBe(429);
  expect((await server.runsOf(agent)).length).toBeLessThanOrEqual(3 * FAILURES_PER_ADDRESS);
  const call = await placeStream(server, server.streamUrl(agent.uuid), { tenant });
  await call.heard();
  await disperse(agent, [call]);
});
