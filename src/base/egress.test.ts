import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { lookup, type LookupAddress } from 'node:dns';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { systemClock } from './clock.js';
import { createEgressGuard, isInternalAddress, type ResolveAll } from './egress.js';
import { createGuardedEgress, createGuardedFetch, type GuardedEgress } from './guarded-fetch.js';
import { openSocketClient, type SocketEnd } from './socket-client.js';

/** Answers names from a table. */
function resolving(table: Readonly<Record<string, readonly string[]>>): ResolveAll {
  return (hostname, _options, callback) => {
    const addresses = table[hostname];
    if (addresses === undefined) return callback(Object.assign(new Error(`no such host ${hostname}`), { code: 'ENOTFOUND' }), []);
    const family = (address: string) => (address.includes(':') ? 6 : 4);
    callback(null, addresses.map((address): LookupAddress => ({ address, family: family(address) })));
  };
}

const servers: Server[] = [];
afterEach(() =>
  servers.splice(0).forEach((server) => {
    server.closeAllConnections();
    server.close();
  }),
);

async function serve(listener: (request: IncomingMessage, response: ServerResponse) => void): Promise<{ port: number; server: Server }> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, server };
}

describe('isInternalAddress', () => {
  it.each([
    '10.1.2.3', '127.0.0.1', '0.0.0.0', '100.64.0.1', '169.254.169.254', '172.31.255.255', '192.168.1.1', '192.0.0.8', '198.19.0.1', '224.0.0.1',
    '240.0.0.1', '255.255.255.255', '::', '::1', 'fc00::1', 'fd12::1', 'fe80::1', 'ff02::1', '::ffff:127.0.0.1', '::ffff:7f00:1',
    '64:ff9b::a00:1', '2002:7f00:1::',
  ])('%s is', (address) => expect(isInternalAddress(address)).toBe(true));
  it.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '192.169.0.1', '223.255.255.255', '2606:4700::1111', '::ffff:8.8.8.8', 'localhost', ''])(
    '%s is not',
    (address) => expect(isInternalAddress(address)).toBe(false),
  );
});

describe('the lookup', () => {
  const lookUp = (table: Readonly<Record<string, readonly string[]>>, hostname: string, options: { all: boolean }) =>
    new Promise<{ error: unknown; address: unknown; family: unknown }>((resolve) => {
      createEgressGuard(resolving(table)).lookup(hostname, options, (error, address, family) => resolve({ error, address, family }));
    });

  it('gives the addresses it has checked, all or the first', async () => {
    const table = { 'a.example': ['2606:4700::1111', '8.8.8.8'] };
    const all = await lookUp(table, 'a.example', { all: true });
    expect(all).toMatchObject({ error: null, address: [{ address: '2606:4700::1111' }, { address: '8.8.8.8' }] });
    expect(await lookUp(table, 'a.example', { all: false })).toEqual({ error: null, address: '2606:4700::1111', family: 6 });
  });

  it.each([[['127.0.0.1']], [['8.8.8.8', '10.0.0.1']], [['8.8.8.8', '::1']], [[]]])('refuses a name that leads to %j', async (addresses) => {
    expect((await lookUp({ 'b.example': addresses }, 'b.example', { all: true })).error).toMatchObject({ code: 'egress-refused' });
  });

  it('passes on that there is no such name', async () => {
    expect((await lookUp({}, 'c.example', { all: true })).error).toMatchObject({ code: 'ENOTFOUND' });
  });
});

