import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { webhookPayloadSchema, type WebhookPayload } from '../../src/after-call/webhook-payload.js';
import { startFakeCloudonix, type FakeCloudonix } from '../../src/simulator/fake-cloudonix.js';
import { SIMULATOR_BEARER_TOKEN, SIMULATOR_DOMAIN } from '../../src/simulator/place-call.js';
import { createAgent, createSimulatorConfig, liveCalls, runsOf, send, startCall } from '../support/installation.js';
import { buildProgram, disposeProcesses, signalDatabase, startServerProcess, type ServerProcess } from '../support/server-process.js';
import { settle, waitUntil } from '../support/wait-for.js';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';

const CALLS = 3;

let cloudonix: FakeCloudonix;
let receiver: WebhookReceiver;
beforeAll(async () => {
  await buildProgram();
  cloudonix = await startFakeCloudonix({ domains: { [SIMULATOR_DOMAIN]: { bearerToken: SIMULATOR_BEARER_TOKEN } } });
  receiver = await startWebhookReceiver();
}, 120_000);
afterAll(async () => {
  await disposeProcesses();
  await receiver.close();
  await cloudonix.close();
});
beforeEach(() => {
  receiver.received.length = 0;
  receiver.answer((_message, response) => void response.writeHead(204).end());
});

const env = () => ({ CLOUDONIX_API_BASE_URL: cloudonix.baseUrl, AGENT_STREAM_ALLOW_PRIVATE_NETWORKS: 'true' });

async function createEndpoint(url: string, path: string): Promise<string> {
  return String((await send(url, 'POST', '/api/v1/webhook-endpoints', { body: { url: `${receiver.url}${path}` } })).json['secret']);
}

/** Messages to a path by their `webhook-id`; every one is signed. */
function messagesTo(path: string, secret: string): ReadonlyMap<string, WebhookPayload> {
  const messages = receiver.received.filter((message) => message.path === path);
  return new Map(messages.map(({ headers, body }) => [headers['webhook-id']!, webhookPayloadSchema.parse(new Webhook(secret).verify(body, headers))]));
}

const typesOf = (messages: ReadonlyMap<string, WebhookPayload>) => [...messages.values()].map(({ type }) => type).sort();

describe('kill -9 of a server with its embedded database', () => {
  it('during calls loses no webhook of theirs: one each, from the next start', async () => {
    const former = await startServerProcess({ env: env() });
    await createSimulatorConfig(former.url);
    const secret = await createEndpoint(former.url, '/killed');
    const agentUuid = await createAgent(former.url);
    const calls = Array.from({ length: CALLS }, () => startCall(former.url, agentUuid, 'wait: 60s', { cloudonix }));
    await waitUntil('the starts', () => messagesTo('/killed', secret).size === CALLS);
    former.kill('SIGKILL');
    await former.exited();
    const server = await startServerProcess({ dataDir: former.dataDir, env: env() });
    await waitUntil('the ends', () => messagesTo('/killed', secret).size === 2 * CALLS);
    await settle(1_000);
    const messages = messagesTo('/killed', secret);
    expect(typesOf(messages)).toEqual([...Array<string>(CALLS).fill('run.failed'), ...Array<string>(CALLS).fill('run.started')]);
    const failed = [...messages.values()].filter(({ type }) => type === 'run.failed').map(({ data }) => data.run);
    expect(new Set(failed.map((run) => run?.id))).toEqual(new Set((await runsOf(server.url, agentUuid)).map(({ id }) => id)));
    for (const run of failed) expect(run).toMatchObject({ end_reason: 'node_lost', state: 'failed' });
    for (const call of calls) await call.ended;
    await server.stop();
  }, 120_000);

  it('during an attempt has it made again, by the same id', async () => {
    const former = await startServerProcess({ env: env() });
    const secret = await createEndpoint(former.url, '/attempt');
    receiver.answer(() => undefined);
    const { items = [] } = (await send(former.url, 'GET', '/api/v1/webhook-endpoints')).json;
    expect((await send(former.url, 'POST', `/api/v1/webhook-endpoints/${String(items[0]?.['id'])}/test`)).status).toBe(202);
    await waitUntil('the attempt', () => receiver.received.length === 1);
    former.kill('SIGKILL');
    await former.exited();
    receiver.answer((_message, response) => void response.writeHead(204).end());
    const startMs = performance.now();
    const server = await startServerProcess({ dataDir: former.dataDir, env: env() });
    await waitUntil('the second attempt', () => receiver.received.length === 2, 60_000);
    process.stdout.write(`kill -9 during an attempt: made again ${((performance.now() - startMs) / 1000).toFixed(1)} s after the next start\n`);
    expect(typesOf(messagesTo('/attempt', secret))).toEqual(['endpoint.test']);
    await server.stop();
  }, 120_000);
});

describe('a database that is frozen, and one that is killed', () => {
  let server: ServerProcess;
  it('delays webhooks and loses none', async () => {
    server = await startServerProcess({ env: env() });
    await createSimulatorConfig(server.url);
    const secret = await createEndpoint(server.url, '/frozen');
    const agentUuid = await createAgent(server.url);
    const call = startCall(server.url, agentUuid, 'wait: 3s', { cloudonix });
    await waitUntil('the start', () => receiver.received.length === 1);
    await signalDatabase(server.dataDir, 'SIGSTOP');
    await call.ended;
    await settle(8_000);
    expect(receiver.received).toHaveLength(1);
    await signalDatabase(server.dataDir, 'SIGCONT');
    await waitUntil('the end', () => receiver.received.length === 2, 60_000);
    expect(typesOf(messagesTo('/frozen', secret))).toEqual(['run.ended', 'run.started']);

    await signalDatabase(server.dataDir, 'SIGKILL');
    await waitUntil('the database', async () => (await fetch(`${server.url}/readyz`)).ok, 60_000);
    await waitUntil('no live call', async () => (await liveCalls(server.url).catch(() => 1)) === 0, 60_000);
    await startCall(server.url, agentUuid, 'listen', { cloudonix, lingerMs: 0 }).ended;
    await waitUntil('both messages of the next call', () => messagesTo('/frozen', secret).size === 4, 60_000);
    expect((await server.stop()).code).toBe(0);
  }, 180_000);
});
