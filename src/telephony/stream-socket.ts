import type { RawData, WebSocket } from 'ws';
import { repeat, type Clock, type Timer } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError, type ErrorCode } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { breachOf, truncateReason } from './close-frame.js';
import { createFloodLimiter, createStreamVitals, type StreamLimits } from './stream-limits.js';
import { readText } from './wire-text.js';

/** How often the life signs are looked at. */
const VITALS_EVERY_MS = 1000;

/** How a stream ended. */
export interface StreamEnding {
  /** The close code: the peer's, ours, or 1006 where the connection was lost. */
  readonly code: number;
  readonly reason: string;
  readonly byPeer: boolean;
}

/** Receives what happens on a socket. Callbacks are synchronous; one that throws ends the stream with 1011. */
export interface StreamSocketListener {
  onMessage(message: Buffer, isBinary: boolean, receivedAtMs: number): void;
  onMediaStalled(): void;
  /** The last callback, exactly once. */
  onClosed(ending: StreamEnding): void;
}

/** One WebSocket within its limits: floods, silence, a peer that does not read, and its closing. */
export interface StreamSocket {
  /** Null while the socket is open. */
  readonly ending: StreamEnding | null;
  send(message: string | Buffer): void;
  /** As send; false, sending nothing, where the peer does not keep up. */
  sendDroppable(message: string | Buffer): boolean;
  /** Reads no more of the peer for now; what was read already still comes. */
  pause(): void;
  resume(): void;
  /** Media is expected from now on. */
  expectMedia(): void;
  /** Media came. True where it had stalled. */
  noteMedia(nowMs: number): boolean;
  /** Idempotent. Nothing is received any more. */
  close(code: number, reason: string): void;
}

/** What a socket needs. */
export interface StreamSocketOptions {
  readonly socket: WebSocket;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: StreamLimits;
}

/** Open, being closed by us with the ending to report, or closed. */
type SocketState =
  | { readonly type: 'open' }
  | { readonly type: 'closing'; readonly ending: StreamEnding; readonly cutOff: Timer }
  | { readonly type: 'closed'; readonly ending: StreamEnding };

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

/** Takes over an upgraded socket and its callbacks. */
export function openStreamSocket({ socket, clock, log, limits }: StreamSocketOptions, listener: StreamSocketListener): StreamSocket {
  const limiter = createFloodLimiter(limits);
  const vitals = createStreamVitals(limits, clock.nowMs());
  const watch = repeat(clock, VITALS_EVERY_MS, guard(checkVitals));
  let state: SocketState = { type: 'open' };
  /** The breach of the WebSocket protocol that `ws` closed the socket for. */
  let breach: ErrorCode | null = null;

  function closeFor(error: AgentStreamError): void {
    close(error.close.code, error.close.reason);
  }

  /** Keeps whatever a callback throws within this stream. */
  function guard<Args extends readonly unknown[]>(callback: (...args: Args) => void): (...args: Args) => void {
    return (...args) => {
      try {
        callback(...args);
      } catch (error) {
        log.error('A media stream failed', { error: toAgentStreamError(error).message });
        closeFor(new AgentStreamError('internal-error'));
      }
    };
  }

  /** False: nothing may be read, either because the stream is over or because the peer floods. */
  function admit(bytes: number, nowMs: number): boolean {
    if (state.type !== 'open') return false;
    vitals.onSign(nowMs);
    if (limiter.admit(bytes, nowMs)) return true;
    closeFor(new AgentStreamError('stream-flood'));
    return false;
  }

  function checkVitals(): void {
    if (state.type !== 'open') return;
    for (const sign of vitals.check(clock.nowMs(), socket.bufferedAmount)) {
      if (sign === 'ping-due') socket.ping();
      else if (sign === 'media-stalled') listener.onMediaStalled();
      else cut(sign === 'peer-silent' ? 'The peer stopped answering' : 'The peer stopped reading');
    }
  }

  /** Ends a connection that is as good as lost, without a close frame. */
  function cut(reason: string): void {
    if (state.type !== 'open') return;
    state = { type: 'closing', ending: { code: 1006, reason, byPeer: false }, cutOff: clock.setTimer(0, () => undefined) };
    socket.terminate();
  }

  function close(code: number, reason: string): void {
    if (state.type !== 'open') return;
    const shortReason = truncateReason(reason);
    const cutOff = clock.setTimer(limits.closeMs, () => socket.terminate());
    state = { type: 'closing', ending: { code, reason: shortReason, byPeer: false }, cutOff };
    socket.close(code, shortReason);
    // The peer's answer must be read.
    socket.resume();
  }

  function endingOf(code: number, reason: Buffer): StreamEnding {
    if (state.type !== 'open') return state.ending;
    if (breach !== null) return { ...new AgentStreamError(breach).close, byPeer: false };
    return { code, reason: readText(reason.toString('utf8')) ?? '', byPeer: true };
  }

  socket.on('message', guard((data: RawData, isBinary: boolean) => {
    const nowMs = clock.nowMs();
    const message = toBuffer(data);
    if (admit(message.length, nowMs)) listener.onMessage(message, isBinary, nowMs);
  }));
  for (const sign of ['ping', 'pong'] as const) socket.on(sign, guard((data: Buffer) => void admit(data.length, clock.nowMs())));
  socket.on('error', (error) => void (breach ??= breachOf(error)));
  socket.on('close', guard((code: number, reason: Buffer) => {
    if (state.type === 'closed') return;
    const ending = endingOf(code, reason);
    if (state.type === 'closing') state.cutOff.cancel();
    state = { type: 'closed', ending };
    watch.cancel();
    listener.onClosed(ending);
  }));

  return {
    get ending() {
      return state.type === 'closed' ? state.ending : null;
    },
    send(message) {
      if (state.type === 'open') socket.send(message);
    },
    sendDroppable(message) {
      if (state.type !== 'open' || socket.bufferedAmount > limits.maxBufferedBytes) return false;
      socket.send(message);
      return true;
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    expectMedia: () => vitals.expectMedia(clock.nowMs()),
    noteMedia: (nowMs) => vitals.onMedia(nowMs),
    close,
  };
}