describe('what the guard keeps from connecting', () => {
  it('a request to a name that leads inside, and to an address that is written out', async () => {
    let requests = 0;
    const { port } = await serve((_, response) => {
      requests += 1;
      response.end();
    });
    const { fetch, check } = createGuardedEgress(resolving({ 'vendor.example': ['127.0.0.1'] }));
    await expect(fetch(`http://vendor.example:${port}/v1`)).rejects.toMatchObject({ code: 'egress-refused' });
    await expect(fetch(`http://127.0.0.1:${port}/v1`)).rejects.toMatchObject({ code: 'egress-refused' });
    expect(() => check(`ws://[::ffff:127.0.0.1]:${port}`)).toThrow(expect.objectContaining({ code: 'egress-refused' }));
    expect(requests).toBe(0);
  });

  it('a socket to a name that leads inside', async () => {
    const { port, server } = await serve((_, response) => void response.end());
    let sockets = 0;
    new WebSocketServer({ server }).on('connection', () => (sockets += 1));
    const connect = (lookup: GuardedEgress['lookup'] | undefined) =>
      new Promise<SocketEnd | 'open'>((resolve) => {
        openSocketClient({
          url: `ws://localhost:${port}`,
          lookup,
          clock: systemClock,
          signal: new AbortController().signal,
          onOpen: () => resolve('open'),
          onMessage: () => undefined,
          onClose: resolve,
        });
      });
    expect(await connect(undefined)).toBe('open');
    expect(await connect(createEgressGuard().lookup)).toMatchObject({ error: { code: 'egress-refused' } });
    expect(sockets).toBe(1);
  });
});

describe('a corpus of URLs that lead inside, however they are written', () => {
  const names = {
    'inside.example': ['10.0.0.7'],
    'half-inside.example': ['93.184.215.14', '192.168.0.1'],
    'six-inside.example': ['fd00:ec2::254'],
    'mapped.example': ['::ffff:169.254.169.254'],
    'metadata.google.internal': ['169.254.169.254'],
    localhost: ['127.0.0.1', '::1'],
    'localhost.': ['127.0.0.1'],
    'app.localhost': ['127.0.0.1'],
    '127.0.0.1.nip.example': ['127.0.0.1'],
  };
  const looked: string[] = [];
  const { fetch, check } = createGuardedEgress((hostname, options, callback) => {
    looked.push(hostname);
    resolving(names)(hostname, options, callback);
  });

  it.each([
    // Loopback and this host, in every notation of the URL standard's IPv4 parser.
    ...['http://127.0.0.1/', 'http://127.0.0.1:8080/', 'http://127.1/', 'http://127.255.255.254/', 'http://2130706433/', 'http://0x7f000001/', 'http://0x7f.0x0.0x0.0x1/'],
    ...['http://017700000001/', 'http://0177.0.0.1/', 'http://0177.0.0.0x1/', 'http://127.0.0.1./', 'http://%31%32%37.0.0.1/', 'http://①②⑦.0.0.1/', 'http://127。0。0。1/', 'http://0/', 'http://0.0.0.0/'],
    // Private networks, carrier-grade NAT, benchmarks, multicast, broadcast.
    ...['http://10.0.0.1/', 'http://172.16.0.1/', 'http://172.31.255.255/', 'https://192.168.1.1/admin', 'http://100.64.0.1/', 'http://198.18.0.1/', 'http://224.0.0.1/', 'http://255.255.255.255/'],
    // Metadata services.
    ...['http://169.254.169.254/latest/meta-data/', 'http://2852039166/', 'http://0xa9fea9fe/', 'http://169.254.43518/', 'http://100.100.100.200/', 'http://192.0.0.192/', 'http://168.63.129.16/'],
    ...['http://[fd00:ec2::254]/', 'http://[::ffff:169.254.169.254]/', 'http://[::ffff:a9fe:a9fe]/', 'http://metadata.google.internal/'],
    // IPv6, and IPv4 within it.
    ...['http://[::1]/', 'http://[::]/', 'http://[0:0:0:0:0:0:0:1]/', 'http://[::127.0.0.1]/', 'http://[::ffff:7f00:1]/', 'http://[64:ff9b::7f00:1]/', 'http://[64:ff9b::169.254.169.254]/'],
    ...['http://[2002:7f00:1::]/', 'http://[2001:0:7f00:1::]/', 'http://[fe80::1]/', 'http://[fc00::1]/', 'http://[ff02::1]/'],
    // What stands before the host, or looks like one.
    ...['http://127.0.0.1#@example.com/', 'http://127.0.0.1\\@example.com/', 'http:127.0.0.1/', 'http:////127.0.0.1/', 'http://\t127.0.0.1/'],
    // Names.
    ...['http://localhost/', 'http://LOCALHOST/', 'http://localhost./', 'http://app.localhost/', 'http://127.0.0.1.nip.example/', 'http://inside.example/', 'http://half-inside.example/'],
    ...['http://six-inside.example/', 'http://mapped.example/'],
  ])('%s', async (url) => {
    await expect(fetch(url, { signal: AbortSignal.timeout(1000) })).rejects.toMatchObject({ code: 'egress-refused' });
  });

  it('an address behind a user name, which no request can be made to either', async () => {
    const url = 'http://example.com@127.0.0.1/';
    expect(() => check(url)).toThrow(expect.objectContaining({ code: 'egress-refused' }));
    await expect(fetch(url)).rejects.toThrow(TypeError);
  });

  it('lets through what is outside, and looks each name up once, for the connection itself', async () => {
    expect(() => check('https://api.example.com/v1')).not.toThrow();
    expect(() => check('http://93.184.215.14/')).not.toThrow();
    looked.length = 0;
    await expect(fetch('http://inside.example/')).rejects.toMatchObject({ code: 'egress-refused' });
    expect(looked).toEqual(['inside.example']);
  });
});

