import { WebSocket } from 'ws';
import { FRAME_MS } from '../audio/frame.js';
import type { Clock, Timer } from '../base/clock.js';
import type { SpokenSpan } from './caller-voice.js';
import type { CarrierFault } from './carrier-faults.js';
import { serializeConnected, serializeStart, type CarrierCall } from './cloudonix-wire.js';
import { createDeferred } from './deferred.js';
import { createMediaExchange, type ExchangeStats, type MediaEvent, type MediaExchange } from './media-exchange.js';
import type { MarkEcho } from './playout-buffer.js';

/** How long the server may take to accept the socket. */
const OPEN_TIMEOUT_MS = 10_000;

/** How long the server may take to answer our close frame. */
const CLOSE_TIMEOUT_MS = 2_000;

/** Frames sent at once after a stall of this process; the rest follows in the next turn of the event loop. */
const CATCH_UP_FRAMES_LIMIT = 100;

/** A frame later than this is a stall of this process; less is the granularity of timers. */
const STALL_MS = FRAME_MS;

/** Largest message a carrier takes. */
const MESSAGE_BYTES_LIMIT = 1 << 20;

/** How a stream ended, or why it never began. */
export type StreamEnding =
  | { readonly type: 'unreachable'; readonly problem: string }
  | { readonly type: 'not-upgraded'; readonly httpStatus: number }
  | { readonly type: 'closed'; readonly code: number; readonly reason: string; readonly by: 'server' | 'carrier' };

/** What happens on a stream. */
export type CarrierEvent =
  | MediaEvent
  | { readonly type: 'stream-opened' }
  | { readonly type: 'stream-closed'; readonly ending: StreamEnding };

/** How a stream is opened. */
export interface CarrierOptions extends CarrierCall {
  /** ws or wss URL of the agent stream. */
  readonly url: string;
  readonly clock: Clock;
  readonly echoMarks: MarkEcho;
  readonly faults?: readonly CarrierFault[];
  /** Aborting drops the socket without a word. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: CarrierEvent) => void;
  /**
   * Both sides of the 20 ms that have just passed, mu-law: what the caller said and what the caller heard.
   * Valid during the callback only.
   */
  readonly onFrame?: (index: number, said: Uint8Array, heard: Uint8Array) => void;
}

/** One simulated call's media stream, seen from the carrier. */
export interface CarrierStream {
  /** False where the server could not be reached or refused the upgrade. */
  readonly opened: Promise<boolean>;
  readonly ended: Promise<StreamEnding>;
  /**
   * Milliseconds of the call's timeline: since the `start` message, but never beyond the frame under way. So what the server sent during
   * a stall of this process counts as come in time: a real carrier would have played it, and the server is not to blame for the hole.
   */
  nowMs(): number;
  /** 8 kHz mu-law, sent in real time after what is already queued. Resolves when it was sent, or the stream ended. */
  speak(audio: Uint8Array): Promise<SpokenSpan>;
  sendDtmf(digit: string): void;
  /** The caller hangs up: `stop`, then close. */
  hangUp(): void;
  /** The carrier vanishes: the socket is destroyed without `stop` or close frame. */
  drop(): void;
  /** Both tracks from 0 to the last frame, equally long. */
  recording(): { readonly caller: Uint8Array; readonly agent: Uint8Array };
  stats(): ExchangeStats;
}

type Phase =
  | { readonly name: 'connecting'; readonly timeout: Timer }
  | { readonly name: 'streaming'; readonly originMs: number; timer: Timer | null }
  | { readonly name: 'closing'; readonly originMs: number; readonly timeout: Timer }
  | { readonly name: 'ended' };

const droppedByCarrier: StreamEnding = { type: 'closed', code: 1006, reason: '', by: 'carrier' };

function createExchange(options: CarrierOptions, socket: WebSocket): MediaExchange {
  return createMediaExchange({
    call: options,
    echoMarks: options.echoMarks,
    faults: options.faults ?? [],
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    onEvent: (event) => options.onEvent?.(event),
    onFrame: (index, said, heard) => options.onFrame?.(index, said, heard),
  });
}

