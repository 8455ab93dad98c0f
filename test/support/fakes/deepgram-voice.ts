import { audioFaultOf, createSpeechQueue, strayChunk } from './speech-queue.js';
import { startFakeVoice, type FakeVoiceOptions, type FakeVoiceServer, type VoiceSession } from './voice-server.js';

/** How the fake behaves. */
export interface FakeDeepgramVoiceOptions extends FakeVoiceOptions {
  /** Flushes that are carried out before the vendor refuses them. Default 20. */
  readonly maxFlushes?: number;
}

/** A message as it came. */
interface DeepgramVoiceMessage {
  readonly type: string;
  readonly text?: string;
}

/** What one client did. */
interface DeepgramVoiceConnection {
  readonly query: Readonly<Record<string, string>>;
  readonly messages: DeepgramVoiceMessage[];
  closeCode: number | null;
}

/** The fake. */
export type FakeDeepgramVoice = FakeVoiceServer<DeepgramVoiceConnection>;

/** Serves one connection. */
function serve({ socket, entry, fault, send, noteSent }: VoiceSession<DeepgramVoiceConnection>, options: FakeDeepgramVoiceOptions): void {
  const { maxFlushes = 20 } = options;
  let buffer = '';
  let flushes = 0;
  let sequenceId = 0;

  const queue = createSpeechQueue(options, fault, ({ audio }) => {
    if (audioFaultOf(fault) === 'garbage') socket.send('}{ garbage');
    else socket.send(audio);
    noteSent(audio, () => queue.clear());
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
  socket.on('close', () => queue.clear());
}

/** Starts a server that speaks Aura's WebSocket. */
export function startFakeDeepgramVoice(options: FakeDeepgramVoiceOptions = {}): Promise<FakeDeepgramVoice> {
  return startFakeVoice<DeepgramVoiceConnection>(
    {
      refuse({ pathname, searchParams }, { authorization }) {
        if (pathname !== '/v1/speak') return 404;
        if (options.apiKey !== undefined && authorization !== `Token ${options.apiKey}`) return 401;
        const isAudioKnown = searchParams.get('encoding') === 'mulaw' && searchParams.get('sample_rate') === '8000';
        return searchParams.get('model') !== null && isAudioKnown ? null : 400;
      },
      begin: ({ searchParams }) => ({ query: Object.fromEntries(searchParams), messages: [], closeCode: null }),
      serve: (session) => serve(session, options),
    },
    options,
  );
}
