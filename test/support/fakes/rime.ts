import { audioFaultOf, createSpeechQueue, strayChunk } from './speech-queue.js';
import { startFakeVoice, type FakeVoiceOptions, type FakeVoiceServer, type VoiceSession } from './voice-server.js';

const MAX_CHARACTERS = 500;

/** A message as it came. */
interface RimeMessage {
  readonly text?: string;
  readonly contextId?: string;
  readonly operation?: string;
}

/** What one client did. */
interface RimeConnection {
  readonly query: Readonly<Record<string, string>>;
  readonly messages: RimeMessage[];
  closeCode: number | null;
}

/** The fake, and how it behaves. */
export type FakeRime = FakeVoiceServer<RimeConnection>;
export type { FakeVoiceOptions as FakeRimeOptions } from './voice-server.js';

/** Serves one connection. */
function serve({ socket, entry, fault, send, noteSent }: VoiceSession<RimeConnection>, options: FakeVoiceOptions): void {
  let buffer = '';
  let bufferContext: string | null = null;
  /** The context of what is being spoken, and of what waits for it. */
  const speaking: (string | null)[] = [];

  const sendChunk = (contextId: string | null, audio: Buffer) => send({ type: 'chunk', data: audio.toString('base64'), contextId });
  const queue = createSpeechQueue(options, fault, ({ text, audio, offsetMs, totalMs }) => {
    const contextId = speaking[0] ?? null;
    if (audioFaultOf(fault) === 'garbage') socket.send('}{ garbage');
    else sendChunk(contextId, audio);
    if (offsetMs === 0) sendWords(contextId, text, totalMs);
    noteSent(audio, () => queue.clear());
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
  socket.on('close', () => queue.clear());
}

/** Starts a server that speaks Rime's JSON WebSocket with `segment=never`. */
export function startFakeRime(options: FakeVoiceOptions = {}): Promise<FakeRime> {
  return startFakeVoice<RimeConnection>(
    {
      refuse({ pathname, searchParams }, { authorization }) {
        if (pathname !== '/ws3') return 404;
        if (options.apiKey !== undefined && authorization !== `Bearer ${options.apiKey}`) return 401;
        const isKnown = searchParams.get('audioFormat') === 'mulaw' && searchParams.get('samplingRate') === '8000' && searchParams.get('segment') === 'never';
        return isKnown && searchParams.has('speaker') && searchParams.has('modelId') ? null : 400;
      },
      begin: ({ searchParams }) => ({ query: Object.fromEntries(searchParams), messages: [], closeCode: null }),
      serve: (session) => serve(session, options),
    },
    options,
  );
}
