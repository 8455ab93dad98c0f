import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { audioFaultOf, createSpeechQueue, strayChunk, type VoiceFault, type VoicePace } from './speech-queue.js';
import { breakSocket, createFaultPlan, startVendorServer, type VendorServer } from './vendor-server.js';

const BYTES_PER_MS = 8;
const MAX_CHARACTERS = 500;

/** How the fake behaves. */
export interface FakeRimeOptions extends VoicePace {
  readonly port?: number;
  /** Answers 401 to any other key. */
  readonly apiKey?: string;
  /** By connection, 0 is the first. */
  readonly fault?: (connection: number) => VoiceFault | undefined;
}

/** A message as it came. */
export interface RimeMessage {
  readonly text?: string;
  readonly contextId?: string;
  readonly operation?: string;
}

/** What one client did. */
export interface RimeConnection {
  readonly query: Readonly<Record<string, string>>;
  readonly messages: RimeMessage[];
  closeCode: number | null;
}

/** A server that speaks Rime's JSON WebSocket with `segment=never`. */
export interface FakeRime extends VendorServer {
  readonly connections: readonly RimeConnection[];
}

/** Serves one connection. */
function serve(socket: WebSocket, request: IncomingMessage, entry: RimeConnection, fault: VoiceFault | undefined, options: FakeRimeOptions): void {
  let buffer = '';
  let bufferContext: string | null = null;
  /** The context of what is being spoken, and of what waits for it. */
  const speaking: (string | null)[] = [];
  let sentMs = 0;

  const send = (message: Record<string, unknown>) => socket.send(JSON.stringify(message));
  const sendChunk = (contextId: string | null, audio: Buffer) => send({ type: 'chunk', data: audio.toString('base64'), contextId });
  const queue = createSpeechQueue(options, fault, ({ text, audio, offsetMs, totalMs }) => {
    const contextId = speaking[0] ?? null;
    if (audioFaultOf(fault) === 'garbage') socket.send('}{ garbage');
    else sendChunk(contextId, audio);
    if (offsetMs === 0) sendWords(contextId, text, totalMs);
    sentMs += audio.length / BYTES_PER_MS;
    if (fault && 'socket' in fault && sentMs >= fault.afterAudioMs) {
      queue.clear();
      breakSocket(socket, request, fault.socket);
    }
  });

  function sendWords(contextId: string | null, text: string, totalMs: number): void {
    const words = text.trim().split(/\s+/);
    const at = (index: number) => (totalMs * index) / words.length / 1000;
    const times = { words, start: words.map((_, index) => at(index)), end: words.map((_, index) => at(index + 1)) };
    if (audioFaultOf(fault) !== 'garbage') send({ type: 'timestamps', word_timestamps: times, contextId });
  }

  function flush(): void {
    const text = buffer;
    buffer = '';
    if (text === '') return;
    if (fault && 'error' in fault) return send({ type: 'error', message: fault.error });
    if (text.length > MAX_CHARACTERS) return send({ type: 'error', message: 'The text is too long' });
    speaking.push(bufferContext);
    queue.say(text);
    queue.mark(() => send({ type: 'done', done: true, contextId: speaking.shift() ?? null }));
  }

  function clear(): void {
    buffer = '';
    const [current] = speaking.splice(0);
    queue.clear();
    if (audioFaultOf(fault) === 'late-after-cancel') for (let i = 0; i < 2; i += 1) sendChunk(current ?? null, strayChunk());
    if (audioFaultOf(fault) === 'late-after-cancel') send({ type: 'done', done: true, contextId: current ?? null });
  }

  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as RimeMessage;
    entry.messages.push(message);
    if (message.operation === 'flush') flush();
    else if (message.operation === 'clear') clear();
    else if (message.operation === 'eos') {
      flush();
      queue.mark(() => socket.close(1000));
    } else if (message.text === undefined) send({ type: 'error', message: 'Neither text nor operation' });
    else {
      buffer += message.text;
      bufferContext = message.contextId ?? null;
    }
  });
  socket.on('close', (code) => {
    Object.assign(entry, { closeCode: code });
    queue.clear();
  });
}

/** Starts the fake. */
export async function startFakeRime(options: FakeRimeOptions = {}): Promise<FakeRime> {
  const connections: RimeConnection[] = [];
  const faults = createFaultPlan(options.fault);
  const server = await startVendorServer({
    port: options.port,
    onUpgrade(request) {
      const fault = faults.deal(request);
      if (fault !== null) return fault;
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://fake');
      if (pathname !== '/ws3') return { kind: 'http', status: 404 };
      if (options.apiKey !== undefined && request.headers.authorization !== `Bearer ${options.apiKey}`) return { kind: 'http', status: 401 };
      const isKnown = searchParams.get('audioFormat') === 'mulaw' && searchParams.get('samplingRate') === '8000' && searchParams.get('segment') === 'never';
      return isKnown && searchParams.has('speaker') && searchParams.has('modelId') ? null : { kind: 'http', status: 400 };
    },
    onSocket(socket, request) {
      const { searchParams } = new URL(request.url ?? '/', 'http://fake');
      const entry: RimeConnection = { query: Object.fromEntries(searchParams), messages: [], closeCode: null };
      connections.push(entry);
      serve(socket, request, entry, faults.of(request), options);
    },
  });
  return { ...server, connections };
}
