import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { exchangeRaw, upgradeRequest } from '../support/raw-stream.js';
import { openCarrier, placeStream, UpgradeRefused } from '../support/stream-carrier.js';

let server: CallServer;
let url: string;
let agentUuid: string;
beforeAll(async () => {
  // Each case comes from an address of its own, or they would use up each other's misses.
  server = await startCallServer({ env: { AGENT_STREAM_TRUST_PROXY: 'true' } });
  agentUuid = (await server.createAgent()).uuid;
  url = server.streamUrl(agentUuid);
});
afterAll(() => server.stop());

/** Status and problem code of a raw exchange. */
function read(answer: string): { status: number; code: string | undefined; head: string } {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  const isProblem = head.toLowerCase().includes('application/problem+json');
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]), code: isProblem ? (JSON.parse(body) as { code: string }).code : undefined, head };
}

/** What an upgrade is answered with in place of a WebSocket. */
async function refusalOf(target: string, headers: Readonly<Record<string, string>> = {}): Promise<{ status: number; code: unknown; headers: Readonly<Record<string, unknown>> }> {
  const refused = await openCarrier(target, { headers }).then(
    (carrier) => {
      carrier.socket.close();
      throw new Error('The upgrade was taken');
    },
    (error: unknown) => error,
  );
  if (!(refused instanceof UpgradeRefused)) throw refused;
  const problem = JSON.parse(refused.body) as { code: unknown };
  expect(refused.body).not.toContain(agentUuid);
  return { status: refused.status, code: problem.code, headers: refused.headers };
}

let addresses = 0;
const fromNewAddress = () => ({ 'x-forwarded-for': `203.0.113.${(addresses += 1)}` });

describe('what is no WebSocket handshake is answered over HTTP, and the server lives on', () => {
  it.each<[string, (target: string) => string, number, string]>([
    ['no upgrade at all', (target) => upgradeRequest(target).replace('Upgrade: websocket', 'X-A: b').replace('Connection: Upgrade', 'Connection: close'), 426, 'upgrade-required'],
    ['an upgrade to something else', (target) => upgradeRequest(target).replace('websocket', 'h2c'), 426, 'upgrade-required'],
    ['a POST', (target) => upgradeRequest(target).replace('GET', 'POST').replace('\r\n\r\n', '\r\nContent-Length: 0\r\n\r\n'), 426, 'upgrade-required'],
    ['HTTP/1.0', (target) => upgradeRequest(target, [], '1.0'), 426, 'upgrade-required'],
    ['WebSocket version 12', (target) => upgradeRequest(target).replace('Version: 13', 'Version: 12'), 400, 'invalid-request'],
    ['no key', (target) => upgradeRequest(target).replace(/Sec-WebSocket-Key: .*\r\n/, ''), 400, 'invalid-request'],
    ['a key of the wrong length', (target) => upgradeRequest(target).replace(/Key: .*\r\n/, 'Key: YWJj\r\n'), 400, 'invalid-request'],
    ['a header of 64 kB', (target) => upgradeRequest(target, [`X-Large: ${'x'.repeat(65_536)}`]), 431, 'invalid-request'],
    ['Content-Length beside Transfer-Encoding', (target) => upgradeRequest(target, ['Content-Length: 5', 'Transfer-Encoding: chunked']), 400, 'invalid-request'],
    ['no HTTP', () => 'hello\r\n\r\n', 400, 'invalid-request'],
  ])('%s', async (_name, request, status, code) => {
    const answer = read(await exchangeRaw(url, request(url)));
    expect([answer.status, answer.code]).toEqual([status, code]);
    expect((await fetch(`${server.node.url}/healthz`)).status).toBe(200);
  });

  it('a hundred headers are nothing to object to', async () => {
    const headers = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`x-header-${index}`, 'x']));
    const carrier = await openCarrier(url, { headers: { ...headers, ...fromNewAddress() } });
    carrier.socket.close();
    expect((await carrier.closed).code).toBe(1005);
  });

  it('an upgrade that asks for compression gets none', async () => {
    const answer = exchangeRaw(url, upgradeRequest(url, ['Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits']) + '\x88\x80\x00\x00\x00\x00');
    const { status, head } = read(await answer);
    expect(status).toBe(101);
    expect(head).not.toMatch(/extensions/i);
  });
});

