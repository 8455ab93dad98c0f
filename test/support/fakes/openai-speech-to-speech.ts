import type { IncomingMessage } from 'node:http';
import type {
  ConversationItem,
  RealtimeClientEvent,
  RealtimeResponseCreateParams,
  RealtimeServerEvent,
  RealtimeSessionCreateRequest,
} from 'openai/resources/realtime/realtime';
import type { WebSocket } from 'ws';
import { systemClock, type Timer } from '../../../src/base/clock.js';
import { startFakeResponse, type FakeResponse, type RememberedItem, type ResponseScript, type UnsentEvent } from './openai-speech-response.js';
import { createRecogniser, type Recognition } from './segment-recogniser.js';
import { decodeCodedWords } from './speech-audio.js';
import type { VoicePace } from './speech-queue.js';
import { breakSocket, createFaultPlan, startVendorServer, type SocketFault, type UpgradeFault, type VendorServer } from './vendor-server.js';

/** Audio before the detected speech that belongs to it (the vendor's prefix_padding_ms). */
const PADDING_MS = 300;

/** What a response is asked with. */
export interface ResponseRequest {
  readonly params: RealtimeResponseCreateParams;
  /** The conversation at that moment. */
  readonly remembered: readonly RememberedItem[];
  /** Responses to the conversation before it, on all connections. */
  readonly index: number;
}

/** What may go wrong with a connection. */
export type RealtimeFault =
  | { readonly upgrade: UpgradeFault }
  /** Happens once this much audio has come from the caller. */
  | { readonly socket: SocketFault; readonly afterAudioMs: number }
  /** Something that is not JSON in place of every message. */
  | { readonly messages: 'garbage' }
  /** The session is never set up. */
  | { readonly session: 'silent' }
  /** The session is refused with this code. */
  | { readonly session: 'refused'; readonly code: string };

/** How the fake behaves. */
export interface FakeOpenaiSpeechOptions extends VoicePace {
  readonly port?: number;
  readonly apiKey?: string;
  /** Hears the words in mu-law audio. Default: {@link decodeCodedWords}. */
  readonly transcribe?: (audio: Buffer) => string;
  /** From the end of a turn to its transcript. Default 0. */
  readonly transcriptDelayMs?: number;
  /** What a response to the conversation is. Default: "I see." */
  readonly respond?: (request: ResponseRequest) => ResponseScript;
  /** What becomes of a request for fixed words. Default: they are said. */
  readonly say?: (text: string) => ResponseScript;
  /** By connection, 0 is the first. */
  readonly fault?: (connection: number) => RealtimeFault | undefined;
}

/** What one client did. */
export interface RealtimeConnection {
  readonly model: string | null;
  readonly events: RealtimeClientEvent[];
  readonly audio: Buffer[];
  readonly remembered: RememberedItem[];
  /** Every code of an `error` event sent. */
  readonly errors: string[];
  /** Bytes of speech sent, in order. */
  readonly spoken: Buffer[];
  closeCode: number | null;
}

/** A server that speaks OpenAI's Realtime API with mu-law audio. */
export interface FakeOpenaiSpeech extends VendorServer {
  readonly connections: readonly RealtimeConnection[];
  readonly requests: readonly ResponseRequest[];
}

interface Session {
  readonly connection: RealtimeConnection;
  readonly send: (event: UnsentEvent) => void;
  readonly refuse: (code: string, eventId: string | undefined) => void;
  readonly later: (delayMs: number, act: () => void) => void;
}

/** The words of a request for fixed words: what follows the instruction to say them. */
const fixedWords = ({ instructions = '' }: RealtimeResponseCreateParams): string => instructions.split('\n\n').slice(1).join('\n\n');

function isSessionSound(session: RealtimeSessionCreateRequest): boolean {
  const { input, output } = session.audio ?? {};
  return input?.format?.type === 'audio/pcmu' && output?.format?.type === 'audio/pcmu' && session.output_modalities?.[0] === 'audio';
}

function textOf(item: ConversationItem): string {
  if (item.type === 'function_call_output') return item.output;
  if (item.type !== 'message') return '';
  const [content] = item.content as readonly { readonly text?: string }[];
  return content?.text ?? '';
}

