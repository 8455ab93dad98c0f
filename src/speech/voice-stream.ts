import { randomUUID } from 'node:crypto';
import type { LookupFunction } from 'node:net';
import type { Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { openSocketClient, type SocketClient, type SocketEnd } from '../base/socket-client.js';
import { createSpokenUtterance, type ContextTimes, type SpokenUtterance, type UtteranceWire } from './spoken-utterance.js';
import type { TextToSpeechOptions, TextToSpeechStream } from './text-to-speech.js';
import type { VoiceMessage, VoiceProtocol } from './voice-protocol.js';

const CONNECT_TIMEOUT_MS = 2000;
/** A socket that did not last this long is not opened again before it is needed: the vendor would just close it again. */
const MIN_WARM_LIFE_MS = 10_000;
/** Notices a dead peer between utterances. */
const IDLE_PING_MS = 20_000;
/** Messages in a row that cannot be read before the connection is given up. */
const MAX_MALFORMED = 3;

/** Where to connect and what to speak there. */
export interface VoiceTarget extends ContextTimes {
  /** Never logged: it may hold settings that name a customer’s voice. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly lookup?: LookupFunction | undefined;
  readonly clock: Clock;
  /** Called for each connection. */
  readonly createProtocol: () => VoiceProtocol;
}

type State =
  /** Connecting or open; text queues in the socket client. */
  | { readonly kind: 'connected'; readonly socket: SocketClient; readonly protocol: VoiceProtocol; readonly sinceMs: number }
  /** Opened by the next utterance. */
  | { readonly kind: 'cold' }
  | { readonly kind: 'closed' };

type Connected = Extract<State, { kind: 'connected' }>;

function sendAll(connection: Connected, messages: readonly string[]): boolean {
  return messages.every((message) => connection.socket.send(message));
}

function errorOf(end: SocketEnd, protocol: VoiceProtocol): AgentStreamError {
  if (end.error !== undefined) return end.error;
  return protocol.errorOfClose?.(end) ?? new AgentStreamError('vendor-unreachable', { details: { closeCode: end.code } });
}

/**
 * Opens one call’s voice over a vendor’s WebSocket: one socket, kept warm, one context or more per utterance. A socket that is lost
 * fails what is being spoken, and is opened again at once where it had lived, else by the next utterance.
 */
export function openVoiceStream(target: VoiceTarget, options: Pick<TextToSpeechOptions, 'signal'>): TextToSpeechStream {
  const { clock } = target;
  const contexts = new Map<string, SpokenUtterance>();
  let state: State = { kind: 'cold' };

  function connect(): Connected {
    const protocol = target.createProtocol();
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
      onMessage(data, isBinary) {
        const messages = protocol.parse(data, isBinary);
        malformed = messages === null ? malformed + 1 : 0;
        if (malformed >= MAX_MALFORMED) abandon(new AgentStreamError('vendor-protocol'));
        for (const message of messages ?? []) {
          if (typeof message === 'string') socket.send(message);
          else deliver(message);
        }
      },
      onClose: (end) => lose(errorOf(end, protocol)),
    });
    const connection: Connected = { kind: 'connected', socket, protocol, sinceMs: clock.nowMs() };
    state = connection;
    return connection;
  }

  function deliver(message: VoiceMessage): void {
    // Messages of contexts that were cancelled are on their way for a while.
    if (message.contextId !== null) contexts.get(message.contextId)?.receive(message);
    else for (const utterance of [...contexts.values()]) utterance.receive(message);
  }

  function lose(error: AgentStreamError): void {
    if (state.kind !== 'connected') return;
    const livedMs = clock.nowMs() - state.sinceMs;
    state = { kind: 'cold' };
    if (livedMs >= MIN_WARM_LIFE_MS && error.retryable) connect();
    for (const utterance of [...contexts.values()]) utterance.fail(error);
  }

  function abandon(error: AgentStreamError): void {
    if (state.kind === 'connected') state.socket.close();
    lose(error);
  }

  const currentConnection = (): Connected | null => {
    if (state.kind === 'closed') return null;
    return state.kind === 'connected' ? state : connect();
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
        speak(contextId, text, isLast) {
          const connection = currentConnection();
          return connection !== null && sendAll(connection, connection.protocol.speak(contextId, text, isLast));
        },
        cancel(contextId) {
          if (state.kind === 'connected') sendAll(state, state.protocol.cancel(contextId));
        },
        forget: (contextId) => void contexts.delete(contextId),
        abandon,
      };
      const utterance = createSpokenUtterance(clock, wire, onEvent, target);
      // A connection that went cold is warm again by the time the first words come.
      currentConnection();
      return utterance;
    },
    close,
  };
}
