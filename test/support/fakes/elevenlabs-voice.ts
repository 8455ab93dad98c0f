import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { systemClock, type Timer } from '../../../src/base/clock.js';
import { audioFaultOf, createSpeechQueue, strayChunk, type SpeechChunk, type SpeechQueue, type VoiceFault, type VoicePace } from './speech-queue.js';
import { breakSocket, createFaultPlan, startVendorServer, type VendorServer } from './vendor-server.js';

/** Contexts that one connection may have at a time (elevenlabs.io/docs, Multi-Context Websocket). */
const MAX_CONTEXTS = 5;
const BYTES_PER_MS = 8;

/** How the fake behaves. */
export interface FakeElevenlabsVoiceOptions extends VoicePace {
  readonly port?: number;
  /** Answers 401 to any other key. */
  readonly apiKey?: string;
  /** By connection, 0 is the first. */
  readonly fault?: (connection: number) => VoiceFault | undefined;
}

/** A message as it came. */
export interface ElevenlabsMessage {
  readonly text?: string;
  readonly context_id?: string;
  readonly voice_settings?: Readonly<Record<string, unknown>>;
  readonly flush?: boolean;
  readonly close_context?: boolean;
  readonly close_socket?: boolean;
}

/** What one client did. */
export interface ElevenlabsVoiceConnection {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly apiKey: string | undefined;
  readonly messages: ElevenlabsMessage[];
  closeCode: number | null;
}

/** A server that speaks the multi-context WebSocket. */
export interface FakeElevenlabsVoice extends VendorServer {
  readonly connections: readonly ElevenlabsVoiceConnection[];
}

interface Context {
  buffer: string;
  readonly queue: SpeechQueue;
}

/** The characters of a text that are spoken in this chunk, with times from the chunk's start. */
function alignmentOf({ text, audio, offsetMs, totalMs }: SpeechChunk) {
  const perCharacterMs = totalMs / text.length;
  const untilMs = offsetMs + audio.length / BYTES_PER_MS;
  const spoken = [...text].map((char, index) => ({ char, startMs: index * perCharacterMs })).filter(({ startMs }) => startMs >= offsetMs && startMs < untilMs);
  return {
    chars: spoken.map(({ char }) => char),
    charStartTimesMs: spoken.map(({ startMs }) => Math.floor(startMs - offsetMs)),
    charDurationsMs: spoken.map(({ startMs }) => Math.floor(Math.min(perCharacterMs, untilMs - startMs))),
  };
}

/** Serves one connection. */
function serve(socket: WebSocket, request: IncomingMessage, entry: ElevenlabsVoiceConnection, fault: VoiceFault | undefined, options: FakeElevenlabsVoiceOptions): void {
  const { clock = systemClock } = options;
  const contexts = new Map<string, Context>();
  const isAligned = entry.query['sync_alignment'] === 'true';
  let sentMs = 0;
  let idleTimer: Timer | null = null;

  const send = (message: Record<string, unknown>) => socket.send(JSON.stringify(message));
  const refuse = (error: string) => {
    send({ message: 'Scripted failure', error, code: 1008 });
    socket.close(1008, 'Scripted failure');
  };
  const sendAudio = (contextId: string, audio: Buffer, chunk: SpeechChunk | null) => {
    const alignment = chunk !== null && isAligned ? alignmentOf(chunk) : null;
    if (audioFaultOf(fault) === 'garbage') socket.send('}{ garbage');
    else send({ audio: audio.toString('base64'), isFinal: null, normalizedAlignment: alignment, alignment, contextId });
  };

  function open(contextId: string): Context {
    const queue = createSpeechQueue(options, fault, (chunk) => {
      sendAudio(contextId, chunk.audio, chunk);
      sentMs += chunk.audio.length / BYTES_PER_MS;
      if (fault && 'socket' in fault && sentMs >= fault.afterAudioMs) {
        queue.clear();
        breakSocket(socket, request, fault.socket);
      }
    });
    const context = { buffer: '', queue };
    contexts.set(contextId, context);
    return context;
  }

  function flush(context: Context): void {
    const text = context.buffer.trimStart();
    context.buffer = '';
    if (text === '') return;
    if (fault && 'error' in fault) refuse(fault.error);
    else context.queue.say(text);
  }

  function close(contextId: string): void {
    const context = contexts.get(contextId);
    if (context === undefined) return;
    const isFirst = entry.messages.filter((message) => message.close_context === true).length === 1;
    if (audioFaultOf(fault) === 'late-after-cancel' && isFirst) for (let i = 0; i < 2; i += 1) sendAudio(contextId, strayChunk(), null);
    flush(context);
    context.queue.mark(() => {
      contexts.delete(contextId);
      send({ isFinal: true, contextId });
    });
  }

  function onText(contextId: string, message: ElevenlabsMessage): void {
    const known = contexts.get(contextId);
    if (known === undefined && contexts.size >= MAX_CONTEXTS) return refuse('max_active_contexts_exceeded');
    if (known !== undefined && message.voice_settings !== undefined) return refuse('voice_settings_after_start');
    const context = known ?? open(contextId);
    context.buffer += message.text ?? '';
    if (message.flush === true) flush(context);
  }

  const stayAwake = () => {
    idleTimer?.cancel();
    const idleMs = Number(entry.query['inactivity_timeout'] ?? 20) * 1000;
    idleTimer = clock.setTimer(idleMs, () => refuse('input_timeout_exceeded'));
  };
  stayAwake();
  socket.on('message', (data: Buffer) => {
    stayAwake();
    const message = JSON.parse(data.toString()) as ElevenlabsMessage;
    entry.messages.push(message);
    const contextId = message.context_id ?? 'default';
    if (message.close_socket === true) socket.close(1000);
    else if (message.close_context === true) close(contextId);
    else onText(contextId, message);
  });
  socket.on('close', (code) => {
    Object.assign(entry, { closeCode: code });
    idleTimer?.cancel();
    for (const { queue } of contexts.values()) queue.clear();
  });
}

/** Starts the fake. */
export async function startFakeElevenlabsVoice(options: FakeElevenlabsVoiceOptions = {}): Promise<FakeElevenlabsVoice> {
  const connections: ElevenlabsVoiceConnection[] = [];
  const faults = createFaultPlan(options.fault);
  const server = await startVendorServer({
    port: options.port,
    onUpgrade(request) {
      const fault = faults.deal(request);
      if (fault !== null) return fault;
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://fake');
      if (!/^\/v1\/text-to-speech\/[^/]+\/multi-stream-input$/.test(pathname)) return { kind: 'http', status: 404 };
      if (options.apiKey !== undefined && request.headers['xi-api-key'] !== options.apiKey) return { kind: 'http', status: 401 };
      return searchParams.get('output_format') === 'ulaw_8000' ? null : { kind: 'http', status: 400 };
    },
    onSocket(socket, request) {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://fake');
      const apiKey = request.headers['xi-api-key']?.toString();
      const entry: ElevenlabsVoiceConnection = { path: pathname, query: Object.fromEntries(searchParams), apiKey, messages: [], closeCode: null };
      connections.push(entry);
      serve(socket, request, entry, faults.of(request), options);
    },
  });
  return { ...server, connections };
}
