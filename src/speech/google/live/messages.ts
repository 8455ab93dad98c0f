import { decodeMulaw } from '../../../audio/g711.js';
import { AgentStreamError } from '../../../base/errors.js';
import { asRecord, isRecord, parseJsonRecord, type JsonRecord } from '../../../base/json.js';
import type { SocketEnd } from '../../../base/socket-client.js';
import type { LanguageModelRequest, ModelToolCall, ModelUsage } from '../../language-model.js';
import type { MemoryItem } from '../../realtime-memory.js';
import type { GeminiLiveSettings } from './settings.js';

/* The messages of `BidiGenerateContent` (ai.google.dev/api/live): no I/O. */

/** A result of a function that the model waits for. */
export type ToolResult = Extract<MemoryItem, { type: 'tool-result' }>;

/**
 * Sets the session up. The call says when the caller's turn begins and ends, and what interrupts an answer: the vendor detects neither.
 * The window slides, or a session would end after 15 minutes (ai.google.dev/gemini-api/docs/live-session).
 */
export function setupMessage({ model, voice, temperature }: GeminiLiveSettings): string {
  const setup = {
    model: `models/${model}`,
    generationConfig: {
      responseModalities: ['AUDIO'],
      speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: voice } } },
      ...(temperature === undefined ? {} : { temperature }),
    },
    realtimeInputConfig: {
      automaticActivityDetection: { disabled: true },
      activityHandling: 'NO_INTERRUPTION',
      turnCoverage: 'TURN_INCLUDES_ONLY_ACTIVITY',
    },
    inputAudioTranscription: {},
    outputAudioTranscription: {},
    contextWindowCompression: { slidingWindow: {} },
  };
  return JSON.stringify({ setup });
}

/** The caller begins to speak. */
export const activityStart = '{"realtimeInput":{"activityStart":{}}}';

/** The caller's turn is over: the model answers. */
export const activityEnd = '{"realtimeInput":{"activityEnd":{}}}';

/** Hands over the caller's audio, 8 kHz mu-law, as PCM of the same rate: the vendor resamples (ai.google.dev/gemini-api/docs/live-guide). */
export function audioInput(mulaw: Buffer): string {
  const samples = decodeMulaw(mulaw);
  const data = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength).toString('base64');
  return `{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=8000","data":"${data}"}}}`;
}

/** Instructions and functions from now on, in the order of the session's other messages (`LiveClientContextUpdate` of `@google/genai`). */
export function contextUpdate({ messages, tools }: LanguageModelRequest): string {
  const instructions = messages.flatMap((message) => (message.role === 'system' ? [message.text] : [])).join('\n\n');
  const functionDeclarations = tools.map(({ name, description, parameters }) => ({
    name,
    description,
    parametersJsonSchema: parameters,
    // The answer waits for what the function returns, as with any other model.
    behavior: 'BLOCKING',
  }));
  return JSON.stringify({
    contextUpdate: {
      systemInstruction: { parts: [{ text: instructions }] },
      tools: { tools: tools.length === 0 ? [] : [{ functionDeclarations }] },
    },
  });
}

const roleOf = (item: MemoryItem): 'model' | 'user' => (item.type === 'agent-words' ? 'model' : 'user');
const wordsOf = (item: MemoryItem): string => (item.type === 'tool-result' ? `[A function returned: ${item.text}]` : item.text);

/** Puts words into the conversation. What the model is saying is cut off. `asks`: it is to answer now. */
export function clientContent(items: readonly MemoryItem[], asks: boolean): string {
  const turns = items.map((item) => ({ role: roleOf(item), parts: [{ text: wordsOf(item) }] }));
  return JSON.stringify({ clientContent: { ...(turns.length === 0 ? {} : { turns }), turnComplete: asks } });
}

/** Results of the functions that the model waits for: it goes on at once. Other items go with the last of them: anything else would cut it off. */
export function toolResponse(results: readonly ToolResult[], others: readonly MemoryItem[], nameOf: (id: string) => string): string {
  const notes = others.map((item) => (item.type === 'agent-words' ? `[You said: ${item.text}]` : wordsOf(item)));
  const functionResponses = results.map(({ toolCallId, text }, index) => ({
    id: toolCallId,
    name: nameOf(toolCallId),
    response: { result: text, ...(notes.length > 0 && index === results.length - 1 ? { notes } : {}) },
  }));
  return JSON.stringify({ toolResponse: { functionResponses } });
}

