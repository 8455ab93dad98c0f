import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { parseConfig } from '../../src/config.js';
import { createHttpServer, refuseUpgrade } from '../../src/http/server.js';
import { startApi, type ApiTest } from './api-harness.js';

let api: ApiTest | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
});

const uuid = '7d7a0c1e-6f0e-4c50-8b4e-1d1f6f9f2a11';
const upgradeLines = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];

/** Sends raw bytes and collects what comes back until the server closes. */
function raw(url: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let received = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
    socket.once('close', () => resolve(received)).once('error', reject);
  });
}

const request = (line: string, ...headers: string[]) => [`${line} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n');
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
const codeOf = (answer: string) => (JSON.parse(answer.split('\r\n\r\n')[1] ?? '{}') as { code?: string }).code;

describe('upgrades', () => {
  it('of the stream path are handed over, of any other path refused', async () => {
    const taken: (string | undefined)[] = [];
    api = await startApi({
      onUpgrade(incoming, socket) {
        taken.push(incoming.url);
        socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
      },
    });
    expect(statusOf(await raw(api.url, request(`GET /api/v1/agent-stream/${uuid}?a=b`, ...upgradeLines)))).toBe(101);
    expect(taken).toEqual([`/api/v1/agent-stream/${uuid}?a=b`]);
    for (const path of ['/', '/api/v1/agents', '/api/v1/agent-stream', '/api/v1/agent-stream/', '/api/v1/agent-stream/?x=1', '/API/v1/agent-stream/x']) {
      const answer = await raw(api.url, request(`GET ${path}`, ...upgradeLines));
      expect([path, statusOf(answer), codeOf(answer)]).toEqual([path, 404, 'not-found']);
      expect(answer).toContain('Content-Type: application/problem+json');
    }
    expect(taken).toHaveLength(1);
  });

  it('to something else than a WebSocket, and requests without an upgrade, are answered 426', async () => {
    api = await startApi();
    const path = `/api/v1/agent-stream/cloudonix/${uuid}`;
    expect(statusOf(await raw(api.url, request(`GET ${path}`, 'Connection: Upgrade', 'Upgrade: h2c')))).toBe(426);
    expect(statusOf(await raw(api.url, request(`POST ${path}`, ...upgradeLines, 'Content-Length: 0')))).toBe(426);
    const plain = await api.request('GET', path, { key: null });
    expect([plain.status, plain.json['code'], plain.headers.get('upgrade')]).toEqual([426, 'upgrade-required', 'websocket']);
    expect(plain.text).not.toContain(uuid);
  });

  it('are answered 503 with Retry-After while draining; readiness says so; requests go on', async () => {
    api = await startApi();
    expect((await api.request('GET', '/readyz')).json).toMatchObject({ status: 'ready', calls: 3, max_calls: 100 });
    api.server.beginDrain();
    api.setDraining(true);
    const answer = await raw(api.url, request(`GET /api/v1/agent-stream/${uuid}`, ...upgradeLines));
    expect([statusOf(answer), codeOf(answer)]).toEqual([503, 'node-draining']);
    expect(answer).toMatch(/Retry-After: \d+/);
    const ready = await api.request('GET', '/readyz');
    expect([ready.status, ready.json['code'], ready.headers.get('retry-after')]).toEqual([503, 'node-draining', '5']);
    expect((await api.request('GET', '/healthz')).status).toBe(200);
    expect((await api.request('GET', '/api/v1/usage')).status).toBe(200);
  });

  it('of an endpoint that throws are answered 500, and the server lives on', async () => {
    api = await startApi({
      onUpgrade() {
        throw new Error('boom');
      },
    });
    const answer = await raw(api.url, request(`GET /api/v1/agent-stream/${uuid}`, ...upgradeLines));
    expect([statusOf(answer), codeOf(answer)]).toEqual([500, 'internal-error']);
    expect((await api.request('GET', '/healthz')).status).toBe(200);
  });

  it('that peers leave open do not keep the server from closing', async () => {
    const open: Duplex[] = [];
    api = await startApi({
      onUpgrade(_incoming, socket) {
        open.push(socket);
        socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
      },
    });
    const stuck = raw(api.url, request(`GET /api/v1/agent-stream/${uuid}`, ...upgradeLines));
    const slow = raw(api.url, 'POST /api/v1/agents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{');
    await expect.poll(() => open.length).toBe(1);
    const late = connect(Number(new URL(api.url).port), '127.0.0.1').resume();
    const lateClosed = new Promise<void>((resolve) => late.once('close', () => resolve()));
    await new Promise<void>((resolve) => late.once('connect', () => resolve()));
    const closing = api.server.close();
    late.on('error', () => undefined).write(request(`GET /api/v1/agent-stream/${uuid}`, ...upgradeLines));
    await closing;
    await Promise.all([stuck, slow, lateClosed]);
    expect(open.every((socket) => socket.destroyed)).toBe(true);
  });
});

describe('requests', () => {
  it.each<[string, string, number]>([
    ['a header of 64 kB', request('GET /healthz', `X-Large: ${'x'.repeat(65_536)}`), 431],
    ['no HTTP at all', 'hello there\r\n\r\n', 400],
    ['both Content-Length and Transfer-Encoding', request('POST /api/v1/setup', 'Content-Length: 5', 'Transfer-Encoding: chunked') + '0\r\n\r\n', 400],
    ['a line break in a header', 'GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: a\rb\r\n\r\n', 400],
  ])('with %s are refused without harm', async (_name, text, status) => {
    api = await startApi();
    const answer = await raw(api.url, text);
    expect([statusOf(answer), codeOf(answer)]).toEqual([status, 'invalid-request']);
    expect((await api.request('GET', '/healthz')).status).toBe(200);
  });

  it('of unknown paths and methods are problems too', async () => {
    api = await startApi();
    for (const path of ['/', '/api', '/api/v1', '/api/v1/nothing', '/api/v1/agents/', '/..%2f..%2fetc/passwd', `/${'a/'.repeat(500)}`]) {
      const { status, json } = await api.request('GET', path);
      expect([path, status, json['code']]).toEqual([path, 404, 'not-found']);
    }
    const wrong = await api.request('DELETE', '/api/v1/agents');
    expect([wrong.status, wrong.json['code'], wrong.headers.get('allow')]).toEqual([405, 'method-not-allowed', 'POST, GET']);
    const malformed = await api.request('GET', '/api/v1/agents/%zz');
    expect(malformed.status).toBe(400);
    expect(malformed.json['code']).toBe('invalid-request');
  });

  it('carry no framework’s name and the usual protections', async () => {
    api = await startApi();
    const { headers } = await api.request('GET', '/healthz');
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('strict-transport-security')).toBeNull();
  });

  it('are limited per address, whatever X-Forwarded-For a client makes up', async () => {
    api = await startApi({ requestsPerMinute: 10 });
    const statuses: number[] = [];
    for (let index = 0; index < 15; index += 1) {
      statuses.push((await api.request('GET', '/api/v1/openapi.json', { headers: { 'x-forwarded-for': `203.0.113.${index}` } })).status);
    }
    expect(statuses.slice(0, 10).every((status) => status === 200)).toBe(true);
    const limited = await api.request('GET', '/api/v1/usage');
    expect([limited.status, limited.json['code']]).toEqual([429, 'rate-limited']);
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await api.request('GET', '/api/v1/nothing')).status).toBe(429);
    expect((await api.request('GET', '/healthz')).status).toBe(200);
  });

  it('are told apart behind a trusted proxy', async () => {
    api = await startApi({ requestsPerMinute: 5, env: { AGENT_STREAM_TRUST_PROXY: '127.0.0.1' } });
    for (let index = 0; index < 15; index += 1) {
      const headers = { 'x-forwarded-for': `203.0.113.${index}` };
      expect((await api.request('GET', '/api/v1/usage', { headers })).status).toBe(200);
    }
  });

  it('with wrong keys are shut out after a while, those with a right key are not', async () => {
    api = await startApi();
    expect((await api.request('GET', '/api/v1/usage')).status).toBe(200);
    const statuses: number[] = [];
    for (let index = 0; index < 25; index += 1) statuses.push((await api.request('GET', '/api/v1/usage', { key: `guess-${index}` })).status);
    expect([statuses[0], statuses.at(-1)]).toEqual([401, 429]);
    expect((await api.request('GET', '/api/v1/usage')).status).toBe(200);
  });

  it('see metrics from this network only', async () => {
    api = await startApi({ env: { AGENT_STREAM_TRUST_PROXY: '127.0.0.1' } });
    const local = await api.request('GET', '/metrics', { key: null });
    expect(local.text).toContain('agent_stream_calls_active 3');
    expect(local.text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-/);
    const headers = { 'x-forwarded-for': '198.51.100.7' };
    expect((await api.request('GET', '/metrics', { key: null, headers })).status).toBe(401);
    expect((await api.request('GET', '/metrics', { headers })).status).toBe(200);
  });

  it('find the server not ready while its database does not answer', async () => {
    api = await startApi();
    vi.spyOn(api.store, 'ping').mockReturnValue(new Promise(() => undefined));
    const { status, json } = await api.request('GET', '/readyz');
    expect([status, json['code']]).toEqual([503, 'not-ready']);
    expect((await api.request('GET', '/healthz')).status).toBe(200);
  });
});

describe('TLS', () => {
  const directory = mkdtempSync(join(tmpdir(), 'agent-stream-tls-'));
  const [certFile, keyFile] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const subject = ['-subj', '/CN=localhost', '-days', '2', '-nodes'];
  const certificateTool = 'openssl';
  const made = spawnSync(certificateTool, ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', keyFile, '-out', certFile, ...subject]);

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it.skipIf(made.status !== 0)('is served from files (needs openssl to make a certificate)', async () => {
    api = await startApi({ env: { AGENT_STREAM_TLS_CERT_FILE: certFile, AGENT_STREAM_TLS_KEY_FILE: keyFile } });
    expect(api.url).toMatch(/^https:/);
    const port = Number(new URL(api.url).port);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => socket.write(request('GET /healthz', 'Connection: close')));
      let received = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
      socket.once('close', () => resolve(received)).once('error', reject);
    });
    expect(statusOf(answer)).toBe(200);
    expect(answer.toLowerCase()).toContain('strict-transport-security');
  });

  it('refuses to start without its files', () => {
    const config = parseConfig({ AGENT_STREAM_TLS_CERT_FILE: '/nowhere/cert.pem', AGENT_STREAM_TLS_KEY_FILE: '/nowhere/key.pem' });
    expect(() => createHttpServer(config, () => undefined)).toThrow(/AGENT_STREAM_TLS_CERT_FILE cannot be read/);
  });
});

describe('starting', () => {
  it('on a port that is taken says so', async () => {
    api = await startApi();
    const { port } = new URL(api.url);
    const starting = startApi({ env: { PORT: port } });
    await expect(starting).rejects.toMatchObject({ code: 'configuration-invalid' });
    await expect(starting).rejects.toThrow(/^HOST=127\.0\.0\.1 PORT=\d+ cannot be listened on: EADDRINUSE/);
  });
});

describe('setting up', () => {
  const body = (token: string) => ({ token, organization_name: 'Acme', email: 'owner@example.com' });

  it('works once, with the token that was printed', async () => {
    const running = await startApi({ isEmpty: true });
    api = running;
    const token = running.setupToken ?? '';
    expect(token.length).toBeGreaterThanOrEqual(43);
    const wrong = await api.request('POST', '/api/v1/setup', { key: null, body: body('wrong') });
    expect([wrong.status, wrong.json['code']]).toEqual([401, 'not-authenticated']);
    const redeem = () => running.request('POST', '/api/v1/setup', { key: null, body: body(token) });
    const both = await Promise.all([redeem(), redeem()]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([201, 401]);
    const key = String(both.find(({ status }) => status === 201)?.json['api_key']);
    expect((await api.request('GET', '/api/v1/users', { key })).json.items).toMatchObject([{ email: 'owner@example.com' }]);
    expect((await api.request('POST', '/api/v1/setup', { key: null, body: body(token) })).status).toBe(401);
    expect(api.logLines.join('')).not.toContain(token);
  });

  it('is over where an organization exists', async () => {
    api = await startApi();
    expect(api.setupToken).toBeNull();
    expect((await api.request('POST', '/api/v1/setup', { key: null, body: body('anything') })).status).toBe(401);
  });

  it('limits guesses', async () => {
    api = await startApi({ isEmpty: true });
    let last = 0;
    for (let attempt = 0; attempt < 25; attempt += 1) last = (await api.request('POST', '/api/v1/setup', { key: null, body: body(`guess-${attempt}`) })).status;
    expect(last).toBe(429);
  });
});

it('refuseUpgrade names the status it was given', async () => {
  api = await startApi({ onUpgrade: (_incoming, socket) => refuseUpgrade(socket, 'invalid-request', 400) });
  const answer = await raw(api.url, request(`GET /api/v1/agent-stream/${uuid}`, ...upgradeLines));
  expect([statusOf(answer), codeOf(answer)]).toEqual([400, 'invalid-request']);
});
