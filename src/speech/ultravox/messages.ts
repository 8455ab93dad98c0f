import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { asRecord, parseJsonRecord, type JsonRecord } from '../../base/json.js';
import type { LanguageModelRequest, ModelTool } from '../language-model.js';
import type { MemoryItem } from '../realtime-memory.js';
import type { UltravoxSettings } from './settings.js';

/*
 * The messages of an Ultravox call over a server WebSocket (docs.ultravox.ai/apps/datamessages, docs.ultravox.ai/apps/websockets,
 * docs.ultravox.ai/agents/call-stages): no I/O. Audio travels as binary messages of 16-bit little-endian PCM.
 */

/** The function whose result brings a stage in: the only way that the protocol has to change prompt and functions of a call. */
export const STAGE_TOOL = 'enter_stage';

/** Audio that the vendor may send ahead of its playing. The call paces it, and drops what is interrupted. */
const CLIENT_BUFFER_MS = 30_000;
/** How long a function may take; the vendor hears nobody meanwhile, and goes on with an error afterwards. */
const TOOL_TIMEOUT = '20s';

const seconds = (ms: number) => `${ms / 1000}s`;

const stageTool: ModelTool = { name: STAGE_TOOL, description: 'Never call this.', parameters: { type: 'object', properties: {} } };

function selectedTool({ name, description, parameters }: ModelTool): JsonRecord {
  const required = Array.isArray(parameters['required']) ? parameters['required'] : [];
  const dynamicParameters = Object.entries(asRecord(parameters['properties'])).map(([key, schema]) => ({
    name: key,
    location: 'PARAMETER_LOCATION_BODY',
    schema,
    required: required.includes(key),
  }));
  return { temporaryTool: { modelToolName: name, description, dynamicParameters, timeout: TOOL_TIMEOUT, client: {} } };
}

const selectedTools = (tools: readonly ModelTool[]) => [...tools, stageTool].map(selectedTool);

/** What a call is created with. `language` is a BCP 47 tag or `multi`. It waits for the caller: what it does, its first stage says. */
export function callBody({ model, voice, temperature, turn_end_delay_ms: delayMs }: UltravoxSettings, language: string): JsonRecord {
  return {
    model,
    voice,
    systemPrompt: 'You are on the phone with a caller.',
    selectedTools: selectedTools([]),
    ...(temperature === undefined ? {} : { temperature }),
    ...(language === 'multi' ? {} : { languageHint: language }),
    firstSpeakerSettings: { user: {} },
    vadSettings: { turnEndpointDelay: seconds(delayMs) },
    medium: { serverWebSocket: { inputSampleRate: SAMPLE_RATE_HZ, outputSampleRate: SAMPLE_RATE_HZ, clientBufferSizeMs: CLIENT_BUFFER_MS } },
  };
}

/** Prompt and functions of a part of the call, as the result of a function carries them. Equal for equal ones. */
export function stageOf({ messages, tools }: Pick<LanguageModelRequest, 'messages' | 'tools'>): JsonRecord {
  const systemPrompt = messages.flatMap((message) => (message.role === 'system' ? [message.text] : [])).join('\n\n');
  return { systemPrompt, selectedTools: selectedTools(tools) };
}

/** Calls for the stage's function at once, whatever the agent does. */
export const forceStage = (): string =>
  JSON.stringify({ type: 'forced_agent_message', content: '', toolCalls: [{ name: STAGE_TOOL, arguments: {} }], urgency: 'immediate' });

/** Has the agent say exactly these words. */
export const forceWords = (content: string): string => JSON.stringify({ type: 'forced_agent_message', content, urgency: 'immediate' });

/** The result of a function. `speaks`: the agent answers at once. */
export function toolResult(invocationId: string, result: string, speaks: boolean): string {
  return JSON.stringify({ type: 'client_tool_result', invocationId, result, responseType: 'tool-response', agentReaction: speaks ? 'speaks' : 'listens' });
}

/** The result of a function that brings a stage in; the agent answers at once. */
export function stageResult(invocationId: string, stage: JsonRecord, text: string): string {
  const result = JSON.stringify({ ...stage, toolResultText: text });
  return JSON.stringify({ type: 'client_tool_result', invocationId, result, responseType: 'new-stage', agentReaction: 'speaks' });
}

/** Puts something into the conversation that the agent takes up when it next answers. */
export function tell(item: Exclude<MemoryItem, { type: 'tool-result' }>): string {
  const text = item.type === 'agent-words' ? `[You said: ${item.text}]` : item.text;
  return JSON.stringify({ type: 'user_text_message', text, urgency: 'later' });
}

/** Ends the call. */
export const hangUp = (): string => '{"type":"hang_up"}';

/** What the vendor says besides audio. */
export type UltravoxEvent =
  | { readonly type: 'call-started' }
  | { readonly type: 'state'; readonly state: string }
  /** Words of the caller, complete. */
  | { readonly type: 'caller-words'; readonly text: string }
  /** More words of the agent, or all words of the utterance so far. */
  | { readonly type: 'agent-words'; readonly text: string; readonly isWhole: boolean; readonly ordinal: number }
  | { readonly type: 'invocation'; readonly id: string; readonly name: string; readonly argumentsJson: string }
  | { readonly type: 'clear' }
  /** Of no interest here. */
  | { readonly type: 'other' };

function transcriptOf({ role, text, delta, final, ordinal }: JsonRecord): UltravoxEvent {
  const isWhole = typeof text === 'string';
  const words = isWhole ? text : typeof delta === 'string' ? delta : '';
  if (role === 'agent') return { type: 'agent-words', text: words, isWhole, ordinal: typeof ordinal === 'number' ? ordinal : 0 };
  return role === 'user' && final === true ? { type: 'caller-words', text: words } : { type: 'other' };
}

/** Reads a message; null: it is none of the protocol. */
export function parseServerMessage(data: Buffer): UltravoxEvent | null {
  const message = parseJsonRecord(data);
  if (message === null || typeof message['type'] !== 'string') return null;
  const { state, invocationId, toolName, parameters } = message;
  switch (message['type']) {
    case 'call_started':
      return { type: 'call-started' };
    case 'state':
      return typeof state === 'string' ? { type: 'state', state } : null;
    case 'transcript':
      return transcriptOf(message);
    case 'playback_clear_buffer':
      return { type: 'clear' };
    case 'client_tool_invocation':
      if (typeof invocationId !== 'string' || typeof toolName !== 'string') return null;
      return { type: 'invocation', id: invocationId, name: toolName, argumentsJson: JSON.stringify(asRecord(parameters)) };
    default:
      return { type: 'other' };
  }
}