/** Asks for fixed words. */
export const sayItem = (text: string): MemoryItem => ({
  type: 'note',
  text: `[Say the words below to the caller exactly as they are written, in their language, and nothing else. Call no function.]\n\n${text}`,
});

/** What the vendor says, as far as it matters here. */
export type ServerEvent =
  | { readonly type: 'setup-complete' }
  | { readonly type: 'caller-text'; readonly text: string; readonly isFinished: boolean }
  | { readonly type: 'text'; readonly text: string }
  /** PCM, 16 bits. */
  | { readonly type: 'audio'; readonly pcm: Buffer; readonly rateHz: number }
  | { readonly type: 'calls'; readonly calls: readonly ModelToolCall[] }
  | { readonly type: 'usage'; readonly usage: ModelUsage }
  /** All of an answer has been sent. */
  | { readonly type: 'generation-complete' }
  /** The vendor takes the answer for heard, or has cut it off. */
  | { readonly type: 'turn-complete' }
  | { readonly type: 'go-away' };

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const listOf = (value: unknown): readonly JsonRecord[] => (Array.isArray(value) ? value.filter(isRecord) : []);

function usageOf({ promptTokenCount: inputTokens, responseTokenCount: outputTokens }: JsonRecord): readonly ServerEvent[] {
  return typeof inputTokens === 'number' && typeof outputTokens === 'number' ? [{ type: 'usage', usage: { inputTokens, outputTokens } }] : [];
}

function audioOf({ inlineData }: JsonRecord): readonly ServerEvent[] {
  const { mimeType, data } = asRecord(inlineData);
  if (!textOf(mimeType).startsWith('audio/pcm')) return [];
  const rateHz = Number(/rate=(\d{4,5})\b/.exec(textOf(mimeType))?.[1] ?? 24_000);
  return [{ type: 'audio', pcm: Buffer.from(textOf(data), 'base64'), rateHz }];
}

/** One message may hold several of them (ai.google.dev/gemini-api/docs/models/gemini-3.1-flash-live-preview). */
function contentEvents(content: JsonRecord): readonly ServerEvent[] {
  const heard = asRecord(content['inputTranscription']);
  const said = textOf(asRecord(content['outputTranscription'])['text']);
  return [
    ...(isRecord(content['inputTranscription'])
      ? [{ type: 'caller-text', text: textOf(heard['text']), isFinished: heard['finished'] === true } as const]
      : []),
    ...(said === '' ? [] : [{ type: 'text', text: said } as const]),
    ...listOf(asRecord(content['modelTurn'])['parts']).flatMap(audioOf),
    ...(content['generationComplete'] === true ? [{ type: 'generation-complete' } as const] : []),
    ...(content['turnComplete'] === true ? [{ type: 'turn-complete' } as const] : []),
  ];
}

const callOf = ({ id, name, args }: JsonRecord): ModelToolCall => ({ id: textOf(id), name: textOf(name), argumentsJson: JSON.stringify(args ?? {}) });

/** Reads a message; null for what is not of the protocol. Never throws. */
export function parseServerMessage(data: Buffer): readonly ServerEvent[] | null {
  const message = parseJsonRecord(data);
  if (message === null) return null;
  const calls = listOf(asRecord(message['toolCall'])['functionCalls']).map(callOf);
  return [
    ...(isRecord(message['setupComplete']) ? [{ type: 'setup-complete' } as const] : []),
    ...usageOf(asRecord(message['usageMetadata'])),
    ...contentEvents(asRecord(message['serverContent'])),
    ...(calls.length === 0 ? [] : [{ type: 'calls', calls } as const]),
    ...(isRecord(message['goAway']) ? [{ type: 'go-away' } as const] : []),
  ];
}

/** What a close frame means: the vendor reports its errors there, in words. Null: the common meaning. */
export function closeError({ code, reason, error }: SocketEnd): AgentStreamError | null {
  if (error !== undefined) return null;
  if (/api[ _]?key|permission|unauthenticated|unregistered callers/i.test(reason)) return new AgentStreamError('vendor-unauthorized');
  if (/quota|resource.?exhausted|rate.?limit/i.test(reason)) return new AgentStreamError('vendor-rate-limited');
  return code === 1007 || code === 1008 ? new AgentStreamError('vendor-rejected', { details: { closeCode: code } }) : null;
}
