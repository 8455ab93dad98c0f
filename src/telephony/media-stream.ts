import type { WebSocket } from 'ws';
import { createDecoder, createEncoder, type AudioConverter } from '../audio/convert.js';
import { createJitter, type Jitter } from '../audio/jitter.js';
import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError, type ErrorCode } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Dialect, StreamMessage, StreamReader, StreamStart, StreamWriter } from './dialect.js';
import { advanceHandshake, initialHandshake, missingStepCode, type Handshake } from './handshake.js';
import { createProtocolReporter, type ProtocolEventData, type ProtocolEventType, type ProtocolReporter } from './protocol-events.js';
import { createMessageLimiter, defaultStreamLimits, type MessageLimiter, type StreamLimits } from './stream-limits.js';
import { openStreamSocket, type StreamEnding, type StreamSocket } from './stream-socket.js';

export type { StreamEnding } from './stream-socket.js';

/** Messages kept before the dialect is known; then the peer is not read until it is. */
const MAX_EARLY_MESSAGES = 8;

/** Control messages kept between handshake and start, besides `stop`. */
const MAX_WAITING_MESSAGES = 8;

/** Receives what the caller's side sends. Callbacks are synchronous. */
export interface MediaStreamSink {
  /** 20 ms of mu-law, in order and without gaps; valid during the callback. `atMs`: monotonic time of arrival. */
  onAudio(frame: Uint8Array, atMs: number): void;
  onDtmf(digit: string): void;
  onMark(name: string): void;
  /** The provider ended the stream; the socket may stay open. */
  onStop(): void;
  /** The last callback, exactly once, also where the socket closed before {@link MediaStream.start}. */
  onClose(ending: StreamEnding): void;
  /** Something about the peer's protocol worth recording; each kind at most once a second. */
  onProtocolEvent(type: ProtocolEventType, data: ProtocolEventData): void;
}

/** One provider's media stream over one socket, from upgrade to close. Owns the socket. */
export interface MediaStream {
  /** Aborts when the socket has closed. */
  readonly closed: AbortSignal;
  /** How the socket closed; null while it is open or closing. */
  readonly ending: StreamEnding | null;
  /**
   * The first `count` messages as text, for recognising the provider; they stay in place for the handshake. Fewer where a binary
   * message, which is no handshake of a text protocol, or the end comes first.
   * @throws AgentStreamError `handshake-timeout`, `expected-connected` where the peer closed, or the signal's reason.
   */
  firstMessages(count: number, signal?: AbortSignal): Promise<readonly string[]>;
  /**
   * Reads the dialect's handshake, within 10 s of the opening. The owner closes the stream with the error's close code.
   * @throws AgentStreamError a code of the handshake family, or the signal's reason.
   */
  handshake(dialect: Dialect, signal?: AbortSignal): Promise<StreamStart>;
  /** After the handshake: what arrives goes to the sink. Media that came before is not delivered, key presses and `stop` are. */
  start(sink: MediaStreamSink): void;
  /** Sends mu-law frames; dropped where the peer does not keep up. */
  sendMedia(frame: Uint8Array): void;
  sendMark(name: string): void;
  sendClear(): void;
  /** Idempotent; the connection is cut where the peer does not answer within 2 s. Nothing is received any more. */
  close(code: number, reason: string): void;
}

/** What a stream needs. */
export interface MediaStreamOptions {
  readonly socket: WebSocket;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<StreamLimits>;
}

/** The parts of a stream whose handshake is complete. */
interface Wire {
  readonly start: StreamStart;
  readonly writer: StreamWriter;
  readonly decode: AudioConverter;
  readonly encode: AudioConverter;
}

interface RawMessage {
  readonly message: Buffer;
  readonly isBinary: boolean;
}

type Phase =
  | { readonly type: 'opening'; readonly onMessage: () => void }
  | {
      readonly type: 'shaking-hands';
      readonly dialect: Dialect;
      readonly progress: Handshake;
      readonly settle: (result: StreamStart | AgentStreamError) => void;
    }
  | { readonly type: 'ready'; readonly wire: Wire; readonly waiting: StreamMessage[]; earlyMedia: number }
  | {
      readonly type: 'streaming';
      readonly wire: Wire;
      readonly sink: MediaStreamSink;
      readonly jitter: Jitter;
      readonly reporter: ProtocolReporter;
    }
  /** Refused: what the peer still sends is ignored until the owner closes. */
  | { readonly type: 'refused' };

/** Takes over an upgraded socket. */
export function openMediaStream(options: MediaStreamOptions): MediaStream {
  return new SocketMediaStream(options);
}

class SocketMediaStream implements MediaStream {
  readonly #clock: Clock;
  readonly #openedMs: number;
  readonly #handshakeMs: number;
  readonly #limiter: MessageLimiter;
  readonly #closing = new AbortController();
  readonly #socket: StreamSocket;
  readonly #early: RawMessage[] = [];
  #phase: Phase = { type: 'opening', onMessage: () => undefined };
  #reader: StreamReader | null = null;
  #receivedAtMs = 0;

