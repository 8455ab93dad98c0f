import type { LookupFunction } from 'node:net';
import { WebSocket } from 'ws';
import type { Clock, Timer } from './clock.js';
import { AgentStreamError } from './errors.js';
import { vendorStatusError } from './http-status.js';
import { monitorVitals, type VitalsMonitor } from './socket-vitals.js';

/** Default limit of the TCP, TLS and WebSocket handshakes together. */
const DEFAULT_CONNECT_TIMEOUT_MS = 3000;
/** Bytes held while connecting, and bytes that the kernel may owe us afterwards, before `send` refuses. */
const MAX_QUEUED_BYTES = 256 * 1024;
/** Largest message a peer may send. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;
/** How long the peer may take to answer a close frame before its socket is destroyed. */
const CLOSE_GRACE_MS = 1000;

/** How a connection ended. `error` is set where it never opened or did not end by a close frame. */
export interface SocketEnd {
  /** RFC 6455 §7.4 status code; 1006 where no close frame came. */
  readonly code: number;
  readonly reason: string;
  /** `vendor-unauthorized`, `vendor-rate-limited`, `vendor-rejected`, `vendor-unreachable` or `vendor-protocol`. */
  readonly error?: AgentStreamError;
}

/** What to connect to and whom to tell. */
export interface SocketClientOptions {
  /** ws: or wss: URL; never logged, since vendors put keys into it. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocols?: readonly string[];
  /** Resolves the host; default: the system. An AgentStreamError it fails with is the connection's. */
  readonly lookup?: LookupFunction | undefined;
  readonly clock: Clock;
  /** Ends the connection; no callback runs afterwards. */
  readonly signal: AbortSignal;
  /** Default 3000. */
  readonly connectTimeoutMs?: number;
  /** Pings a peer that has been silent for this long and fails when nothing comes back. Default: never. */
  readonly idlePingMs?: number;
  readonly onOpen: () => void;
  /** `data` is valid during the callback only. */
  readonly onMessage: (data: Buffer, isBinary: boolean) => void;
  /** Once, unless closed from this side. */
  readonly onClose: (end: SocketEnd) => void;
}

/** An outgoing WebSocket. */
export interface SocketClient {
  /** Sends, or queues while connecting. False: nothing was taken, because the queue is full or the connection has ended. */
  send(data: string | Buffer): boolean;
  /** Ends the connection; idempotent, and no callback runs afterwards. */
  close(code?: number, reason?: string): void;
}

type State =
  | { readonly kind: 'connecting'; readonly timer: Timer; readonly queue: (string | Buffer)[]; queuedBytes: number }
  | { readonly kind: 'open'; readonly monitor: VitalsMonitor }
  | { readonly kind: 'ended' };

const deathMessages = { stuck: 'The vendor stopped reading.', silent: 'The vendor did not answer a ping.' } as const;

function unreachable(message: string, cause?: unknown): AgentStreamError {
  return new AgentStreamError('vendor-unreachable', { message, ...(cause === undefined ? {} : { cause }) });
}

/** The error of a socket that failed after it had opened: what the peer sent breaks RFC 6455, or the network did. */
function failureOf(error: Error): AgentStreamError {
  const isProtocol = 'code' in error && String(error.code).startsWith('WS_ERR');
  if (isProtocol) return new AgentStreamError('vendor-protocol', { cause: error });
  return unreachable('The connection to the vendor broke.', error);
}

/** A client that never connects: for a signal that has aborted, or a URL that cannot be one. */
const deadClient: SocketClient = { send: () => false, close: () => undefined };

function createSocket(options: SocketClientOptions): WebSocket | AgentStreamError {
  try {
    return new WebSocket(options.url, options.protocols === undefined ? [] : [...options.protocols], {
      headers: { ...options.headers },
      perMessageDeflate: false,
      maxPayload: MAX_PAYLOAD_BYTES,
      ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
    });
  } catch (error) {
    return new AgentStreamError('vendor-rejected', { message: 'The vendor’s base URL is not a ws or wss URL.', cause: error });
  }
}

