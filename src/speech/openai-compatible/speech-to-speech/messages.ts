import { AgentStreamError } from '../../../base/errors.js';
import { asRecord, parseJsonRecord, type JsonRecord } from '../../../base/json.js';
import type { LanguageModelRequest, ModelUsage } from '../../language-model.js';
import type { MemoryItem } from '../../realtime-memory.js';
import type { OpenaiRealtimeSettings } from './settings.js';

/*
 * The messages of OpenAI's Realtime API as it is generally available (platform.openai.com/docs/api-reference/realtime-client-events and
 * realtime-server-events): no I/O.
 */

/** Marks the request that sets the session up: what the vendor says against it is said against the session. */
export const SESSION_EVENT_ID = 'session';

/**
 * Tokens that speech takes for one of text: a response is bounded in both, and a second of speech is 20 audio tokens beside its three or
 * four words (platform.openai.com/docs/guides/realtime-costs).
 */
const SPEECH_TOKENS_PER_TEXT_TOKEN = 5;

/** The most that may be asked for. */
const MAX_OUTPUT_TOKENS = 4096;

const format = { type: 'audio/pcmu' } as const;

function turnDetection({ turn_detection: type, silence_duration_ms: silenceMs, eagerness }: OpenaiRealtimeSettings) {
  const detection = type === 'server_vad' ? { silence_duration_ms: silenceMs } : { eagerness };
  // The vendor says when a turn is over; when a response begins, and when it is interrupted, is decided here.
  return { type, ...detection, create_response: false, interrupt_response: false };
}

/** Sets the session up. `language` is a BCP 47 tag or `multi`; `keyterms` are words that the transcript should know. */
export function sessionUpdate(settings: OpenaiRealtimeSettings, language: string, keyterms: readonly string[]): string {
  const { voice, speed, transcription_model: model } = settings;
  const transcription = {
    model,
    ...(language === 'multi' ? {} : { language: language.split('-')[0] }),
    ...(keyterms.length === 0 ? {} : { prompt: `Words to expect: ${keyterms.join(', ')}` }),
  };
  const session = {
    type: 'realtime',
    output_modalities: ['audio'],
    audio: {
      input: { format, transcription, turn_detection: turnDetection(settings) },
      output: { format, voice, ...(speed === undefined ? {} : { speed }) },
    },
  };
  return JSON.stringify({ type: 'session.update', event_id: SESSION_EVENT_ID, session });
}

/** Hands over the caller's audio: 8 kHz mu-law as it is. */
export const audioAppend = (audio: Buffer): string => `{"type":"input_audio_buffer.append","audio":"${audio.toString('base64')}"}`;

/** Puts something into the conversation. */
export function itemCreate(item: MemoryItem): string {
  return JSON.stringify({ type: 'conversation.item.create', item: conversationItem(item) });
}

function conversationItem(item: MemoryItem): JsonRecord {
  switch (item.type) {
    case 'caller-words':
      return { type: 'message', role: 'user', content: [{ type: 'input_text', text: item.text }] };
    case 'agent-words':
      return { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: item.text }] };
    case 'note':
      return { type: 'message', role: 'system', content: [{ type: 'input_text', text: item.text }] };
    case 'tool-result':
      return { type: 'function_call_output', call_id: item.toolCallId, output: item.text };
  }
}

/** Asks for a response to the conversation. `key` names it until the vendor has named it itself. */
export function responseCreate(key: string, { messages, tools, maxOutputTokens }: LanguageModelRequest): string {
  const instructions = messages.flatMap((message) => (message.role === 'system' ? [message.text] : [])).join('\n\n');
  const response = {
    instructions,
    tools: tools.map(({ name, description, parameters }) => ({ type: 'function', name, description, parameters })),
    max_output_tokens: Math.min(MAX_OUTPUT_TOKENS, maxOutputTokens * SPEECH_TOKENS_PER_TEXT_TOKEN),
    metadata: { request: key },
  };
  return JSON.stringify({ type: 'response.create', event_id: key, response });
}

/** Asks for fixed words, apart from the conversation (platform.openai.com/docs/guides/realtime-conversations, out-of-band responses). */
export function sayCreate(key: string, text: string): string {
  const instructions = `Say the words below to the caller exactly as they are written, in their language, and nothing else.\n\n${text}`;
  const response = { conversation: 'none', input: [], instructions, tools: [], metadata: { request: key } };
  return JSON.stringify({ type: 'response.create', event_id: key, response });
}

/** Stops a response. */
export const responseCancel = (responseId: string): string => JSON.stringify({ type: 'response.cancel', response_id: responseId });

/** The conversation keeps only the first ms of an item's audio, and no words that nobody heard. */
export const itemTruncate = (itemId: string, audioEndMs: number): string =>
  JSON.stringify({ type: 'conversation.item.truncate', item_id: itemId, content_index: 0, audio_end_ms: Math.floor(audioEndMs) });

/** The conversation forgets an item. */
export const itemDelete = (itemId: string): string => JSON.stringify({ type: 'conversation.item.delete', item_id: itemId });

/** How a response ended. */
export interface ResponseEnd {
  readonly reason: 'stop' | 'length' | 'other';
  readonly usage: ModelUsage | undefined;
  readonly error: AgentStreamError | null;
}

