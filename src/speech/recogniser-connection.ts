import type { LookupFunction } from 'node:net';
import { SAMPLE_RATE_HZ } from '../audio/frame.js';
import { repeat, type Clock, type Timer } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { openSocketClient, type SocketEnd } from '../base/socket-client.js';
import type { AudioRing } from './audio-ring.js';
import type { Recognition, RecogniserWire } from './recogniser-wire.js';

const BYTES_PER_MS = SAMPLE_RATE_HZ / 1000;
const CONNECT_TIMEOUT_MS = 2000;
/** From the open socket to the vendor's word that it takes audio. */
const READY_TIMEOUT_MS = 2000;
/** Speech that must have been sent since the last message before silence is suspicious. */
const STALL_SPEECH_BYTES = 4000;
/** A vendor that sends nothing at all, not even during silence, is pinged after this long. */
const IDLE_PING_MS = 1000;
const TICK_MS = 1000;
/** Messages in a row that cannot be read before the connection is given up. */
const MAX_MALFORMED = 3;

/** What a connection is opened with. */
export interface ConnectionOptions {
  readonly wire: RecogniserWire;
  readonly lookup?: LookupFunction | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly ring: AudioRing;
  /** Position of the first byte to send, or of the oldest that the ring still holds once the vendor takes audio. */
  readonly fromPosition: number;
  /** The vendor takes audio. Its audio clock begins at `origin`, a position in the ring. */
  readonly onReady: (origin: number) => void;
  readonly onRecognition: (recognition: Recognition, origin: number) => void;
  /** Once, unless closed from this side. */
  readonly onLost: (error: AgentStreamError) => void;
}

/** One connection to a recogniser. */
export interface Connection {
  /** Sends what the ring holds in whole batches. */
  pump(): void;
  /** Sends everything the ring holds, then asks for what is still in the recogniser. */
  finalize(): void;
  close(): void;
}

type Phase =
  | { readonly name: 'connecting' }
  | { readonly name: 'starting'; readonly ticker: Timer; readonly dueMs: number }
  | { readonly name: 'ready'; readonly ticker: Timer }
  | { readonly name: 'ended' };

/** Whether mu-law audio may hold speech: a tenth of its samples reach about -30 dBFS (G.711 segment 3). */
function isLoud(audio: Buffer): boolean {
  let loud = 0;
  for (let i = 0; i < audio.length; i += 8) if (((~(audio[i] ?? 0xff) >> 4) & 7) >= 3) loud += 1;
  return loud * 80 >= audio.length;
}

function lossOf(end: SocketEnd, wire: RecogniserWire): AgentStreamError {
  if (end.error !== undefined) return end.error;
  const meant = wire.closeError?.(end.code, end.reason);
  // 1008: the audio or the request was refused, which does not get better by trying again.
  return meant ?? new AgentStreamError(end.code === 1008 ? 'vendor-rejected' : 'vendor-unreachable', { details: { closeCode: end.code } });
}

const unreachable = (message: string) => new AgentStreamError('vendor-unreachable', { message });

/** Connects in the background. */
export function openConnection(options: ConnectionOptions): Connection {
  const { wire, clock, ring } = options;
  const codec = wire.createCodec();
  let phase: Phase = { name: 'connecting' };
  let origin = options.fromPosition;
  let sent = origin;
  let audioSentMs = clock.nowMs();
  let messageMs = clock.nowMs();
  let speechBytes = 0;
  let malformed = 0;

  const socket = openSocketClient({
    url: wire.url,
    headers: wire.headers,
    lookup: options.lookup,
    clock,
    signal: options.signal,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    idlePingMs: IDLE_PING_MS,
    onOpen() {
      audioSentMs = messageMs = clock.nowMs();
      if (codec.opening !== null) socket.send(codec.opening);
      phase = { name: 'starting', ticker: repeat(clock, TICK_MS, tick), dueMs: clock.nowMs() + READY_TIMEOUT_MS };
      if (wire.isReadyOnOpen) becomeReady();
    },
    onMessage(data) {
      const recognitions = codec.parse(data);
      if (recognitions === null) {
        malformed += 1;
        if (malformed >= MAX_MALFORMED) lose(new AgentStreamError('vendor-protocol'));
        return;
      }
      malformed = 0;
      for (const recognition of recognitions) take(recognition);
    },
    onClose(end) {
      leave();
      options.onLost(lossOf(end, wire));
    },
  });

  function take(recognition: Recognition): void {
    if (phase.name === 'ended') return;
    if (recognition.type === 'session-failed') {
      lose(recognition.error);
      return;
    }
    if (recognition.type === 'audio-received') return;
    speechBytes = 0;
    messageMs = clock.nowMs();
    if (recognition.type === 'session-ready') becomeReady();
    else options.onRecognition(recognition, origin);
  }

  function becomeReady(): void {
    if (phase.name !== 'starting') return;
    phase = { name: 'ready', ticker: phase.ticker };
    origin = sent = Math.max(sent, ring.start);
    pump();
    options.onReady(origin);
  }

  function leave(): void {
    if (phase.name === 'starting' || phase.name === 'ready') phase.ticker.cancel();
    phase = { name: 'ended' };
  }

  function lose(error: AgentStreamError): void {
    leave();
    socket.close();
    options.onLost(error);
  }

  function tick(): void {
    const nowMs = clock.nowMs();
    if (phase.name === 'starting' && nowMs >= phase.dueMs) {
      lose(unreachable('The vendor did not begin the session in time.'));
    } else if (wire.stallAfterMs !== null && speechBytes >= STALL_SPEECH_BYTES && nowMs - messageMs >= wire.stallAfterMs) {
      lose(unreachable('The vendor stopped answering speech.'));
    } else if (phase.name === 'ready' && wire.keepAlive !== null && nowMs - audioSentMs >= wire.keepAlive.afterMs) {
      audioSentMs = nowMs;
      socket.send(wire.keepAlive.message);
    }
  }

  const sentMs = () => (sent - origin) / BYTES_PER_MS;

  function sendBatches(minBytes: number): void {
    if (phase.name !== 'ready') return;
    if (sent < ring.start) {
      // What the vendor is never sent would shift its clock against ours.
      lose(unreachable('The vendor fell behind the audio that is kept for it.'));
      return;
    }
    while (ring.end - sent >= minBytes) {
      const batch = ring.view(sent, wire.batchBytes);
      if (!socket.send(codec.audio(batch, sentMs() + batch.length / BYTES_PER_MS))) return;
      sent += batch.length;
      audioSentMs = clock.nowMs();
      if (isLoud(batch)) speechBytes += batch.length;
    }
  }

  function pump(): void {
    sendBatches(wire.batchBytes);
  }

  return {
    pump,
    finalize() {
      sendBatches(1);
      const message = phase.name === 'ready' ? codec.finalize(sentMs()) : null;
      if (message !== null) socket.send(message);
    },
    close() {
      const message = phase.name === 'ready' ? codec.close() : null;
      leave();
      if (message !== null) socket.send(message);
      socket.close();
    },
  };
}
