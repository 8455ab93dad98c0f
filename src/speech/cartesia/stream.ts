import { randomUUID } from 'node:crypto';
import type { LookupFunction } from 'node:net';
import type { Clock } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import { openSocketClient, type SocketClient, type SocketEnd } from '../../base/socket-client.js';
import type { TextToSpeechOptions, TextToSpeechStream } from '../text-to-speech.js';
import { cancelRequest, parseSpeechMessage, type WriteRequest } from './messages.js';
import { createUtterance, type LiveUtterance, type UtteranceWire } from './utterance.js';

const CONNECT_TIMEOUT_MS = 2000;
/** A socket that did not last this long is not opened again before it is needed: the vendor would just close it again. */
const MIN_WARM_LIFE_MS = 10_000;
/** Notices a dead peer between utterances. */
const IDLE_PING_MS = 20_000;
/** Messages in a row that cannot be read before the connection is given up. */
const MAX_MALFORMED = 3;

/** Where to connect and how to write requests. */
export interface CartesiaTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly lookup?: LookupFunction | undefined;
  readonly clock: Clock;
  readonly writeRequest: WriteRequest;
}

type State =
  /** Connecting or open; text queues in the socket client. */
  | { readonly kind: 'connected'; readonly socket: SocketClient; readonly sinceMs: number }
  /** Opened by the next utterance. */
  | { readonly kind: 'cold' }
  | { readonly kind: 'closed' };

/** Opens one call's connection: one socket, kept warm, a context per utterance. */
export function openCartesiaStream(target: CartesiaTarget, options: Pick<TextToSpeechOptions, 'signal'>): TextToSpeechStream {
  const { clock } = target;
  const contexts = new Map<string, LiveUtterance>();
  let state: State = { kind: 'cold' };

  function connect(): SocketClient {
    let malformed = 0;
    const socket: SocketClient = openSocketClient({
      url: target.url,
      headers: target.headers,
      lookup: target.lookup,
      clock,
      signal: options.signal,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      idlePingMs: IDLE_PING_MS,
      onOpen: () => undefined,
      onMessage(data) {
        const isReadable = onMessage(data);
        malformed = isReadable ? 0 : malformed + 1;
        if (malformed < MAX_MALFORMED) return;
        socket.close();
        onLost({ code: 1006, reason: '', error: new AgentStreamError('vendor-protocol') });
      },
      onClose: onLost,
    });
    state = { kind: 'connected', socket, sinceMs: clock.nowMs() };
    return socket;
  }

  function onMessage(data: Buffer): boolean {
    const message = parseSpeechMessage(data);
    if (message === null) return false;
    if (message.type === 'unknown') return true;
    // Messages of contexts that were cancelled are on their way for a while; an error without a context concerns all.
    if (message.contextId !== null) contexts.get(message.contextId)?.receive(message);
    else if (message.type === 'error') for (const utterance of [...contexts.values()]) utterance.receive(message);
    return true;
  }

  function onLost(end: SocketEnd): void {
    if (state.kind !== 'connected') return;
    const livedMs = clock.nowMs() - state.sinceMs;
    state = { kind: 'cold' };
    const error = end.error ?? new AgentStreamError('vendor-unreachable', { details: { closeCode: end.code } });
    if (livedMs >= MIN_WARM_LIFE_MS && error.retryable) connect();
    for (const utterance of [...contexts.values()]) utterance.fail(error);
  }

  const currentSocket = (): SocketClient | null => {
    if (state.kind === 'closed') return null;
    return state.kind === 'connected' ? state.socket : connect();
  };

  function close(): void {
    if (state.kind === 'connected') state.socket.close();
    state = { kind: 'closed' };
    options.signal.removeEventListener('abort', close);
    for (const utterance of [...contexts.values()]) utterance.cancel();
  }

  if (options.signal.aborted) state = { kind: 'closed' };
  else {
    options.signal.addEventListener('abort', close, { once: true });
    connect();
  }

  return {
    speak(onEvent) {
      const wire: UtteranceWire = {
        openContext() {
          const contextId = randomUUID();
          contexts.set(contextId, utterance);
          return contextId;
        },
        speak: (contextId, text, isLast) => currentSocket()?.send(target.writeRequest(contextId, text, isLast)) ?? false,
        cancel(contextId) {
          if (state.kind === 'connected') state.socket.send(cancelRequest(contextId));
        },
        forget: (contextId) => void contexts.delete(contextId),
      };
      const utterance = createUtterance(clock, wire, onEvent);
      // A connection that went cold is warm again by the time the first words come.
      currentSocket();
      return utterance;
    },
    close,
  };
}