/** What the vendor says, as far as it matters here. Times are ms of the audio that this connection was given. */
export type ServerEvent =
  | { readonly type: 'session-updated' }
  | { readonly type: 'speech-started'; readonly itemId: string }
  | { readonly type: 'speech-stopped'; readonly itemId: string; readonly endMs: number }
  | { readonly type: 'transcript-delta'; readonly itemId: string; readonly text: string }
  /** `text` null: the vendor could not write it down. */
  | { readonly type: 'transcript-done'; readonly itemId: string; readonly text: string | null }
  /** `key` null: the vendor does not say which request it answers. */
  | { readonly type: 'response-created'; readonly responseId: string; readonly key: string | null }
  | { readonly type: 'item-added'; readonly responseId: string; readonly itemId: string; readonly isMessage: boolean }
  | { readonly type: 'audio'; readonly responseId: string; readonly itemId: string; readonly audio: Buffer }
  | { readonly type: 'text'; readonly responseId: string; readonly text: string }
  | { readonly type: 'call'; readonly responseId: string; readonly id: string; readonly name: string; readonly argumentsJson: string }
  | { readonly type: 'response-done'; readonly responseId: string; readonly end: ResponseEnd }
  /** `eventId`: the request it is about, null where it is about none. `isFinal`: the session is over. */
  | { readonly type: 'error'; readonly eventId: string | null; readonly isFinal: boolean; readonly error: AgentStreamError }
  | { readonly type: 'unknown' };

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const numberOf = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0);

/** What an error of the API comes to (platform.openai.com/docs/guides/error-codes). */
function errorOf(value: unknown): AgentStreamError {
  const { code, type } = asRecord(value);
  const name = textOf(code) || textOf(type) || 'unknown';
  const options = { message: `The speech-to-speech model reported ${name.slice(0, 80)}` };
  if (/quota|api_key|authentication|permission/.test(name)) return new AgentStreamError('vendor-unauthorized', options);
  if (/rate_limit/.test(name)) return new AgentStreamError('vendor-rate-limited', options);
  if (/server_error|expired|unavailable/.test(name)) return new AgentStreamError('vendor-unreachable', options);
  return new AgentStreamError('vendor-rejected', options);
}

function usageOf(value: unknown): ModelUsage | undefined {
  const { input_tokens: inputTokens, output_tokens: outputTokens } = asRecord(value);
  return typeof inputTokens === 'number' && typeof outputTokens === 'number' ? { inputTokens, outputTokens } : undefined;
}

function endOf(response: JsonRecord): ResponseEnd {
  const details = asRecord(response['status_details']);
  const reason = response['status'] === 'completed' ? 'stop' : details['reason'] === 'max_output_tokens' ? 'length' : 'other';
  return { reason, usage: usageOf(response['usage']), error: response['status'] === 'failed' ? errorOf(details['error']) : null };
}

function itemEvent(message: JsonRecord, responseId: string): ServerEvent {
  const item = asRecord(message['item']);
  const isCall = item['type'] === 'function_call';
  if (message['type'] === 'response.output_item.added')
    return { type: 'item-added', responseId, itemId: textOf(item['id']), isMessage: item['type'] === 'message' };
  if (!isCall) return { type: 'unknown' };
  return { type: 'call', responseId, id: textOf(item['call_id']), name: textOf(item['name']), argumentsJson: textOf(item['arguments']) };
}

/** Reads a message; null for what is not of the protocol. Never throws. */
export function parseServerEvent(data: Buffer): ServerEvent | null {
  const message = parseJsonRecord(data);
  if (message === null || typeof message['type'] !== 'string') return null;
  const itemId = textOf(message['item_id']);
  const responseId = textOf(message['response_id']);
  switch (message['type']) {
    case 'session.updated':
      return { type: 'session-updated' };
    case 'input_audio_buffer.speech_started':
      return { type: 'speech-started', itemId };
    case 'input_audio_buffer.speech_stopped':
      return { type: 'speech-stopped', itemId, endMs: numberOf(message['audio_end_ms']) };
    case 'conversation.item.input_audio_transcription.delta':
      return { type: 'transcript-delta', itemId, text: textOf(message['delta']) };
    case 'conversation.item.input_audio_transcription.completed':
      return { type: 'transcript-done', itemId, text: textOf(message['transcript']) };
    case 'conversation.item.input_audio_transcription.failed':
      return { type: 'transcript-done', itemId, text: null };
    case 'response.created': {
      const response = asRecord(message['response']);
      const key = asRecord(response['metadata'])['request'];
      return { type: 'response-created', responseId: textOf(response['id']), key: typeof key === 'string' ? key : null };
    }
    case 'response.output_item.added':
    case 'response.output_item.done':
      return itemEvent(message, responseId);
    case 'response.output_audio.delta':
      return { type: 'audio', responseId, itemId, audio: Buffer.from(textOf(message['delta']), 'base64') };
    case 'response.output_audio_transcript.delta':
    case 'response.output_text.delta':
      return { type: 'text', responseId, text: textOf(message['delta']) };
    case 'response.done': {
      const response = asRecord(message['response']);
      return { type: 'response-done', responseId: textOf(response['id']), end: endOf(response) };
    }
    case 'error': {
      const error = asRecord(message['error']);
      const eventId = typeof error['event_id'] === 'string' ? error['event_id'] : null;
      return { type: 'error', eventId, isFinal: error['code'] === 'session_expired', error: errorOf(error) };
    }
    default:
      return { type: 'unknown' };
  }
}
