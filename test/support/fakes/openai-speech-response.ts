import type {
  ConversationItem,
  RealtimeResponse,
  RealtimeResponseCreateParams,
  RealtimeResponseUsage,
  RealtimeServerEvent,
} from 'openai/resources/realtime/realtime';
import { createSpeechQueue, type VoicePace } from './speech-queue.js';

type WithoutId<Event> = Event extends { event_id: string } ? Omit<Event, 'event_id'> : never;

/** A server event before it is numbered; the SDK's own type, so that the fake says nothing that the vendor could not. */
export type UnsentEvent = WithoutId<RealtimeServerEvent>;

/** What a response says and does. */
export interface ResponseScript {
  readonly text?: string;
  readonly calls?: readonly { readonly name: string; readonly argumentsJson?: string }[];
  /** The response fails with this code instead. */
  readonly error?: string;
  /** Nothing more comes after so much audio. */
  readonly stallsAfterMs?: number;
  /** The words come without speech. */
  readonly isMute?: boolean;
}

/** An item of the fake's conversation: what the vendor remembers. */
export interface RememberedItem {
  readonly id: string;
  readonly kind: 'caller-audio' | 'agent-audio' | 'user' | 'assistant' | 'system' | 'function_call' | 'function_call_output';
  readonly text: string;
  /** Of the agent's speech: how much there is of it, in ms. */
  audioMs: number;
  isTruncated: boolean;
}

/** A response on its way. */
export interface FakeResponse {
  readonly id: string;
  readonly isConversation: boolean;
  cancel(): void;
  /** Its socket is gone. */
  drop(): void;
}

const usage: RealtimeResponseUsage = { total_tokens: 150, input_tokens: 100, output_tokens: 50 };

/** Streams one response in the vendor's order of events. */
export function startFakeResponse(
  script: ResponseScript,
  request: RealtimeResponseCreateParams,
  ports: {
    readonly pace: VoicePace;
    readonly nextId: (prefix: string) => string;
    readonly send: (event: UnsentEvent) => void;
    readonly remember: (item: RememberedItem) => void;
    readonly onOver: (response: FakeResponse) => void;
  },
): FakeResponse {
  const { nextId, send } = ports;
  const id = nextId('resp');
  const itemId = nextId('item');
  const isConversation = request.conversation !== 'none';
  const base: RealtimeResponse = { id, object: 'realtime.response', metadata: request.metadata ?? null, output_modalities: ['audio'] };
  const text = script.text ?? '';
  const at = { response_id: id, item_id: itemId, output_index: 0, content_index: 0 };
  const message = (status: 'in_progress' | 'completed' | 'incomplete', transcript: string): ConversationItem => ({
    id: itemId,
    type: 'message',
    role: 'assistant',
    status,
    content: transcript === '' ? [] : [{ type: 'output_audio', transcript }],
  });
  const remembered: RememberedItem = { id: itemId, kind: 'agent-audio', text, audioMs: 0, isTruncated: false };
  let isBegun = false;
  let isOver = false;

  const end = (details: Pick<RealtimeResponse, 'status' | 'status_details'>) => {
    if (isOver) return;
    isOver = true;
    queue.clear();
    send({ type: 'response.done', response: { ...base, ...details, usage } });
    ports.onOver(response);
  };
  const beginMessage = () => {
    isBegun = true;
    send({ type: 'response.output_item.added', response_id: id, output_index: 0, item: message('in_progress', '') });
    if (isConversation) {
      send({ type: 'conversation.item.added', item: message('in_progress', ''), previous_item_id: null });
      ports.remember(remembered);
    }
    send({ type: 'response.content_part.added', ...at, part: { type: 'audio', transcript: '' } });
    // The words are ahead of their sound.
    for (const word of text.split(/(?<= )/)) send({ type: 'response.output_audio_transcript.delta', ...at, delta: word });
  };
  const endMessage = (status: 'completed' | 'incomplete') => {
    if (!isBegun) return;
    send({ type: 'response.output_audio.done', ...at });
    send({ type: 'response.output_audio_transcript.done', ...at, transcript: text });
    send({ type: 'response.content_part.done', ...at, part: { type: 'audio', transcript: text } });
    send({ type: 'response.output_item.done', response_id: id, output_index: 0, item: message(status, text) });
  };
  const finish = () => {
    endMessage('completed');
    for (const [index, call] of (script.calls ?? []).entries()) {
      const callId = nextId('call');
      const callItemId = nextId('item');
      const item: ConversationItem = { id: callItemId, type: 'function_call', call_id: callId, name: call.name, arguments: call.argumentsJson ?? '{}', status: 'completed' };
      const where = { response_id: id, output_index: index + 1 };
      send({ type: 'response.output_item.added', ...where, item: { ...item, arguments: '', status: 'in_progress' } });
      send({ type: 'response.function_call_arguments.done', ...where, item_id: callItemId, call_id: callId, name: call.name, arguments: item.arguments });
      send({ type: 'response.output_item.done', ...where, item });
      if (isConversation) ports.remember({ id: callId, kind: 'function_call', text: call.name, audioMs: 0, isTruncated: false });
    }
    end({ status: 'completed' });
  };
  const fault = script.stallsAfterMs === undefined ? undefined : ({ audio: 'stall', afterAudioMs: script.stallsAfterMs } as const);
  const queue = createSpeechQueue(ports.pace, fault, ({ audio, totalMs }) => {
    if (!isBegun) beginMessage();
    remembered.audioMs = Math.min(totalMs, remembered.audioMs + audio.length / 8);
    send({ type: 'response.output_audio.delta', ...at, delta: audio.toString('base64') });
  });
  const response: FakeResponse = {
    id,
    isConversation,
    cancel() {
      endMessage('incomplete');
      end({ status: 'cancelled', status_details: { type: 'cancelled', reason: 'client_cancelled' } });
    },
    drop() {
      isOver = true;
      queue.clear();
    },
  };

  send({ type: 'response.created', response: { ...base, status: 'in_progress', output: [] } });
  if (script.error !== undefined) {
    end({ status: 'failed', status_details: { type: 'failed', error: { type: 'server_error', code: script.error } } });
  } else if (text === '') {
    finish();
  } else if (script.isMute === true) {
    beginMessage();
    finish();
  } else {
    queue.say(text);
    queue.mark(finish);
  }
  return response;
}