/**
 * Opens a WebSocket to a vendor. Returns at once and connects in the background; every failure arrives in `onClose`, nothing is
 * thrown.
 * A refused upgrade becomes the error of its HTTP status; time-outs and network failures become `vendor-unreachable`.
 */
export function openSocketClient(options: SocketClientOptions): SocketClient {
  if (options.signal.aborted) return deadClient;
  const socket = createSocket(options);
  if (!(socket instanceof AgentStreamError)) return attach(socket, options);
  const timer = options.clock.setTimer(0, () => {
    if (!options.signal.aborted) options.onClose({ code: 1006, reason: '', error: socket });
  });
  return { send: () => false, close: () => timer.cancel() };
}

/** Drives one connection attempt from its handshake to its end. */
function attach(socket: WebSocket, options: SocketClientOptions): SocketClient {
  const { clock, signal, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options;
  let state: State = {
    kind: 'connecting',
    timer: clock.setTimer(connectTimeoutMs, () => fail(unreachable('The vendor did not accept the connection in time.'))),
    queue: [],
    queuedBytes: 0,
  };
  const onAbort = () => close();
  signal.addEventListener('abort', onAbort, { once: true });

  /** Frees what the current state holds; false when the connection had ended before. */
  function leave(): boolean {
    if (state.kind === 'ended') return false;
    if (state.kind === 'connecting') state.timer.cancel();
    else state.monitor.stop();
    state = { kind: 'ended' };
    signal.removeEventListener('abort', onAbort);
    return true;
  }

  function fail(error: AgentStreamError): void {
    if (!leave()) return;
    socket.terminate();
    options.onClose({ code: 1006, reason: '', error });
  }

  function close(code = 1000, reason = ''): void {
    const wasOpen = state.kind === 'open';
    if (!leave()) return;
    if (!wasOpen) {
      socket.terminate();
      return;
    }
    const grace = clock.setTimer(CLOSE_GRACE_MS, () => socket.terminate());
    socket.once('close', () => grace.cancel());
    socket.close(code, reason);
  }

  function send(data: string | Buffer): boolean {
    if (state.kind === 'open') {
      if (socket.bufferedAmount > MAX_QUEUED_BYTES) return false;
      state.monitor.noteSent();
      socket.send(data, state.monitor.noteWritten);
      return true;
    }
    if (state.kind === 'ended' || state.queuedBytes + data.length > MAX_QUEUED_BYTES) return false;
    state.queue.push(typeof data === 'string' ? data : Buffer.from(data));
    state.queuedBytes += data.length;
    return true;
  }

  socket.on('open', () => {
    if (state.kind !== 'connecting') return;
    const { timer, queue } = state;
    timer.cancel();
    const onPing = () => socket.ping();
    const onDead = (verdict: 'stuck' | 'silent') => fail(unreachable(deathMessages[verdict]));
    state = { kind: 'open', monitor: monitorVitals({ clock, idlePingMs: options.idlePingMs, onPing, onDead }) };
    for (const data of queue) send(data);
    options.onOpen();
  });
  socket.on('message', (data, isBinary) => {
    if (state.kind !== 'open') return;
    state.monitor.noteReceived();
    // With the default binaryType a message is always one Buffer.
    if (Buffer.isBuffer(data)) options.onMessage(data, isBinary);
  });
  const onControlFrame = () => {
    if (state.kind === 'open') state.monitor.noteReceived();
  };
  socket.on('pong', onControlFrame);
  socket.on('ping', onControlFrame);
  socket.on('unexpected-response', (request, response) => {
    fail(vendorStatusError(response.statusCode ?? 0, response.headers['retry-after']));
    request.destroy();
  });
  // Stays attached for good: terminating a socket that is still connecting reports an error that nobody else would take.
  socket.on('error', (error) => {
    if (error instanceof AgentStreamError) fail(error);
    else fail(state.kind === 'open' ? failureOf(error) : unreachable('The vendor took no connection.', error));
  });
  socket.on('close', (code, reason) => {
    if (code === 1006) fail(unreachable('The connection to the vendor broke.'));
    else if (leave()) options.onClose({ code, reason: reason.toString() });
  });

  return { send, close };
}