/** Plays the carrier's side of one Cloudonix media stream against a real server. */
export function openCarrierStream(options: CarrierOptions): CarrierStream {
  const { clock } = options;
  const socket = new WebSocket(options.url, { perMessageDeflate: false, maxPayload: MESSAGE_BYTES_LIMIT });
  const exchange = createExchange(options, socket);
  const opened = createDeferred<boolean>();
  const ended = createDeferred<StreamEnding>();
  let phase: Phase = {
    name: 'connecting',
    timeout: clock.setTimer(OPEN_TIMEOUT_MS, () => end({ type: 'unreachable', problem: `no answer within ${OPEN_TIMEOUT_MS} ms` })),
  };

  const elapsedMs = () =>
    phase.name === 'streaming' || phase.name === 'closing' ? clock.nowMs() - phase.originMs : exchange.frameCount * FRAME_MS;
  const nextFrameMs = () => (exchange.frameCount + 1) * FRAME_MS;

  const nowMs = () => (phase.name === 'streaming' ? Math.min(elapsedMs(), nextFrameMs()) : elapsedMs());

  function end(ending: StreamEnding): void {
    if (phase.name === 'ended') return;
    if (phase.name === 'streaming') phase.timer?.cancel();
    else phase.timeout.cancel();
    phase = { name: 'ended' };
    options.signal?.removeEventListener('abort', drop);
    exchange.close();
    socket.terminate();
    options.onEvent?.({ type: 'stream-closed', ending });
    opened.resolve(false);
    ended.resolve(ending);
  }

  /** A frame is due when its last sample has been spoken, on an absolute schedule that never drifts. */
  function onFrameDue(): void {
    if (phase.name !== 'streaming') return;
    const untilMs = elapsedMs();
    // After a stall, what lies in the socket is read before the call moves on.
    if (untilMs - nextFrameMs() > STALL_MS) setImmediate(() => passFrames(untilMs));
    else passFrames(untilMs);
  }

  function passFrames(untilMs: number): void {
    for (let count = 0; count < CATCH_UP_FRAMES_LIMIT; count += 1) {
      if (phase.name !== 'streaming' || untilMs < nextFrameMs()) break;
      exchange.passFrame();
    }
    if (phase.name === 'streaming') phase.timer = clock.setTimer(nextFrameMs() - elapsedMs(), onFrameDue);
  }

  function start(): void {
    if (phase.name !== 'connecting') return;
    phase.timeout.cancel();
    socket.send(serializeConnected());
    socket.send(serializeStart(options));
    phase = { name: 'streaming', originMs: clock.nowMs(), timer: null };
    options.onEvent?.({ type: 'stream-opened' });
    opened.resolve(true);
    onFrameDue();
  }

  function hangUp(): void {
    if (phase.name === 'connecting') return drop();
    if (phase.name !== 'streaming') return;
    phase.timer?.cancel();
    if (options.faults?.some((fault) => fault.type === 'omit-stop') !== true) exchange.sendStop();
    phase = { name: 'closing', originMs: phase.originMs, timeout: clock.setTimer(CLOSE_TIMEOUT_MS, () => end(droppedByCarrier)) };
    socket.close(1000);
  }

  function drop(): void {
    end(phase.name === 'connecting' ? { type: 'unreachable', problem: 'given up' } : droppedByCarrier);
  }

  socket.on('open', start);
  socket.on('message', (data: Buffer, isBinary) => {
    if (phase.name === 'streaming' || phase.name === 'closing') exchange.receive(data, isBinary, nowMs());
  });
  socket.on('unexpected-response', (_request, response) => end({ type: 'not-upgraded', httpStatus: response.statusCode ?? 0 }));
  // After the upgrade `close` follows every error and tells the code.
  socket.on('error', (error) => {
    if (phase.name === 'connecting') end({ type: 'unreachable', problem: error.message });
  });
  socket.on('close', (code, reason) =>
    end({ type: 'closed', code, reason: reason.toString('utf8'), by: phase.name === 'closing' ? 'carrier' : 'server' }),
  );
  if (options.signal?.aborted === true) drop();
  else options.signal?.addEventListener('abort', drop, { once: true });

  return {
    opened: opened.promise,
    ended: ended.promise,
    nowMs,
    speak: (audio) => (phase.name === 'ended' ? Promise.resolve({ startMs: nowMs(), endMs: nowMs() }) : exchange.speak(audio)),
    sendDtmf: (digit) => exchange.sendDtmf(digit),
    hangUp,
    drop,
    recording: () => exchange.recording(),
    stats: () => exchange.stats(),
  };
}
