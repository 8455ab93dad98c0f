import { afterEach, describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { createCountingClock } from '../../test/support/fakes/counting-clock.js';
import { breakSocket, findClosedPort, startVendorServer, type SocketFault, type UpgradeFault, type VendorServer } from '../../test/support/fakes/vendor-server.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { settle, until } from '../../test/support/wait-for.js';
import type { Clock } from './clock.js';
import { openSocketClient, type SocketEnd } from './socket-client.js';
import { judgeVitals } from './socket-vitals.js';
import { socketUrl } from './socket-url.js';

describe('openSocketClient', () => {
  let server: VendorServer | undefined;
  afterEach(() => server?.close());

  /** A server that echoes, and can be broken. */
  async function serve(options: { upgrade?: UpgradeFault; onOpen?: SocketFault } = {}) {
    const received: string[] = [];
    const sockets: WebSocket[] = [];
    const opened = await startVendorServer({
      onUpgrade: () => options.upgrade ?? null,
      onSocket(socket, request) {
        sockets.push(socket);
        socket.on('message', (data: Buffer, isBinary) => {
          received.push(`${isBinary ? 'binary' : 'text'}:${data.toString()}`);
          socket.send(data, { binary: isBinary });
        });
        if (options.onOpen) breakSocket(socket, request, options.onOpen);
      },
    });
    server = opened;
    /** A server that does not read learns that its peer is gone by writing. */
    const isCutOff = () => {
      sockets[0]!.ping();
      return opened.openSockets() === 0;
    };
    return { received, sockets, url: opened.wsUrl, openSockets: () => opened.openSockets(), isCutOff };
  }

  function open(url: string, options: { clock?: Clock; idlePingMs?: number; connectTimeoutMs?: number; headers?: Record<string, string> } = {}) {
    const controller = new AbortController();
    const log: string[] = [];
    const ends: SocketEnd[] = [];
    const client = openSocketClient({
      url,
      clock: options.clock ?? createCountingClock(),
      signal: controller.signal,
      ...options,
      onOpen: () => log.push('open'),
      onMessage: (data, isBinary) => log.push(`${isBinary ? 'binary' : 'text'}:${data.toString()}`),
      onClose(end) {
        log.push('close');
        ends.push(end);
      },
    });
    return { client, controller, log, ends };
  }

  it('queues until it is open, keeps order and kind, and reports a clean close', async () => {
    const { received, sockets, url } = await serve();
    const clock = createCountingClock();
    const { client, log, ends } = open(url, { clock });
    expect(client.send('one')).toBe(true);
    expect(client.send(Buffer.from('two'))).toBe(true);
    await until(() => log.length === 3);
    client.send('three');
    await until(() => log.length === 4);
    expect(received).toEqual(['text:one', 'binary:two', 'text:three']);
    expect(log).toEqual(['open', 'text:one', 'binary:two', 'text:three']);
    sockets[0]!.close(4321, 'enough');
    await until(() => ends.length === 1);
    expect(ends).toEqual([{ code: 4321, reason: 'enough' }]);
    expect(client.send('late')).toBe(false);
    await until(() => clock.pendingTimers() === 0);
  });

  it('refuses more than its queue holds while connecting', async () => {
    const { url } = await serve({ upgrade: { kind: 'hang' } });
    const { client } = open(url);
    let taken = 0;
    while (client.send(Buffer.alloc(32 * 1024))) taken += 1;
    expect(taken).toBe(8);
    client.close();
  });

  it.each([
    [401, {}, { code: 'vendor-unauthorized', details: { httpStatus: 401 } }],
    [403, {}, { code: 'vendor-unauthorized' }],
    [429, { 'Retry-After': '3' }, { code: 'vendor-rate-limited', details: { retryAfterMs: 3000 } }],
    [404, {}, { code: 'vendor-rejected' }],
    [503, {}, { code: 'vendor-unreachable' }],
  ])('maps a refusal with %i', async (status, headers, error) => {
    const { url } = await serve({ upgrade: { kind: 'http', status, headers } });
    const { log, ends } = open(url);
    await until(() => ends.length === 1);
    expect(ends[0]!.error).toMatchObject(error);
    await settle();
    expect(log).toEqual(['close']);
    await until(() => server?.openSockets() === 0);
  });

  it('fails once when the connection is refused, reset, cut or not possible', async () => {
    const refused = open(`ws://127.0.0.1:${await findClosedPort()}`);
    await until(() => refused.ends.length === 1);
    const reset = open((await serve({ upgrade: { kind: 'reset' } })).url);
    await until(() => reset.ends.length === 1);
    await server?.close();
    const cut = open((await serve({ onOpen: { kind: 'cut' } })).url);
    await until(() => cut.ends.length === 1);
    const nonsense = open('http//nowhere');
    await until(() => nonsense.ends.length === 1);
    await settle();
    for (const { ends } of [refused, reset, cut]) expect(ends).toMatchObject([{ code: 1006, error: { code: 'vendor-unreachable' } }]);
    expect(nonsense.ends).toMatchObject([{ error: { code: 'vendor-rejected' } }]);
  });

  it('gives up a handshake that takes too long', async () => {
    const { url, openSockets } = await serve({ upgrade: { kind: 'hang' } });
    const clock = createVirtualClock();
    const { ends } = open(url, { clock });
    await until(() => openSockets() === 1);
    await clock.advance(2999);
    expect(ends).toEqual([]);
    await clock.advance(1);
    expect(ends).toMatchObject([{ error: { code: 'vendor-unreachable' } }]);
    await until(() => openSockets() === 0);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('notices a peer that does not answer pings any more', async () => {
    const { url, isCutOff } = await serve({ onOpen: { kind: 'stop-reading' } });
    const clock = createVirtualClock();
    const { log, ends } = open(url, { clock, idlePingMs: 1000 });
    await until(() => log.includes('open'));
    await clock.advance(3500);
    expect(ends).toMatchObject([{ error: { code: 'vendor-unreachable', message: 'The vendor did not answer a ping.' } }]);
    await until(isCutOff);
  });

  it('leaves a silent peer that answers pings alone', async () => {
    const { url } = await serve();
    const clock = createVirtualClock();
    const { client, log } = open(url, { clock, idlePingMs: 1000 });
    await until(() => log.includes('open'));
    for (let i = 0; i < 20; i += 1) {
      await clock.advance(500);
      await settle(5);
    }
    expect(log).toEqual(['open']);
    client.close();
  });

  it('notices a peer that stopped reading once the kernel takes no more', async () => {
    const { url } = await serve({ onOpen: { kind: 'stop-reading' } });
    const clock = createVirtualClock();
    const { client, log, ends } = open(url, { clock });
    await until(() => log.includes('open'));
    let isFull = false;
    for (let i = 0; i < 2000 && !isFull; i += 1) {
      isFull = !client.send(Buffer.alloc(64 * 1024));
      if (i % 16 === 0) await settle(0);
    }
    expect(isFull).toBe(true);
    await clock.advance(2500);
    expect(ends).toMatchObject([{ error: { code: 'vendor-unreachable', message: 'The vendor stopped reading.' } }]);
  });

  it('calls nobody after close or abort, whatever its state, and frees everything', async () => {
    const { url, openSockets } = await serve();
    const clock = createCountingClock();
    const early = open(url, { clock });
    early.client.close();
    const aborted = open(url, { clock });
    aborted.controller.abort(new Error('hung up'));
    const late = open(url, { clock });
    await until(() => late.log.includes('open'));
    late.client.send('echo');
    late.client.close();
    late.client.close();
    const lateAbort = open(url, { clock });
    await until(() => lateAbort.log.includes('open'));
    lateAbort.controller.abort(new Error('hung up'));
    await settle();
    expect([early.log, aborted.log, late.log, lateAbort.log]).toEqual([[], [], ['open'], ['open']]);
    await until(() => openSockets() === 0);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('destroys the socket of a peer that does not answer the close frame', async () => {
    const { url, openSockets, isCutOff } = await serve({ onOpen: { kind: 'stop-reading' } });
    const clock = createVirtualClock();
    const { client, log } = open(url, { clock });
    await until(() => log.includes('open'));
    client.close();
    await settle();
    expect(openSockets()).toBe(1);
    await clock.advance(1000);
    await until(isCutOff);
  });
});

describe('judgeVitals', () => {
  const fine = { unsent: 0, sendProgressMs: 0, receivedMs: 0, pingedMs: null };
  it.each([
    ['alive without pings', fine, undefined, 'alive'],
    ['ping after silence', fine, 1000, 'ping'],
    ['alive while a pong may come', { ...fine, pingedMs: 9000 }, 1000, 'alive'],
    ['silent without a pong', { ...fine, pingedMs: 8000 }, 1000, 'silent'],
    ['stuck', { ...fine, unsent: 1, sendProgressMs: 8000 }, undefined, 'stuck'],
    ['alive while it drains', { ...fine, unsent: 9, sendProgressMs: 8001 }, undefined, 'alive'],
  ] as const)('%s', (_name, vitals, idlePingMs, verdict) => {
    expect(judgeVitals(vitals, 10_000, idlePingMs)).toBe(verdict);
  });
});

describe('socketUrl', () => {
  it.each([
    ['wss://api.example.com', 'wss://api.example.com/v1/listen'],
    ['https://api.example.com/', 'wss://api.example.com/v1/listen'],
    ['http://127.0.0.1:9000/proxy/', 'ws://127.0.0.1:9000/proxy/v1/listen'],
    ['ws://localhost:1', 'ws://localhost:1/v1/listen'],
  ])('%s', (base, url) => {
    expect(socketUrl(base, '/v1/listen').href).toBe(url);
  });

  it.each(['', 'api.example.com', 'ftp://example.com'])('refuses %j', (base) => {
    expect(() => socketUrl(base, '/x')).toThrow(expect.objectContaining({ code: 'configuration-invalid' }));
  });
});