  constructor({ socket, clock, log, limits: overrides }: MediaStreamOptions) {
    const limits = { ...defaultStreamLimits, ...overrides };
    this.#clock = clock;
    this.#openedMs = clock.nowMs();
    this.#handshakeMs = limits.handshakeMs;
    this.#limiter = createMessageLimiter(limits);
    this.#socket = openStreamSocket(
      { socket, clock, log, limits },
      {
        onMessage: (message, isBinary, receivedAtMs) => this.#receive(message, isBinary, receivedAtMs),
        onMediaStalled: () => this.#report('media-stalled', {}),
        onClosed: (ending) => this.#onClosed(ending),
      },
    );
  }

  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  get ending(): StreamEnding | null {
    return this.#socket.ending;
  }

  async firstMessages(count: number, signal?: AbortSignal): Promise<readonly string[]> {
    const hasEnough = () => this.#early.length >= count || this.#early.some(({ isBinary }) => isBinary);
    await this.#inTime<undefined>(signal, 'expected-connected', (settle) => {
      this.#phase = { type: 'opening', onMessage: () => hasEnough() && settle(undefined) };
      if (hasEnough()) settle(undefined);
    });
    const firstBinary = this.#early.findIndex(({ isBinary }) => isBinary);
    return this.#early.slice(0, firstBinary === -1 ? count : firstBinary).map(({ message }) => message.toString('utf8'));
  }

  async handshake(dialect: Dialect, signal?: AbortSignal): Promise<StreamStart> {
    try {
      const result = await this.#inTime<StreamStart | AgentStreamError>(signal, missingStepCode(dialect, initialHandshake), (settle) => {
        this.#phase = { type: 'shaking-hands', dialect, progress: initialHandshake, settle };
        this.#reader = dialect.createReader({
          onMedia: (payload, sequence, timestampMs) => this.#onMedia(payload, sequence, timestampMs),
          onMessage: (message) => this.#onMessage(message),
        });
        for (const { message, isBinary } of this.#early.splice(0)) this.#reader.read(message, isBinary);
        this.#socket.resume();
      });
      if (result instanceof AgentStreamError) throw result;
      return result;
    } catch (error) {
      this.#phase = { type: 'refused' };
      throw error;
    }
  }

  start(sink: MediaStreamSink): void {
    const phase = this.#phase;
    if (phase.type !== 'ready') throw new AgentStreamError('internal-error', { message: 'A stream starts once, after its handshake' });
    const reporter = createProtocolReporter((type, data) => sink.onProtocolEvent(type, data));
    const jitter = createJitter({
      onFrame: (frame) => sink.onAudio(frame, this.#receivedAtMs),
      onGap: (gapMs) => this.#report('media-gap', { gap_ms: Math.round(gapMs) }),
    });
    this.#phase = { type: 'streaming', wire: phase.wire, sink, jitter, reporter };
    this.#socket.expectMedia();
    if (phase.earlyMedia > 0) this.#report('media-early', { messages: phase.earlyMedia });
    for (const message of phase.waiting) this.#onMessage(message);
    const ending = this.#socket.ending;
    if (ending !== null) sink.onClose(ending);
  }

  sendMedia(frame: Uint8Array): void {
    const phase = this.#phase;
    if (phase.type !== 'streaming' && phase.type !== 'ready') return;
    const message = phase.wire.writer.media(phase.wire.encode(frame));
    if (!this.#socket.sendDroppable(message) && !this.closed.aborted) this.#report('media-unsent', {});
  }

  sendMark(name: string): void {
    this.#send((writer) => writer.mark(name));
  }

  sendClear(): void {
    this.#send((writer) => writer.clear());
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  #send(serialize: (writer: StreamWriter) => string | Buffer | null): void {
    const phase = this.#phase;
    if (phase.type !== 'streaming' && phase.type !== 'ready') return;
    const message = serialize(phase.wire.writer);
    if (message !== null) this.#socket.send(message);
  }

  /** Waits for `begin` to settle: within the handshake's time, while the socket is open. */
  #inTime<Result>(signal: AbortSignal | undefined, closedCode: ErrorCode, begin: (settle: (result: Result) => void) => void): Promise<Result> {
    const remainingMs = this.#openedMs + this.#handshakeMs - this.#clock.nowMs();
    const deadline = deadlineSignal(this.#clock, remainingMs, signal, () => new AgentStreamError('handshake-timeout'));
    const closed = () => new AgentStreamError(closedCode, { details: { peer_close_code: this.ending?.code ?? 1006 } });
    return new Promise<Result>((resolve, reject) => {
      if (this.closed.aborted) return reject(closed());
      if (deadline.signal.aborted) return reject(deadline.signal.reason);
      deadline.signal.addEventListener('abort', () => reject(deadline.signal.reason), { once: true });
      this.closed.addEventListener('abort', () => reject(closed()), { once: true });
      begin(resolve);
    }).finally(() => deadline.dispose());
  }

  #receive(message: Buffer, isBinary: boolean, receivedAtMs: number): void {
    this.#receivedAtMs = receivedAtMs;
    if (this.#phase.type === 'opening') {
      this.#early.push({ message, isBinary });
      if (this.#early.length >= MAX_EARLY_MESSAGES) this.#socket.pause();
      this.#phase.onMessage();
    } else if (this.#phase.type !== 'refused') this.#reader?.read(message, isBinary);
  }

  #onMedia(payload: Uint8Array, sequence: number, timestampMs: number): void {
    const phase = this.#phase;
    if (phase.type === 'streaming') {
      if (this.#socket.noteMedia(this.#receivedAtMs)) this.#report('media-resumed', {});
      phase.jitter.push(phase.wire.decode(payload), sequence, timestampMs);
    } else if (phase.type === 'ready') phase.earlyMedia += 1;
    else this.#advance({ type: 'media' });
  }

  #onMessage(message: StreamMessage): void {
    const phase = this.#phase;
    if (phase.type !== 'ready' && phase.type !== 'streaming') this.#advance(message);
    else if (!isControl(message)) this.#judge(message, phase.wire.start);
    else if (phase.type === 'streaming') this.#deliver(message, phase.sink, phase.jitter);
    else if (message.type === 'stop' || phase.waiting.length < MAX_WAITING_MESSAGES) keepWaiting(phase.waiting, message);
  }

  #advance(message: StreamMessage | { readonly type: 'media' }): void {
    const phase = this.#phase;
    if (phase.type !== 'shaking-hands') return;
    const progress = advanceHandshake(phase.dialect, phase.progress, message);
    if (progress.type === 'awaiting') {
      this.#phase = { ...phase, progress };
    } else if (progress.type === 'failed') {
      this.#phase = { type: 'refused' };
      phase.settle(progress.error);
    } else {
      const { start } = progress;
      const wire: Wire = {
        start,
        writer: phase.dialect.createWriter(start),
        decode: createDecoder(start.inboundFormat),
        encode: createEncoder(start.outboundFormat),
      };
      this.#phase = { type: 'ready', wire, waiting: [], earlyMedia: 0 };
      phase.settle(start);
    }
  }

  #deliver(message: ControlMessage, sink: MediaStreamSink, jitter: Jitter): void {
    switch (message.type) {
      case 'dtmf':
        if (this.#limiter.admitDtmf(this.#clock.nowMs())) sink.onDtmf(message.digit);
        else this.#report('dtmf-limited', {});
        return;
      case 'mark':
        return sink.onMark(message.name);
      case 'stop':
        jitter.flush();
        return sink.onStop();
    }
  }

  /** What has no place after the handshake. */
  #judge(message: Exclude<StreamMessage, ControlMessage>, first: StreamStart): void {
    if (message.type === 'start') return this.#judgeStart(message.start, first);
    if (message.type !== 'malformed') {
      const name = message.type === 'connected' ? 'connected' : message.name;
      if (this.#phase.type === 'streaming') this.#phase.reporter.reportUnknown(name, this.#clock.nowMs());
    } else if (message.code === 'wrong-frame-type') this.#refuse('wrong-frame-type');
    else if (!this.#limiter.admitMalformed(this.#clock.nowMs())) this.#refuse('too-many-malformed-messages');
    else this.#report('message-malformed', { problem: message.problem });
  }

  #judgeStart(again: StreamStart, first: StreamStart): void {
    if (again.streamId !== first.streamId || again.sessionId !== first.sessionId || again.callId !== first.callId) {
      this.#refuse('duplicate-start');
    } else if (again.inboundFormat.encoding !== first.inboundFormat.encoding) {
      this.#report('media-format-changed', { from: first.inboundFormat.encoding, to: again.inboundFormat.encoding });
    } else this.#report('start-duplicated', {});
  }

  #refuse(code: ErrorCode): void {
    const { close } = new AgentStreamError(code);
    this.close(close.code, close.reason);
  }

  #report(type: ProtocolEventType, data: ProtocolEventData): void {
    if (this.#phase.type === 'streaming') this.#phase.reporter.report(type, data, this.#clock.nowMs());
  }

  #onClosed(ending: StreamEnding): void {
    this.#closing.abort();
    const phase = this.#phase;
    if (phase.type !== 'streaming') return;
    phase.jitter.flush();
    phase.sink.onClose(ending);
  }
}

/** Messages that belong to the call rather than to the protocol. */
type ControlMessage = Extract<StreamMessage, { readonly type: 'dtmf' | 'mark' | 'stop' }>;

/** Nothing follows a stop. */
function keepWaiting(waiting: StreamMessage[], message: ControlMessage): void {
  if (waiting.at(-1)?.type !== 'stop') waiting.push(message);
}

function isControl(message: StreamMessage): message is ControlMessage {
  return message.type === 'dtmf' || message.type === 'mark' || message.type === 'stop';
}
