import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hasEnded, startCallServer, type CallServer } from '../support/call-server.js';
import { media, placeStream, stop } from '../support/stream-carrier.js';
import { waitUntil } from '../support/wait-for.js';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';
import { ringBack } from '../../src/audio/ring-back.js';
import type { Run } from '../../src/store/store.js';

let receiver: WebhookReceiver;
let server: CallServer;
beforeAll(async () => {
  receiver = await startWebhookReceiver();
  server = await startCallServer({ env: { AGENT_STREAM_ALLOW_PRIVATE_NETWORKS: 'true' } });
});
afterAll(async () => {
  await server.stop();
  await receiver.close();
});
beforeEach(() => {
  receiver.received.length = 0;
});

const answerWith = (body: unknown, status = 200) =>
  receiver.answer((_message, response) => void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)));

/** A call of an agent that fetches; it ends once its greeting was heard. */
async function holdCall(data: Readonly<Record<string, unknown>> = {}): Promise<{ run: Run; greeting: string; asked: Readonly<Record<string, unknown>> | null; event: Readonly<Record<string, unknown>> | undefined }> {
  const start = { name: 'Start', prompt: 'Help.', greeting: 'Hello {{name | stranger}}.', pre_call_fetch_mode: 'always', pre_call_fetch_url: `${receiver.url}/who`, ...data };
  const tenant = await server.createTenant();
  const agent = await server.createAgent({ tenant, workflow: { nodes: [{ id: 's', type: 'startCall', data: start }], edges: [] }, variables: { tier: 'none' } });
  const carrier = await placeStream(server, server.streamUrl(agent.uuid), { tenant });
  const live = await server.waitForRun(agent, ({ state }) => state === 'running');
  const said = async () => (await server.eventsOf(live)).find(({ type }) => type === 'agent-said');
  await waitUntil('the greeting to be heard', async () => (await said()) !== undefined);
  carrier.send(media(), stop);
  await carrier.closed;
  const run = await server.waitForRun(agent, hasEnded);
  const events = await server.eventsOf(run);
  const body = receiver.received[0]?.body;
  return {
    run,
    greeting: String((await said())?.data['text']),
    asked: body === undefined ? null : (JSON.parse(body) as Readonly<Record<string, unknown>>),
    event: events.find(({ type }) => type.startsWith('pre-call-'))?.data,
  };
}

describe('a call whose agent fetches before it begins', () => {
  it('begins with what the answer holds; nothing replaces what the call is', async () => {
    answerWith({ name: 'Ada', tier: 'gold', caller_number: '+10', direction: 'outbound', customer: { city: 'Paris' }, ['__proto__']: { polluted: true }, constructor: 'x' });
    const { run, greeting, asked, event } = await holdCall();
    expect(greeting).toBe('Hello Ada.');
    expect(asked).toMatchObject({ event: 'call_inbound', call_inbound: { agent_id: run.agentUuid, from_number: '+12025550143' }, caller_number: '+12025550143', run_id: run.id, direction: 'inbound' });
    expect(asked?.['session']).toBe(run.sessionId);
    expect(run.initialContext).toMatchObject({ name: 'Ada', tier: 'gold', customer: { city: 'Paris' }, caller_number: '+12025550143', direction: 'inbound' });
    expect(Object.keys(run.initialContext)).not.toContain('constructor');
    expect(event).toMatchObject({ variables: ['name', 'tier', 'customer'], has_greeting: false });
    expect(event?.['took_ms']).toBeLessThan(10_000);
  });

  it('is greeted in the answer’s words, as they are filled in', async () => {
    answerWith({ greeting: 'Welcome back, {{name}}.', dynamic_variables: { name: 'Grace' } });
    const { run, greeting } = await holdCall();
    expect(greeting).toBe('Welcome back, Grace.');
    expect(run.initialContext).not.toHaveProperty('greeting');
  });

  it.each<[string, () => void, RegExp]>([
    ['fails', () => answerWith({ name: 'Ada' }, 500), /status 500/],
    ['is no object', () => answerWith(['Ada']), /no JSON object/],
    ['is too large', () => answerWith({ name: 'x'.repeat(70_000) }), /larger than/],
    ['breaks off', () => receiver.answer((_message, response) => void response.destroy()), /no connection/],
  ])('goes on without an answer that %s', async (_name, prepare, message) => {
    prepare();
    const { run, greeting, event } = await holdCall();
    expect(greeting).toBe('Hello stranger.');
    expect(event?.['message']).toMatch(message);
    expect(run).toMatchObject({ state: 'completed', endReason: 'caller_hangup' });
  });

  it.each([
    ['rings for a caller who waits, until the greeting', 'inbound', true],
    ['is silent for somebody who was called', 'outbound-api', false],
  ])('%s', async (_name, direction, rings) => {
    const answers: (() => void)[] = [];
    receiver.answer((_message, response) => void answers.push(() => response.writeHead(200, { 'content-type': 'application/json' }).end('{"name":"Ada"}')));
    const tenant = await server.createTenant();
    const start = { name: 'Start', prompt: 'Help.', greeting: 'Hello {{name}}.', pre_call_fetch_mode: 'always', pre_call_fetch_url: `${receiver.url}/who` };
    const agent = await server.createAgent({ tenant, workflow: { nodes: [{ id: 's', type: 'startCall', data: start }], edges: [] } });
    const carrier = await placeStream(server, server.streamUrl(agent.uuid), { tenant, start: { context: direction } });
    await waitUntil('the request', () => answers.length > 0);
    const mediaFrames = () => carrier.received.filter(({ event }) => event === 'media').map((message) => Buffer.from((message['media'] as { payload: string }).payload, 'base64'));
    if (rings) await waitUntil('the ring', () => mediaFrames().length >= 10);
    else await server.waitForRun(agent, ({ sessionId }) => sessionId !== null).then(() => new Promise((resolve) => setTimeout(resolve, 800)));
    const heardBefore = Buffer.concat(mediaFrames());
    expect(heardBefore.equals(Buffer.from(ringBack.subarray(0, heardBefore.length)))).toBe(true);
    expect(heardBefore.length > 0).toBe(rings);
    answers[0]?.();
    const live = await server.waitForRun(agent, ({ state }) => state === 'running');
    await waitUntil('the greeting to be heard', async () => (await server.eventsOf(live)).some(({ type }) => type === 'agent-said'));
    expect(carrier.received.filter(({ event }) => event === 'clear')).toHaveLength(rings ? 1 : 0);
    carrier.send(media(), stop);
    await carrier.closed;
    expect((await server.endedRun(agent)).endReason).toBe('caller_hangup');
  });

  it('of another direction is not asked about', async () => {
    const { asked, event } = await holdCall({ pre_call_fetch_mode: 'outbound' });
    expect(asked).toBeNull();
    expect(event).toBeUndefined();
  });
});
