import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { audioFaultOf, createSpeechQueue, strayChunk, type VoiceFault, type VoicePace } from './speech-queue.js';
import { breakSocket, createFaultPlan, startVendorServer, type VendorServer } from './vendor-server.js';

const BYTES_PER_MS = 8;

/** How the fake behaves. */
export interface FakeDeepgramVoiceOptions extends VoicePace {
  readonly port?: number;
  /** Answers 401 to any other key. */
  readonly apiKey?: string;
  /** Flushes that are carried out before the vendor refuses them. Default 20. */
  readonly maxFlushes?: number;
  /** By connection, 0 is the first. */
  readonly fault?: (connection: number) => VoiceFault | undefined;
}

/** A message as it came. */
export interface DeepgramVoiceMessage {
  readonly type: string;
  readonly text?: string;
}

/** What one client did. */
export interface DeepgramVoiceConnection {
  readonly query: Readonly<Record<string, string>>;
  readonly messages: DeepgramVoiceMessage[];
  closeCode: number | null;
}

/** A server that speaks Aura's WebSocket. */
export interface FakeDeepgramVoice extends VendorServer {
  readonly connections: readonly DeepgramVoiceConnection[];
}

/** Serves one connection. */
function serve(socket: WebSocket, request: IncomingMessage, entry: DeepgramVoiceConnection, fault: VoiceFault | undefined, options: FakeDeepgramVoiceOptions): void {
  const { maxFlushes = 20 } = options;
  let buffer = '';
  let sentMs = 0;
  let flushes = 0;
  let sequenceId = 0;

  const send = (message: Record<string, unknown>) => socket.send(JSON.stringify(message));
  const queue = createSpeechQueue(options, fault, ({ audio }) => {
    if (audioFaultOf(fault) === 'garbage') socket.send('}{ garbage');
    else socket.send(audio);
    sentMs += audio.length / BYTES_PER_MS;
    if (fault && 'socket' in fault && sentMs >= fault.afterAudioMs) {
      queue.clear();
      breakSocket(socket, request, fault.socket);
    }
  });

  function flush(): void {
    flushes += 1;
    if (fault && 'error' in fault) {
      send({ type: 'Error', description: 'Scripted failure', message: 'Scripted failure', variant: fault.error });
      socket.close(1008, 'DATA-0000');
      return;
    }
    if (flushes > maxFlushes) {
      send({ type: 'Warning', code: 'EXCEEDED_FLUSH_LIMIT', description: 'The limit of flushes in 60 seconds is reached' });
      return;
    }
    if (buffer !== '') queue.say(buffer);
    buffer = '';
    queue.mark(() => send({ type: 'Flushed', sequence_id: (sequenceId += 1) }));
  }

  function clear(): void {
    buffer = '';
    queue.clear();
    if (audioFaultOf(fault) === 'late-after-cancel') for (let i = 0; i < 2; i += 1) socket.send(strayChunk());
    send({ type: 'Cleared', sequence_id: (sequenceId += 1) });
  }

  send({ type: 'Metadata', request_id: 'fake', model_name: entry.query['model'], model_version: '2026-01-01.0', model_uuid: 'fake' });
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as DeepgramVoiceMessage;
    entry.messages.push(message);
    if (message.type === 'Speak') buffer += message.text ?? '';
    else if (message.type === 'Flush') flush();
    else if (message.type === 'Clear') clear();
    else if (message.type === 'Close') {
      flush();
      queue.mark(() => socket.close(1000));
    }
  });
  socket.on('close', (code) => {
    Object.assign(entry, { closeCode: code });
    queue.clear();
  });
}

/** Starts the fake. */
export async function startFakeDeepgramVoice(options: FakeDeepgramVoiceOptions = {}): Promise<FakeDeepgramVoice> {
  const connections: DeepgramVoiceConnection[] = [];
  const faults = createFaultPlan(options.fault);
  const server = await startVendorServer({
    port: options.port,
    onUpgrade(request) {
      const fault = faults.deal(request);
      if (fault !== null) return fault;
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://fake');
      if (pathname !== '/v1/speak') return { kind: 'http', status: 404 };
      if (options.apiKey !== undefined && request.headers.authorization !== `Token ${options.apiKey}`) return { kind: 'http', status: 401 };
      const isAudioKnown = searchParams.get('encoding') === 'mulaw' && searchParams.get('sample_rate') === '8000';
      return searchParams.get('model') !== null && isAudioKnown ? null : { kind: 'http', status: 400 };
    },
    onSocket(socket, request) {
      const { searchParams } = new URL(request.url ?? '/', 'http://fake');
      const entry: DeepgramVoiceConnection = { query: Object.fromEntries(searchParams), messages: [], closeCode: null };
      connections.push(entry);
      serve(socket, request, entry, faults.of(request), options);
    },
  });
  return { ...server, connections };
}
