import { systemClock, type Timer } from '../../../src/base/clock.js';
import { audioFaultOf, createSpeechQueue, strayChunk, type SpeechChunk, type SpeechQueue } from './speech-queue.js';
import { startFakeVoice, type FakeVoiceOptions, type FakeVoiceServer, type VoiceSession } from './voice-server.js';

/** Contexts that one connection may have at a time (elevenlabs.io/docs, Multi-Context Websocket). */
const MAX_CONTEXTS = 5;
const BYTES_PER_MS = 8;

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

/** The fake, and how it behaves. */
export type FakeElevenlabsVoice = FakeVoiceServer<ElevenlabsVoiceConnection>;
export type { FakeVoiceOptions as FakeElevenlabsVoiceOptions } from './voice-server.js';

/** Serves one connection. */
function serve({ socket, entry, fault, send, noteSent }: VoiceSession<ElevenlabsVoiceConnection>, options: FakeVoiceOptions): void {
  const { clock = systemClock } = options;
  const contexts = new Map<string, Context>();
  const isAligned = entry.query['sync_alignment'] === 'true';
  let idleTimer: Timer | null = null;

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
      noteSent(chunk.audio, () => queue.clear());
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
  socket.on('close', () => {
    idleTimer?.cancel();
    for (const { queue } of contexts.values()) queue.clear();
  });
}

/** Starts a server that speaks the multi-context WebSocket. */
export function startFakeElevenlabsVoice(options: FakeVoiceOptions = {}): Promise<FakeElevenlabsVoice> {
  return startFakeVoice<ElevenlabsVoiceConnection>(
    {
      refuse({ pathname, searchParams }, headers) {
        if (!/^\/v1\/text-to-speech\/[^/]+\/multi-stream-input$/.test(pathname)) return 404;
        if (options.apiKey !== undefined && headers['xi-api-key'] !== options.apiKey) return 401;
        return searchParams.get('output_format') === 'ulaw_8000' ? null : 400;
      },
      begin: ({ pathname, searchParams }, headers) => ({
        path: pathname,
        query: Object.fromEntries(searchParams),
        apiKey: headers['xi-api-key']?.toString(),
        messages: [],
        closeCode: null,
      }),
      serve: (session) => serve(session, options),
    },
    options,
  );
}