/** Finds the caller's turns by their energy, as server VAD does, and writes them down. */
function listen({ connection, send, later }: Session, options: FakeOpenaiSpeechOptions, nextId: (prefix: string) => string, silenceMs: number) {
  let itemId: string | null = null;
  const whole = () => Buffer.concat(connection.audio);
  const onTurn = (id: string, { speechStartMs, endMs }: Recognition) => {
    const audio = whole().subarray(Math.max(0, speechStartMs - PADDING_MS) * 8, endMs * 8);
    const text = (options.transcribe ?? decodeCodedWords)(audio);
    send({ type: 'input_audio_buffer.speech_stopped', item_id: id, audio_end_ms: endMs });
    send({ type: 'input_audio_buffer.committed', item_id: id, previous_item_id: null });
    connection.remembered.push({ id, kind: 'caller-audio', text, audioMs: 0, isTruncated: false });
    send({ type: 'conversation.item.added', item: { id, type: 'message', role: 'user', content: [{ type: 'input_audio' }] } });
    later(options.transcriptDelayMs ?? 0, () => {
      const at = { item_id: id, content_index: 0 };
      for (const word of text.split(/(?<= )/)) send({ type: 'conversation.item.input_audio_transcription.delta', ...at, delta: word });
      send({ type: 'conversation.item.input_audio_transcription.completed', ...at, transcript: text, usage: { type: 'duration', seconds: 1 } });
    });
  };
  return createRecogniser({
    endpointingMs: silenceMs,
    collectAudio: false,
    transcribe: () => 'speech',
    nextSegment: () => 0,
    interimMs: 20,
    report(recognition) {
      if (recognition.text === '') return;
      if (itemId === null) {
        itemId = nextId('item');
        send({ type: 'input_audio_buffer.speech_started', item_id: itemId, audio_start_ms: Math.max(0, recognition.speechStartMs - PADDING_MS) });
      }
      if (!recognition.isFinal) return;
      onTurn(itemId, recognition);
      itemId = null;
    },
  });
}

