import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { webhookPayloadSchema } from '../../src/after-call/webhook-payload.js';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { waitUntil } from '../support/wait-for.js';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';
import { ending, mintRun } from '../contracts/store-fixtures.js';

let server: CallServer;
let receiver: WebhookReceiver;
beforeAll(async () => {
  receiver = await startWebhookReceiver();
  server = await startCallServer({ env: { AGENT_STREAM_ALLOW_PRIVATE_NETWORKS: 'true' } });
});
afterAll(async () => {
  await server.stop();
  await receiver.close();
});

describe('webhooks of a server', () => {
  it('arrive, signed, once', async () => {
    const created = await server.request('POST', '/api/v1/webhook-endpoints', { url: `${receiver.url}/hook` });
    expect(created).toMatchObject({ status: 201, json: { enabled: true } });
    const agent = await server.createAgent();
    const run = await mintRun(server.store, agent);
    await server.store.runs.markRunning(run.id);
    await server.store.runs.finalise(run.id, ending());
    await waitUntil('both messages', () => receiver.received.length >= 2);
    const messages = receiver.received.map(({ body, headers }) => webhookPayloadSchema.parse(new Webhook(String(created.json['secret'])).verify(body, headers)));
    expect(messages.map(({ type }) => type).sort()).toEqual(['run.ended', 'run.started']);
  });
});
