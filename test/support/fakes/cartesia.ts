import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { systemClock, type Clock, type Timer } from '../../../src/base/clock.js';
import { babble } from './speech-audio.js';
import { nextDelayMs, type FakeDelay } from './delay.js';
import { breakSocket, createFaultPlan, startVendorServer, type SocketFault, type UpgradeFault, type VendorServer } from './vendor-server.js';

const BYTES_PER_MS = 8;
/** A context ends this long after its last audio; text for it is refused afterwards. */
const CONTEXT_LIFE_MS = 1000;

/** What may go wrong. */
export type CartesiaFault =
  | { readonly upgrade: UpgradeFault }
  /** Happens once this much audio has been sent on the connection. */
  | { readonly socket: SocketFault; readonly afterAudioMs: number }
  /** Audio stops for good after this much, in every context. */
  | { readonly audio: 'stall'; readonly afterAudioMs: number }
  /** Chunks of odd sizes that fit no frame. */
  | { readonly audio: 'odd-sizes' }
  /** Chunks without a byte, then `done`. */
  | { readonly audio: 'empty' }
  /** Two more chunks after each cancel. */
  | { readonly audio: 'late-after-cancel' }
  /** Something that is not JSON in place of each chunk. */
  | { readonly audio: 'garbage' }
  /** An error message in place of audio. */
  | { readonly error: number };

/** How the fake behaves. */
export interface FakeCartesiaOptions {
  readonly port?: number;
  readonly clock?: Clock;
  /** Answers 401 to any other key. */
  readonly apiKey?: string;
  /** From the text to its first chunk. Default 0. */
  readonly firstByteMs?: FakeDelay;
  /** Length of the speech. Default 60. */
  readonly msPerCharacter?: number;
  /** Audio per chunk. Default 100. */
  readonly chunkMs?: number;
  /** How many times faster than real time chunks come. Default 8. */
  readonly pace?: number;
  /** Speaks a text as 8 kHz mu-law; in place of babble of proportional length. */
  readonly render?: (text: string) => Buffer | Promise<Buffer>;
  /** Closes connections that got no message for so long. Default: never. */
  readonly idleCloseMs?: number;
  /** By connection, 0 is the first. */
  readonly fault?: (connection: number) => CartesiaFault | undefined;
  /** Told of every text as it has come in: for timing hops from outside. */
  readonly onText?: (text: string, receivedMs: number) => void;
  /** Told when the first chunk of a text is sent. */
  readonly onFirstChunk?: (text: string, sentMs: number) => void;
}

/** A generation or cancel request as it came. */
export interface CartesiaMessage {
  readonly context_id?: string;
  readonly transcript?: string;
  readonly continue?: boolean;
  readonly flush?: boolean;
  readonly cancel?: boolean;
  readonly model_id?: string;
  readonly voice?: string | { readonly id?: string };
  readonly language?: string;
  readonly add_timestamps?: boolean;
  readonly output_format?: { readonly container?: string; readonly encoding?: string; readonly sample_rate?: number };
}

/** What one client did. */
export interface CartesiaConnection {
  readonly authorization: string | undefined;
  readonly version: string | undefined;
  readonly messages: CartesiaMessage[];
  closeCode: number | null;
}

/** A server that speaks Cartesia's speech WebSocket. */
export interface FakeCartesia extends VendorServer {
  readonly connections: readonly CartesiaConnection[];
}

const babbleSource = babble(20_000);

/** One context: texts wait in order, audio leaves in chunks. */
interface Context {
  readonly queue: { readonly text: string; audio: Buffer | null }[];
  offset: number;
  sentMs: number;
  isClosed: boolean;
  timer: Timer | null;
}

