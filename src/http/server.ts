import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError, type ErrorCode } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Config } from '../config.js';
import { problemContentType, problemDocument } from './problems.js';

/** Where telephony providers connect their media streams. */
export const streamPathPrefix = '/api/v1/agent-stream/';

const maxHeaderBytes = 16 * 1024;
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 60_000;
const keepAliveTimeoutMs = 10_000;
/** How often Node looks for connections past their time-outs: the default of 30 s would make 10 s mean 40. */
const timeoutCheckMs = 2000;
/** After this, connections that are still busy are cut. */
const closeTimeoutMs = 5000;
const retryAfterSeconds = 5;

function readTlsFile(variable: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new AgentStreamError('configuration-invalid', { message: `${variable} cannot be read (docs/configuration.md)`, cause: error });
  }
}

/**
 * Creates the HTTP or HTTPS server with its limits; it does not listen yet.
 *
 * @throws AgentStreamError `configuration-invalid` where the TLS files cannot be read.
 */
export function createHttpServer({ tls }: Pick<Config, 'tls'>, handler: RequestListener): Server {
  const limits = {
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: timeoutCheckMs,
  };
  if (tls === null) return createServer(limits, handler);
  const cert = readTlsFile('AGENT_STREAM_TLS_CERT_FILE', tls.certFile);
  const key = readTlsFile('AGENT_STREAM_TLS_KEY_FILE', tls.keyFile);
  return createTlsServer({ ...limits, cert, key, minVersion: 'TLSv1.2' }, handler);
}

const statusTexts: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Request Timeout',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** Answers an upgrade request with an HTTP problem and closes its socket. For refusals before the WebSocket exists. */
export function refuseUpgrade(socket: Duplex, code: ErrorCode, status?: number): void {
  const document = problemDocument(code, { status });
  const body = JSON.stringify(document);
  const lines = [
    `HTTP/1.1 ${document.status} ${statusTexts[document.status] ?? 'Error'}`,
    'Connection: close',
    `Content-Type: ${problemContentType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(document.status === 503 || document.status === 429 ? [`Retry-After: ${retryAfterSeconds}`] : []),
    ...(document.status === 426 ? ['Upgrade: websocket'] : []),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

/** Statuses of requests that never became one, by the parser's error code; any other is 400. */
const brokenRequestStatuses: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

/** Answers what cannot be parsed as a request, or came too slowly, and closes its connection. */
export function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
  else refuseUpgrade(socket, 'invalid-request', brokenRequestStatuses[error.code ?? ''] ?? 400);
}

/** What a running server needs. */
export interface ServerOptions {
  readonly app: FastifyInstance;
  readonly config: Pick<Config, 'host' | 'port' | 'tls'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes over a WebSocket upgrade below {@link streamPathPrefix}: answers it, or refuses it with {@link refuseUpgrade}. */
  onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** A listening server. */
export interface RunningServer {
  /** Origin with the actual port, on the bound address. */
  readonly url: string;
  /** From now on upgrades are answered 503. What is connected stays. */
  beginDrain(): void;
  /** Stops listening, ends event streams, and resolves within a few seconds whatever peers do. Sockets still open then are cut. */
  close(): Promise<void>;
}

/** The code to refuse an upgrade with, or null where the stream endpoint takes it. */
function refusalOf(request: IncomingMessage, isAccepting: boolean): ErrorCode | null {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  if (!path.startsWith(streamPathPrefix) || path.length === streamPathPrefix.length) return 'not-found';
  if (!isAccepting) return 'node-draining';
  return request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket' ? null : 'upgrade-required';
}

/**
 * Tracks sockets after their upgrade. Node's server no longer counts them as connections to close, yet waits for them in `close`:
 * whoever is left over must be cut, or closing would never end.
 */
function listenForUpgrades(server: Server, isAccepting: () => boolean, { onUpgrade, log }: ServerOptions): () => void {
  const sockets = new Set<Duplex>();
  server.on('upgrade', (request, socket, head) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', (error) => log.debug('An upgraded socket failed', { error: error.message }));
    const refusal = refusalOf(request, isAccepting());
    if (refusal !== null) {
      refuseUpgrade(socket, refusal);
      return;
    }
    try {
      onUpgrade(request, socket, head);
    } catch (error) {
      log.error('The stream endpoint failed on an upgrade', { error: error instanceof Error ? error.message : 'unknown' });
      refuseUpgrade(socket, 'internal-error');
    }
  });
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}

function originOf(server: Server, isTls: boolean): string {
  const { address, family, port } = server.address() as AddressInfo;
  const host = address === '0.0.0.0' || address === '::' ? 'localhost' : address;
  return `${isTls ? 'https' : 'http'}://${family === 'IPv6' && host !== 'localhost' ? `[${host}]` : host}:${port}`;
}

/**
 * Listens, serves the application, and hands stream upgrades over.
 *
 * @throws AgentStreamError `configuration-invalid` where the address cannot be bound.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { app, config, clock, log } = options;
  const { server } = app;
  let isAccepting = true;
  const cutUpgraded = listenForUpgrades(server, () => isAccepting, options);
  try {
    await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    const message = `HOST=${config.host} PORT=${config.port} cannot be listened on: ${reason}. Choose another port or stop what uses it`;
    throw new AgentStreamError('configuration-invalid', { message, cause: error });
  }

  async function close(): Promise<void> {
    isAccepting = false;
    const { signal, dispose } = deadlineSignal(clock, closeTimeoutMs, undefined, () => new AgentStreamError('server-going-away'));
    signal.addEventListener('abort', () => {
      log.warn('Connections were cut that did not end in time');
      server.closeAllConnections();
      cutUpgraded();
    });
    try {
      await app.close();
    } finally {
      dispose();
      cutUpgraded();
    }
  }

  let closing: Promise<void> | null = null;
  return {
    url: originOf(server, config.tls !== null),
    beginDrain() {
      isAccepting = false;
    },
    close: () => (closing ??= close()),
  };
}
