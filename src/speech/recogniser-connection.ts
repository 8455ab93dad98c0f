import type { LookupFunction } from 'node:net';
import { repeat, type Clock, type Timer } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { openSocketClient, type SocketEnd } from '../base/socket-client.js';
import { createAudioFeed } from './audio-feed.js';
import type { AudioRing } from './audio-ring.js';
import { createRecogniserVitals, type RecogniserVitals } from './recogniser-vitals.js';
import type { Recognition, RecogniserWire } from './recogniser-wire.js';

const CONNECT_TIMEOUT_MS = 2000;
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
  /** Once, unless closed from this side. `isDoubt`: the vendor may be well and have heard no words. */
  readonly onLost: (error: AgentStreamError, isDoubt: boolean) => void;
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
  | { readonly name: 'starting'; readonly ticker: Timer; readonly vitals: RecogniserVitals }
  | { readonly name: 'ready'; readonly ticker: Timer; readonly vitals: RecogniserVitals }
  | { readonly name: 'ended' };

function lossOf(end: SocketEnd, wire: RecogniserWire): AgentStreamError {
  if (end.error !== undefined) return end.error;
  const meant = wire.closeError?.(end.code, end.reason);
  // 1008: the audio or the request was refused, which does not get better by trying again.
  return meant ?? new AgentStreamError(end.code === 1008 ? 'vendor-rejected' : 'vendor-unreachable', { details: { closeCode: end.code } });
}

const lossMessages = {
  late: 'The vendor did not begin the session in time.',
  stalled: 'The vendor stopped answering speech.',
  doubtful: 'The vendor has no answer to what may be speech.',
  behind: 'The vendor fell behind the audio that is kept for it.',
} as const;

const unreachable = (why: keyof typeof lossMessages) => new AgentStreamError('vendor-unreachable', { message: lossMessages[why] });

/** Connects in the background. */
export function openConnection(options: ConnectionOptions): Connection {
  const { wire, clock } = options;
  const codec = wire.createCodec();
  const feed = createAudioFeed(options.ring, wire.batchBytes, options.fromPosition);
  let phase: Phase = { name: 'connecting' };
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
      if (codec.opening !== null) socket.send(codec.opening);
      phase = { name: 'starting', ticker: repeat(clock, TICK_MS, tick), vitals: createRecogniserVitals(wire, clock.nowMs()) };
      if (wire.isReadyOnOpen) becomeReady();
    },
    onMessage(data) {
      const recognitions = codec.parse(data);
      malformed = recognitions === null ? malformed + 1 : 0;
      if (malformed >= MAX_MALFORMED) lose(new AgentStreamError('vendor-protocol'));
      for (const recognition of recognitions ?? []) take(recognition);
    },
    onClose(end) {
      leave();
      options.onLost(lossOf(end, wire), false);
    },
  });

  function take(recognition: Recognition): void {
    if (phase.name !== 'starting' && phase.name !== 'ready') return;
    if (recognition.type === 'session-failed') lose(recognition.error);
    if (recognition.type === 'session-failed' || recognition.type === 'audio-received') return;
    // Hearing that someone speaks is not yet understanding.
    phase.vitals.noteMessage(clock.nowMs(), recognition.type !== 'speech-start' && recognition.type !== 'turn-resumed');
    if (recognition.type === 'session-ready') becomeReady();
    else options.onRecognition(recognition, feed.origin);
  }

  function becomeReady(): void {
    if (phase.name !== 'starting') return;
    phase = { name: 'ready', ticker: phase.ticker, vitals: phase.vitals };
    phase.vitals.noteReady();
    feed.begin();
    sendBatches(wire.batchBytes);
    options.onReady(feed.origin);
  }

  function leave(): void {
    if (phase.name === 'starting' || phase.name === 'ready') phase.ticker.cancel();
    phase = { name: 'ended' };
  }

  function lose(error: AgentStreamError, isDoubt = false): void {
    leave();
    socket.close();
    options.onLost(error, isDoubt);
  }

  function tick(): void {
    if (phase.name !== 'starting' && phase.name !== 'ready') return;
    const nowMs = clock.nowMs();
    const verdict = phase.vitals.verdict(nowMs);
    if (verdict === 'late' || verdict === 'stalled' || verdict === 'doubtful') lose(unreachable(verdict), verdict === 'doubtful');
    if (verdict !== 'idle' || phase.name !== 'ready' || wire.keepAlive === null) return;
    phase.vitals.noteKeepAlive(nowMs);
    socket.send(wire.keepAlive.message);
  }

  function sendBatches(minBytes: number): void {
    if (phase.name !== 'ready') return;
    const { vitals } = phase;
    const isAbreast = feed.drain(minBytes, (batch, endMs) => {
      const isTaken = socket.send(codec.audio(batch, endMs));
      if (isTaken) vitals.noteAudio(batch, clock.nowMs());
      return isTaken;
    });
    if (!isAbreast) lose(unreachable('behind'));
  }

  return {
    pump: () => sendBatches(wire.batchBytes),
    finalize() {
      sendBatches(wire.minBatchBytes);
      if (phase.name !== 'ready') return;
      phase.vitals.noteRequest(clock.nowMs());
      const message = codec.finalize(feed.sentMs);
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