/** Serves one connection. */
function serve(socket: WebSocket, request: IncomingMessage, entry: CartesiaConnection, fault: CartesiaFault | undefined, options: FakeCartesiaOptions): void {
  const { clock = systemClock, firstByteMs = 0, msPerCharacter = 60, chunkMs = 100, pace = 8 } = options;
  const contexts = new Map<string, Context>();
  let sentMs = 0;
  let idleTimer: Timer | null = null;
  const chunkBytes = fault && 'audio' in fault && fault.audio === 'odd-sizes' ? 333 : chunkMs * BYTES_PER_MS;
  const render = options.render ?? ((text: string) => babbleSource.subarray(0, Math.min(babbleSource.length, text.length * msPerCharacter * BYTES_PER_MS)));

  const send = (message: Record<string, unknown>) => socket.send(JSON.stringify(message));
  const refuse = (contextId: string | undefined, status: number, message: string) =>
    send({ type: 'error', context_id: contextId, status_code: status, done: true, title: 'Error', message, error_code: 'scripted', request_id: 'fake' });
  const forget = (contextId: string) => {
    contexts.get(contextId)?.timer?.cancel();
    contexts.delete(contextId);
  };

  const sendChunk = (contextId: string, audio: Buffer) => {
    if (fault && 'audio' in fault && fault.audio === 'garbage') socket.send('}{ garbage');
    else send({ type: 'chunk', context_id: contextId, status_code: 206, done: false, step_time: 1.5, flush_id: 1, data: audio.toString('base64') });
  };

  /** Sends the next chunk of a context, or what comes when there is none. */
  function step(contextId: string, context: Context): void {
    context.timer = null;
    const current = context.queue[0];
    if (current === undefined) {
      if (context.isClosed) {
        send({ type: 'done', context_id: contextId, status_code: 200, done: true });
        forget(contextId);
      } else context.timer = clock.setTimer(CONTEXT_LIFE_MS, () => forget(contextId));
      return;
    }
    // Still being rendered: its arrival steps again.
    if (current.audio === null) return;
    if (fault && 'audio' in fault && fault.audio === 'stall' && context.sentMs >= fault.afterAudioMs) return;
    const isEmpty = fault && 'audio' in fault && fault.audio === 'empty';
    const audio = isEmpty ? Buffer.alloc(0) : current.audio.subarray(context.offset, context.offset + chunkBytes);
    if (context.offset === 0) options.onFirstChunk?.(current.text, clock.nowMs());
    sendChunk(contextId, audio);
    context.offset += isEmpty ? current.audio.length : audio.length;
    context.sentMs += audio.length / BYTES_PER_MS;
    sentMs += audio.length / BYTES_PER_MS;
    if (context.offset >= current.audio.length) {
      context.queue.shift();
      context.offset = 0;
    }
    if (fault && 'socket' in fault && sentMs >= fault.afterAudioMs) breakSocket(socket, request, fault.socket);
    else context.timer = clock.setTimer(audio.length / BYTES_PER_MS / pace, () => step(contextId, context));
  }

  function generate(contextId: string, message: CartesiaMessage): void {
    const isNew = !contexts.has(contextId);
    const transcript = message.transcript ?? '';
    const voiceId = typeof message.voice === 'string' ? message.voice : message.voice?.id;
    const format = message.output_format;
    if (!message.model_id || !voiceId || format?.container !== 'raw' || !format.encoding || !format.sample_rate) return refuse(contextId, 400, 'Missing field');
    if (format.encoding !== 'pcm_mulaw' || format.sample_rate !== 8000) return refuse(contextId, 400, 'The fake speaks 8 kHz mu-law only');
    if (isNew && transcript === '') return refuse(contextId, 400, 'The context is closed or empty');
    if (fault && 'error' in fault) return refuse(contextId, fault.error, 'Scripted failure');
    const context: Context = contexts.get(contextId) ?? { queue: [], offset: 0, sentMs: 0, isClosed: false, timer: null };
    if (context.isClosed) return refuse(contextId, 400, 'The context is closed');
    contexts.set(contextId, context);
    context.isClosed = message.continue !== true;
    const wasIdle = context.queue.length === 0;
    if (transcript !== '') {
      options.onText?.(transcript, clock.nowMs());
      const item: Context['queue'][number] = { text: transcript, audio: null };
      context.queue.push(item);
      const onRendered = (audio: Buffer) => {
        const startMs = context.queue.slice(0, context.queue.indexOf(item)).reduce((ms, { audio: before }) => ms + (before?.length ?? 0) / BYTES_PER_MS, context.sentMs);
        item.audio = audio;
        if (message.add_timestamps) timestamps(contextId, transcript, startMs - context.offset / BYTES_PER_MS, audio.length / BYTES_PER_MS);
      };
      const rendered = render(transcript);
      if (Buffer.isBuffer(rendered)) onRendered(rendered);
      else
        void rendered.then((audio) => {
          if (contexts.get(contextId) !== context) return;
          onRendered(audio);
          if (context.queue[0] === item && context.timer === null) step(contextId, context);
        });
    }
    if (!wasIdle) return;
    context.timer?.cancel();
    context.timer = clock.setTimer(transcript === '' ? 0 : nextDelayMs(firstByteMs), () => step(contextId, context));
  }

  function timestamps(contextId: string, text: string, startMs: number, durationMs: number): void {
    const words = text.trim().split(/\s+/);
    const at = (index: number) => (startMs + (durationMs * index) / words.length) / 1000;
    const wordTimestamps = { words, start: words.map((_, index) => at(index)), end: words.map((_, index) => at(index + 1)) };
    send({ type: 'timestamps', context_id: contextId, status_code: 206, done: false, word_timestamps: wordTimestamps });
  }

  const stayAwake = () => {
    idleTimer?.cancel();
    if (options.idleCloseMs !== undefined) idleTimer = clock.setTimer(options.idleCloseMs, () => socket.close(1000, 'idle'));
  };
  stayAwake();
  socket.on('message', (data: Buffer) => {
    stayAwake();
    const message = JSON.parse(data.toString()) as CartesiaMessage;
    entry.messages.push(message);
    if (!message.context_id) refuse(undefined, 400, 'Missing context_id');
    else if (message.cancel === true) {
      forget(message.context_id);
      if (fault && 'audio' in fault && fault.audio === 'late-after-cancel') for (let i = 0; i < 2; i += 1) sendChunk(message.context_id, babbleSource.subarray(0, chunkBytes));
    } else generate(message.context_id, message);
  });
  socket.on('close', (code) => {
    Object.assign(entry, { closeCode: code });
    idleTimer?.cancel();
    for (const contextId of [...contexts.keys()]) forget(contextId);
  });
}

/** Starts the fake. */
export async function startFakeCartesia(options: FakeCartesiaOptions = {}): Promise<FakeCartesia> {
  const connections: CartesiaConnection[] = [];
  const faults = createFaultPlan(options.fault);
  const versionOf = (request: IncomingMessage) => request.headers['cartesia-version']?.toString();
  const server = await startVendorServer({
    port: options.port,
    onUpgrade(request) {
      const fault = faults.deal(request);
      if (fault !== null) return fault;
      if (new URL(request.url ?? '/', 'http://fake').pathname !== '/tts/websocket') return { kind: 'http', status: 404 };
      if (options.apiKey !== undefined && request.headers.authorization !== `Bearer ${options.apiKey}`) return { kind: 'http', status: 401 };
      return versionOf(request) === undefined ? { kind: 'http', status: 400 } : null;
    },
    onSocket(socket, request) {
      const entry: CartesiaConnection = { authorization: request.headers.authorization, version: versionOf(request), messages: [], closeCode: null };
      connections.push(entry);
      serve(socket, request, entry, faults.of(request), options);
    },
  });
  return { ...server, connections };
}