/** Starts the fake. */
export async function startFakeOpenaiSpeech(options: FakeOpenaiSpeechOptions = {}): Promise<FakeOpenaiSpeech> {
  const { clock = systemClock } = options;
  const connections: RealtimeConnection[] = [];
  const requests: ResponseRequest[] = [];
  const faults = createFaultPlan(options.fault);
  let ids = 0;
  const nextId = (prefix: string) => `${prefix}_${(ids += 1)}`;

  function serve(socket: WebSocket, request: IncomingMessage): void {
    const { searchParams } = new URL(request.url ?? '/', 'http://fake');
    const connection: RealtimeConnection = { model: searchParams.get('model'), events: [], audio: [], remembered: [], errors: [], spoken: [], closeCode: null };
    connections.push(connection);
    const fault = faults.of(request);
    const timers = new Set<Timer>();
    const running = new Set<FakeResponse>();
    let audioMs = 0;
    let recogniser: ReturnType<typeof listen> | null = null;

    const send = (event: UnsentEvent) => {
      if (event.type === 'response.output_audio.delta') connection.spoken.push(Buffer.from(event.delta, 'base64'));
      const whole = { ...event, event_id: nextId('event') } as RealtimeServerEvent;
      if (fault !== undefined && 'messages' in fault) socket.send('}{ garbage');
      else socket.send(JSON.stringify(whole));
    };
    const refuse = (code: string, eventId: string | undefined) => {
      connection.errors.push(code);
      send({ type: 'error', error: { type: 'invalid_request_error', code, message: `Scripted: ${code}`, event_id: eventId ?? null } });
    };
    const later = (delayMs: number, act: () => void) => {
      const timer = clock.setTimer(delayMs, () => {
        timers.delete(timer);
        act();
      });
      timers.add(timer);
    };
    const session: Session = { connection, send, refuse, later };

    const onResponse = (params: RealtimeResponseCreateParams, eventId: string | undefined) => {
      const isConversation = params.conversation !== 'none';
      if (isConversation && [...running].some((response) => response.isConversation)) return refuse('conversation_already_has_active_response', eventId);
      let script: ResponseScript;
      if (isConversation) {
        const asked = { params, remembered: connection.remembered.map((item) => ({ ...item })), index: requests.length };
        requests.push(asked);
        script = options.respond?.(asked) ?? { text: 'I see.' };
      } else script = options.say?.(fixedWords(params)) ?? { text: fixedWords(params) };
      const ports = { pace: options, nextId, send, remember: (item: RememberedItem) => connection.remembered.push(item), onOver: (over: FakeResponse) => running.delete(over) };
      const response = startFakeResponse(script, params, ports);
      if (script.error === undefined && (script.text ?? '') !== '' && script.isMute !== true) running.add(response);
    };
    const onTruncate = ({ item_id: itemId, audio_end_ms: endMs, content_index: index, event_id: eventId }: Extract<RealtimeClientEvent, { type: 'conversation.item.truncate' }>) => {
      const item = connection.remembered.find(({ id, kind }) => id === itemId && kind === 'agent-audio');
      if (item === undefined || endMs > item.audioMs) return refuse('invalid_value', eventId);
      item.audioMs = endMs;
      item.isTruncated = true;
      send({ type: 'conversation.item.truncated', item_id: itemId, audio_end_ms: endMs, content_index: index });
    };
    const onItem = (item: ConversationItem, eventId: string | undefined) => {
      const isKnownCall = item.type !== 'function_call_output' || connection.remembered.some(({ id, kind }) => kind === 'function_call' && id === item.call_id);
      if (!isKnownCall) return refuse('invalid_value', eventId);
      const added = { ...item, id: item.id ?? nextId('item') } as ConversationItem;
      const kind = item.type === 'message' ? item.role : item.type === 'function_call_output' ? item.type : 'function_call';
      connection.remembered.push({ id: added.id ?? '', kind, text: textOf(item), audioMs: 0, isTruncated: false });
      send({ type: 'conversation.item.added', item: added, previous_item_id: null });
    };
    const onUpdate = (event: Extract<RealtimeClientEvent, { type: 'session.update' }>) => {
      if (fault !== undefined && 'session' in fault) {
        if (fault.session === 'refused') refuse(fault.code, event.event_id);
        return;
      }
      const { session: wanted } = event;
      if (wanted.type !== 'realtime' || !isSessionSound(wanted)) return refuse('invalid_value', event.event_id);
      const detection = wanted.audio?.input?.turn_detection;
      const silenceMs = detection?.type === 'server_vad' ? (detection.silence_duration_ms ?? 500) : 500;
      recogniser ??= listen(session, options, nextId, silenceMs);
      send({ type: 'session.updated', session: wanted });
    };
    const take = (event: RealtimeClientEvent): void => {
      connection.events.push(event);
      switch (event.type) {
        case 'session.update':
          return onUpdate(event);
        case 'input_audio_buffer.append': {
          const audio = Buffer.from(event.audio, 'base64');
          const beforeMs = audioMs;
          audioMs += audio.length / 8;
          connection.audio.push(audio);
          recogniser?.push(audio);
          if (fault !== undefined && 'socket' in fault && beforeMs < fault.afterAudioMs && audioMs >= fault.afterAudioMs) breakSocket(socket, request, fault.socket);
          return;
        }
        case 'response.create':
          return onResponse(event.response ?? {}, event.event_id);
        case 'response.cancel': {
          const found = [...running].find(({ id, isConversation }) => (event.response_id === undefined ? isConversation : id === event.response_id));
          if (found === undefined) return refuse('response_cancel_not_active', event.event_id);
          return found.cancel();
        }
        case 'conversation.item.create':
          return onItem(event.item, event.event_id);
        case 'conversation.item.truncate':
          return onTruncate(event);
        case 'conversation.item.delete': {
          const index = connection.remembered.findIndex(({ id }) => id === event.item_id);
          if (index === -1) return refuse('item_delete_invalid_item_id', event.event_id);
          connection.remembered.splice(index, 1);
          return send({ type: 'conversation.item.deleted', item_id: event.item_id });
        }
        default:
          return refuse('unknown_event', event.event_id);
      }
    };

    send({ type: 'session.created', session: { type: 'realtime' } });
    socket.on('message', (data: Buffer) => take(JSON.parse(data.toString()) as RealtimeClientEvent));
    socket.on('close', (code) => {
      connection.closeCode = code;
      for (const timer of timers) timer.cancel();
      for (const response of running) response.drop();
    });
  }

  const server = await startVendorServer({
    port: options.port,
    onUpgrade(request) {
      const dealt = faults.deal(request);
      if (dealt !== null) return dealt;
      const { pathname } = new URL(request.url ?? '/', 'http://fake');
      if (pathname !== '/v1/realtime') return { kind: 'http', status: 404 };
      return options.apiKey === undefined || request.headers.authorization === `Bearer ${options.apiKey}` ? null : { kind: 'http', status: 401 };
    },
    onSocket: serve,
  });
  return { ...server, connections, requests };
}