describe('the guarded fetch', () => {
  // Loopback plays the Internet: this guard lets everything through.
  const fetch = createGuardedFetch({ check: () => undefined, lookup });

  it('sends what it is given and gives the answer as it comes, over a kept connection', async () => {
    const received: { method: string | undefined; body: string; authorization: string | undefined; port: number | undefined }[] = [];
    const { port } = await serve((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        received.push({ method: request.method, body, authorization: request.headers.authorization, port: request.socket.remotePort });
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('one,');
        setTimeout(() => response.end('two'), 20);
      });
    });
    const send = () => fetch(`http://localhost:${port}/v1`, { method: 'POST', headers: { authorization: 'Bearer k' }, body: '{"ä":1}' });
    const chunks: string[] = [];
    const response = await send();
    expect(response).toMatchObject({ ok: true, status: 200 });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    for await (const chunk of response.body as ReadableStream<Uint8Array>) chunks.push(Buffer.from(chunk).toString());
    expect(chunks).toEqual(['one,', 'two']);
    expect(await (await send()).text()).toBe('one,two');
    expect(received).toHaveLength(2);
    expect(received[0]).toMatchObject({ method: 'POST', body: '{"ä":1}', authorization: 'Bearer k' });
    expect(received[1]).toEqual(received[0]);
  });

  it('follows no redirect', async () => {
    const { port } = await serve((_, response) => void response.writeHead(307, { location: 'http://169.254.169.254/' }).end());
    const response = await fetch(`http://localhost:${port}/`);
    expect(response).toMatchObject({ ok: false, status: 307 });
  });

  it('takes answers without a body', async () => {
    const { port } = await serve((_, response) => void response.writeHead(204).end());
    expect(await fetch(`http://localhost:${port}/`)).toMatchObject({ status: 204, body: null });
  });

  it('stops before and within an answer when it is aborted', async () => {
    const { port } = await serve((request, response) => {
      if (request.url === '/begin') response.writeHead(200).write('one');
    });
    const before = new AbortController();
    const waiting = fetch(`http://localhost:${port}/never`, { signal: before.signal });
    before.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    const within = new AbortController();
    const response = await fetch(`http://localhost:${port}/begin`, { signal: within.signal });
    const text = response.text();
    within.abort(new Error('enough'));
    await expect(text).rejects.toThrow();
  });

  it('fails where nobody listens', async () => {
    const { port, server } = await serve(() => undefined);
    await new Promise((resolve) => server.close(resolve));
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