describe('which agent a path names', () => {
  it.each([
    ['nothing', () => '/api/v1/agent-stream/'],
    ['an empty segment', (uuid: string) => `/api/v1/agent-stream//${uuid}`],
    ['too many segments', (uuid: string) => `/api/v1/agent-stream/cloudonix/${uuid}/${'A'.repeat(22)}/more`],
    ['the prefix in upper case', (uuid: string) => `/API/v1/agent-stream/${uuid}`],
    ['dots around the prefix', (uuid: string) => `/api/v1/x/../agent-stream/${uuid}`],
    ['a URL of 9,000 characters', (uuid: string) => `/api/v1/agent-stream/${uuid}?x=${'y'.repeat(9000)}`],
  ])('%s: 404', async (_name, path) => {
    const answer = read(await exchangeRaw(url, upgradeRequest(url).replace(/^GET \S+/, `GET ${path(agentUuid)}`)));
    expect([answer.status, answer.code]).toEqual([404, 'not-found']);
  });

  it.each([
    ['not a UUID', (uuid: string) => `/api/v1/agent-stream/cloudonix/${uuid.slice(0, 35)}`],
    ['an encoded UUID', (uuid: string) => `/api/v1/agent-stream/cloudonix/%${uuid.charCodeAt(0).toString(16)}${uuid.slice(1)}`],
    ['a null byte', (uuid: string) => `/api/v1/agent-stream/cloudonix/${uuid}%00`],
    ['encoded dots', () => '/api/v1/agent-stream/cloudonix/..%2f..%2fagents'],
    ['a statement', () => "/api/v1/agent-stream/cloudonix/';DROP%20TABLE%20agents;--"],
    ['a UUID within more', (uuid: string) => `/api/v1/agent-stream/cloudonix/x${uuid}`],
  ])('%s: Agent not found, and no UUID in the log', async (_name, path) => {
    const target = `${server.node.url.replace(/^http/, 'ws')}${path(agentUuid)}`;
    const carrier = await openCarrier(target, { headers: fromNewAddress() });
    expect(await carrier.closed).toEqual({ code: 1008, reason: 'Agent not found' });
    expect(server.logLines.join('')).not.toContain(agentUuid);
  });

  it.each<[string, (uuid: string) => string]>([
    ['upper case', (uuid) => server.streamUrl(uuid.toUpperCase())],
    ['a trailing slash', (uuid) => server.streamUrl(`${uuid}/`)],
    ['a provider in mixed case, path form,', (uuid) => server.streamUrl(uuid, { provider: 'Cloudonix' })],
    ['a provider in mixed case, query form,', (uuid) => server.streamUrl(uuid, { provider: 'CLOUDONIX', form: 'query' })],
    ['a trailing slash, query form,', (uuid) => server.streamUrl(`${uuid}/`, { form: 'query' })],
  ])('%s is that agent', async (_name, urlOf) => {
    const agent = await server.createAgent();
    const carrier = await placeStream(server, urlOf(agent.uuid));
    await carrier.heard();
    carrier.socket.close();
    await server.endedRun(agent);
  });
});

describe('what is turned away before the WebSocket exists', () => {
  it('is a browser: it sends an Origin', async () => {
    expect(await refusalOf(url, { origin: 'https://evil.example', ...fromNewAddress() })).toMatchObject({ status: 403, code: 'not-allowed' });
  });

  it('is an address that guesses UUIDs, while the agents it knows go on being called', async () => {
    const guesser = fromNewAddress();
    const outcomes: number[] = [];
    for (let count = 0; count < 25; count += 1) {
      outcomes.push(
        await openCarrier(server.streamUrl(randomUUID()), { headers: guesser }).then(
          async (carrier) => (await carrier.closed).code,
          (error: unknown) => (error instanceof UpgradeRefused ? error.status : 0),
        ),
      );
    }
    // A window may end in between.
    expect(new Set(outcomes.slice(0, 20))).toEqual(new Set([1008]));
    expect(outcomes.filter((outcome) => outcome === 429).length).toBeGreaterThan(0);
    const known = await openCarrier(url, { headers: guesser });
    known.socket.close();
    const limited = await untilLimited(guesser);
    expect(limited).toMatchObject({ status: 429, code: 'rate-limited' });
    expect(limited.headers['retry-after']).toMatch(/^\d+$/);
  });

  it('is everything while the node drains: 503 with Retry-After; calls go on', async () => {
    const draining = await startCallServer({ database: server.database });
    const agent = await draining.createAgent();
    const call = await placeStream(draining, draining.streamUrl(agent.uuid));
    await call.heard();
    const stopNow = new AbortController();
    const drained = draining.node.drain(stopNow.signal);
    const refusal = await refusalOf(draining.streamUrl(agent.uuid));
    expect(refusal).toMatchObject({ status: 503, code: 'node-draining' });
    expect(refusal.headers['retry-after']).toMatch(/^\d+$/);
    expect(call.socket.readyState).toBe(call.socket.OPEN);
    call.socket.close();
    await drained;
    expect(await draining.endedRun(agent)).toMatchObject({ endReason: 'caller_hangup' });
    await draining.stop();
  });
});

/** Guesses until the address is limited. */
async function untilLimited(headers: Readonly<Record<string, string>>) {
  for (let count = 0; count < 50; count += 1) {
    const carrier = await openCarrier(server.streamUrl(randomUUID()), { headers }).catch((error: unknown) => error);
    if (carrier instanceof UpgradeRefused) return { status: carrier.status, code: (JSON.parse(carrier.body) as { code: unknown }).code, headers: carrier.headers };
  }
  throw new Error('The address was never limited');
}

it('counts what it turns away, by error code', async () => {
  const metrics = await (await fetch(`${server.node.url}/metrics`)).text();
  for (const reason of ['not-allowed', 'rate-limited', 'agent-not-found', 'invalid-request']) {
    expect(metrics).toMatch(new RegExp(`agent_stream_handshake_rejections_total\\{reason="${reason}"\\} [1-9]`));
  }
});
