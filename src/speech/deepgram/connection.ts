import type { LookupFunction } from 'node:net';
import { repeat, type Clock, type Timer } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import { openSocketClient, type SocketEnd } from '../../base/socket-client.js';
import type { AudioRing } from '../audio-ring.js';
import { closeStreamMessage, finalizeMessage, keepAliveMessage, parseListenMessage, type ListenMessage } from './messages.js';

/** Audio per message: 60 ms. */
const BATCH_BYTES = 480;
const CONNECT_TIMEOUT_MS = 2000;
/** Deepgram closes a connection that gets neither audio nor KeepAlive for 10 s, and asks for one every 3 to 5 s. */
const KEEP_ALIVE_AFTER_MS = 4000;
/** Deepgram reports about once a second of audio. Speech that brings no message for this long went nowhere. */
const STALL_AFTER_MS = 3000;
/** Speech that must have been sent since the last message before silence is suspicious. */
const STALL_SPEECH_BYTES = 4000;
/** A vendor that sends nothing at all, not even during silence, is pinged after this long. */
const IDLE_PING_MS = 1000;
const TICK_MS = 1000;
/** Messages in a row that cannot be read before the connection is given up. */
const MAX_MALFORMED = 3;

/** What a connection is opened with. */
export interface ConnectionOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly lookup?: LookupFunction | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly ring: AudioRing;
  /** Position in the ring of the first byte to send. */
  readonly fromPosition: number;
  readonly onOpen: () => void;
  readonly onResults: (results: Extract<ListenMessage, { type: 'results' }>) => void;
  /** Once, unless closed from this side. */
  readonly onLost: (error: AgentStreamError) => void;
}

/** One connection to Deepgram. Its audio clock starts at `fromPosition`. */
export interface Connection {
  readonly fromPosition: number;
  /** Sends what the ring holds in whole batches. */
  pump(): void;
  /** Sends everything the ring holds, then asks for what is still in the recogniser. */
  finalize(): void;
  close(): void;
}

/** Whether mu-law audio may hold speech: a tenth of its samples reach about -30 dBFS (G.711 segment 3). */
function isLoud(audio: Buffer): boolean {
  let loud = 0;
  for (let i = 0; i < audio.length; i += 8) if (((~(audio[i] ?? 0xff) >> 4) & 7) >= 3) loud += 1;
  return loud * 80 >= audio.length;
}

function lossOf(end: SocketEnd): AgentStreamError {
  if (end.error !== undefined) return end.error;
  // 1008: the audio or the request was refused (DATA-0000), which does not get better by trying again.
  return new AgentStreamError(end.code === 1008 ? 'vendor-rejected' : 'vendor-unreachable', { details: { closeCode: end.code } });
}

/** Connects in the background. */
export function openConnection(options: ConnectionOptions): Connection {
  const { clock, ring } = options;
  let sent = options.fromPosition;
  let audioSentMs = clock.nowMs();
  let messageMs = clock.nowMs();
  let speechBytes = 0;
  let malformed = 0;
  let ticker: Timer | null = null;

  const socket = openSocketClient({
    url: options.url,
    headers: options.headers,
    lookup: options.lookup,
    clock,
    signal: options.signal,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    idlePingMs: IDLE_PING_MS,
    onOpen() {
      audioSentMs = messageMs = clock.nowMs();
      ticker = repeat(clock, TICK_MS, tick);
      pump();
      options.onOpen();
    },
    onMessage(data) {
      const message = parseListenMessage(data);
      if (message === null) {
        malformed += 1;
        if (malformed >= MAX_MALFORMED) lose(new AgentStreamError('vendor-protocol'));
        return;
      }
      malformed = 0;
      speechBytes = 0;
      messageMs = clock.nowMs();
      // An error message is followed by the close frame that says which one it is.
      if (message.type === 'results') options.onResults(message);
    },
    onClose(end) {
      ticker?.cancel();
      options.onLost(lossOf(end));
    },
  });

  function lose(error: AgentStreamError): void {
    ticker?.cancel();
    socket.close();
    options.onLost(error);
  }

  function tick(): void {
    const nowMs = clock.nowMs();
    if (speechBytes >= STALL_SPEECH_BYTES && nowMs - messageMs >= STALL_AFTER_MS) {
      lose(new AgentStreamError('vendor-unreachable', { message: 'The vendor stopped answering speech.' }));
    } else if (nowMs - audioSentMs >= KEEP_ALIVE_AFTER_MS) {
      audioSentMs = nowMs;
      socket.send(keepAliveMessage);
    }
  }

  function sendBatches(minBytes: number): void {
    if (ticker === null) return;
    sent = Math.max(sent, ring.start);
    while (ring.end - sent >= minBytes) {
      const batch = ring.view(sent, BATCH_BYTES);
      if (!socket.send(batch)) return;
      sent += batch.length;
      audioSentMs = clock.nowMs();
      if (isLoud(batch)) speechBytes += batch.length;
    }
  }

  function pump(): void {
    sendBatches(BATCH_BYTES);
  }

  return {
    fromPosition: options.fromPosition,
    pump,
    finalize() {
      sendBatches(1);
      if (ticker !== null) socket.send(finalizeMessage);
    },
    close() {
      ticker?.cancel();
      socket.send(closeStreamMessage);
      socket.close();
    },
  };
}
