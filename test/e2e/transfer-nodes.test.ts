import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { placeStream, stop } from '../support/stream-carrier.js';
import { edge, node } from '../support/workflow-call.js';

/** Holds the call. Its public URL, as a balancer's may, leads to the other. */
let holder: CallServer;
let other: CallServer;
beforeAll(async () => {
  other = await startCallServer();
  holder = await startCallServer({ database: other.database, env: { AGENT_STREAM_PUBLIC_URL: other.node.url } });
}, 60_000);
afterAll(async () => {
  await holder.stop();
  await other.stop();
});

/** A caller who presses 1 is handed over, once the destination has answered. */
const warmTransfer = {
  nodes: [
    node('start', 'startCall', { greeting: 'Press one for a person.' }),
    node('transfer', 'transferCall', { destination: '+12125550123', mode: 'warm', timeout_seconds: 10, message: 'One moment.' }),
    node('end', 'endCall'),
  ],
  edges: [edge('start', 'transfer', { when: { digits: '1' } }), edge('start', 'end')],
};

it.each([
  ['joins', 'join', 'transfer-completed'],
  ['is busy', 'busy', 'transfer-failed'],
] as const)('a warm transfer whose destination %s hears of it through a node that does not hold the call', async (_name, outcome, ending) => {
  holder.cloudonix.setDialOutcome(outcome);
  const agent = await holder.createAgent({ workflow: warmTransfer });
  const carrier = await placeStream(holder, holder.streamUrl(agent.uuid));
  const forget = holder.cloudonix.on('application', () => carrier.send(stop));
  await carrier.heard();
  carrier.talk();
  const startedAtMs = performance.now();
  carrier.send({ event: 'dtmf', dtmf: { track: 'inbound', digit: '1' } });
  const run = await holder.waitForRun(agent, ({ state }) => state === 'running' || state === 'completed');
  await expect.poll(async () => (await holder.eventsOf(run)).map(({ type }) => type), { timeout: 9000 }).toContain(ending);
  // The callback was heard, not the time-out of the transfer.
  expect(performance.now() - startedAtMs).toBeLessThan(9000);
  const [dial] = holder.cloudonix.requests.filter(({ operation }) => operation === 'dial').slice(-1);
  expect(dial?.body).toMatchObject({ callback: expect.stringContaining(`${other.node.url}/api/v1/telephony-callbacks/cloudonix/transfer/`) as unknown });
  if (outcome === 'busy') carrier.send(stop);
  await carrier.closed;
  forget();
  expect((await holder.endedRun(agent)).endReason).toBe(outcome === 'join' ? 'transferred' : 'caller_hangup');
});
