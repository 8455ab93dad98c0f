import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';

/** What may go wrong before a WebSocket opens. */
export type UpgradeFault =
  | { readonly kind: 'http'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** The request is never answered. */
  | { readonly kind: 'hang' }
  /** The TCP connection is reset. */
  | { readonly kind: 'reset' };

/** What may go wrong with an open WebSocket. */
export type SocketFault =
  | { readonly kind: 'close'; readonly code: number; readonly reason?: string }
  /** TCP reset without a close frame. */
  | { readonly kind: 'cut' }
  /** The socket stays open and is not read any more: no pongs either. */
  | { readonly kind: 'stop-reading' };

/** How a server answers that has no WebSockets. */
const NO_SOCKETS: UpgradeFault = { kind: 'http', status: 404 };

/** A server on a free port that counts its sockets. */
export interface VendorServer {
  readonly port: number;
  readonly httpUrl: string;
  readonly wsUrl: string;
  /** TCP connections that are open now: the census of leak checks. */
  openSockets(): number;
  close(): Promise<void>;
}

/** Starts a server that speaks HTTP, WebSocket, or both. */
export async function startVendorServer(options: {
  readonly port?: number | undefined;
  readonly onRequest?: (request: IncomingMessage, response: ServerResponse) => void;
  /** What is wrong with it; `taken`: somebody else answers on its connection. */
  readonly onUpgrade?: (request: IncomingMessage) => UpgradeFault | { readonly kind: 'taken' } | null;
  readonly onSocket?: (socket: WebSocket, request: IncomingMessage) => void;
}): Promise<VendorServer> {
  const sockets = new Set<Socket>();
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const server = createServer((request, response) => {
    if (options.onRequest) options.onRequest(request, response);
    else response.writeHead(404).end();
  });
  server.keepAliveTimeout = 60_000;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request, socket: Socket, head) => {
    const fault = options.onUpgrade?.(request) ?? (options.onSocket === undefined ? NO_SOCKETS : null);
    if (fault?.kind === 'taken') return;
    if (fault === null) {
      webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('error', () => webSocket.terminate());
        options.onSocket?.(webSocket, request);
      });
    } else if (fault.kind === 'reset') {
      socket.resetAndDestroy();
    } else if (fault.kind === 'hang') {
      // Read, or the end of the connection goes unnoticed.
      socket.resume().on('end', () => socket.destroy());
    } else {
      const headers = Object.entries({ 'Content-Length': '0', Connection: 'close', ...fault.headers });
      socket.end(`HTTP/1.1 ${fault.status} Refused\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    httpUrl: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}`,
    openSockets: () => sockets.size,
    async close() {
      for (const client of webSockets.clients) client.terminate();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Deals one fault to each attempt to connect, in the order they come. */
export function createFaultPlan<Fault extends { readonly upgrade: UpgradeFault } | object>(faultOf: ((attempt: number) => Fault | undefined) | undefined) {
  const faults = new WeakMap<IncomingMessage, Fault>();
  let attempts = 0;
  return {
    /** Deals the next fault; returns what is wrong with the upgrade, if that is what it is. */
    deal(request: IncomingMessage): UpgradeFault | null {
      const fault = faultOf?.(attempts);
      attempts += 1;
      if (fault === undefined) return null;
      faults.set(request, fault);
      return 'upgrade' in fault ? fault.upgrade : null;
    },
    of: (request: IncomingMessage): Fault | undefined => faults.get(request),
  };
}

/** Makes `fault` happen to an open WebSocket. */
export function breakSocket(socket: WebSocket, request: IncomingMessage, fault: SocketFault): void {
  if (fault.kind === 'close') socket.close(fault.code, fault.reason ?? '');
  else if (fault.kind === 'cut') request.socket.resetAndDestroy();
  else socket.pause();
}

/** A port that nothing listens on. */
export async function findClosedPort(): Promise<number> {
  const server = await startVendorServer({});
  await server.close();
  return server.port;
}
