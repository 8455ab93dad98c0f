import type { LookupFunction } from 'node:net';
import type { Clock, Timer } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import { retryDelayMs, type RetryPolicy } from '../base/retry.js';
import { openSocketClient, type SocketClient, type SocketEnd } from '../base/socket-client.js';

const CONNECT_TIMEOUT_MS = 2000;
/** From the open socket to the vendor's word that the session is set up. */
const SET_UP_LIMIT_MS = 2000;
/** A vendor that is silent for so long is pinged. */
const IDLE_PING_MS = 1000;
/** Connections in a row that may fail before one has worked; the same where another vendor would take over. */
const RECONNECT: RetryPolicy = { attempts: 3, baseDelayMs: 100, maxDelayMs: 500 };
const RECONNECT_WITH_SPARE: RetryPolicy = { ...RECONNECT, attempts: 2 };
/** Messages in a row that cannot be read before a connection that has worked is given up. */
const MAX_MALFORMED = 3;

/** How a session's connection is opened, and who is told of it. */
export interface RealtimeLinkOptions {
  /** Or how it is asked for, anew for each connection; what that throws is the connection's loss. */
  readonly url: string | ((signal: AbortSignal) => Promise<string>);
  readonly headers: Readonly<Record<string, string>>;
  readonly lookup?: LookupFunction | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** See {@link RealtimeOptions}. */
  readonly hasSpare: boolean | undefined;
  /** First message of each connection. Default: none, and the vendor speaks first. */
  readonly opening?: () => string;
  /** Reads a message; false: it is not of the protocol. */
  readonly onMessage: (data: Buffer, isBinary: boolean) => boolean;
  /** The connection is lost with all that the vendor remembered; another one may follow. */
  readonly onLost: (error: AgentStreamError) => void;
  /** None will follow; once. */
  readonly onFailed: (error: AgentStreamError) => void;
  /** The meaning of a close frame; null: the common one. */
  readonly closeError?: (end: SocketEnd) => AgentStreamError | null;
}

/** A speech-to-speech session's connection, opened anew after a loss. */
export interface RealtimeLink {
  readonly isReady: boolean;
  /** False: nothing was taken. */
  send(message: string | Buffer): boolean;
  /** The vendor says that the session is set up. */
  noteReady(): void;
  /** The vendor has done something useful: losses before no longer count. */
  noteWorking(): void;
  /** Gives the connection up. */
  lose(error: AgentStreamError): void;
  close(): void;
}

type State =
  | { readonly kind: 'asking'; readonly controller: AbortController; readonly timer: Timer }
  | { readonly kind: 'setting-up'; readonly socket: SocketClient; readonly timer: Timer | null }
  | { readonly kind: 'ready'; readonly socket: SocketClient }
  | { readonly kind: 'waiting'; readonly timer: Timer }
  | { readonly kind: 'ended' };

const lossOf = ({ code, error }: SocketEnd): AgentStreamError =>
  error ?? new AgentStreamError('vendor-unreachable', { message: `The vendor ended the connection with code ${code}` });

/** Opens the connection in the background. */
export function openRealtimeLink(options: RealtimeLinkOptions): RealtimeLink {
  const { clock, signal } = options;
  let state: State = { kind: 'ended' };
  let failures = 0;
  let malformed = 0;

  function connect(): void {
    if (typeof options.url === 'string') return join(options.url);
    const controller = new AbortController();
    const timer = clock.setTimer(CONNECT_TIMEOUT_MS, () => lose(new AgentStreamError('vendor-unreachable', { message: 'The vendor did not answer in time' })));
    state = { kind: 'asking', controller, timer };
    options.url(controller.signal).then(
      (url) => {
        timer.cancel();
        if (!controller.signal.aborted) join(url);
      },
      (error: unknown) => {
        if (!controller.signal.aborted) lose(toAgentStreamError(error, 'vendor-unreachable'));
      },
    );
  }

  function join(url: string): void {
    const socket = openSocketClient({
      url,
      headers: options.headers,
      lookup: options.lookup,
      clock,
      signal,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      idlePingMs: IDLE_PING_MS,
      onOpen() {
        const timer = clock.setTimer(SET_UP_LIMIT_MS, () => lose(new AgentStreamError('vendor-unreachable', { message: 'The vendor did not set the session up in time' })));
        state = { kind: 'setting-up', socket, timer };
        if (options.opening !== undefined) socket.send(options.opening());
      },
      onMessage(data, isBinary) {
        malformed = options.onMessage(data, isBinary) ? 0 : malformed + 1;
        const isLost = malformed >= MAX_MALFORMED || (malformed > 0 && state.kind === 'setting-up');
        if (isLost) lose(new AgentStreamError('vendor-protocol'));
      },
      onClose: (end) => lose(options.closeError?.(end) ?? lossOf(end)),
    });
    state = { kind: 'setting-up', socket, timer: null };
  }

  /** Frees what the state holds. False: the link had ended before. */
  function leave(): boolean {
    const left = state;
    state = { kind: 'ended' };
    if (left.kind === 'ended') return false;
    if ('timer' in left) left.timer?.cancel();
    if ('controller' in left) left.controller.abort();
    if ('socket' in left) left.socket.close();
    return true;
  }

  function lose(error: AgentStreamError): void {
    if (!leave()) return;
    failures += 1;
    malformed = 0;
    const delayMs = retryDelayMs(error, failures, options.hasSpare === true ? RECONNECT_WITH_SPARE : RECONNECT);
    if (delayMs === null) signal.removeEventListener('abort', close);
    else state = { kind: 'waiting', timer: clock.setTimer(delayMs, connect) };
    options.onLost(error);
    if (delayMs === null) options.onFailed(error);
  }

  function close(): void {
    leave();
    signal.removeEventListener('abort', close);
  }

  if (!signal.aborted) {
    signal.addEventListener('abort', close, { once: true });
    connect();
  }
  return {
    get isReady() {
      return state.kind === 'ready';
    },
    send: (message) => state.kind === 'ready' && state.socket.send(message),
    noteReady() {
      if (state.kind !== 'setting-up') return;
      state.timer?.cancel();
      state = { kind: 'ready', socket: state.socket };
    },
    noteWorking() {
      failures = 0;
    },
    lose,
    close,
  };
}
