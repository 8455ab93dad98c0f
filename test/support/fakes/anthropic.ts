import type { IncomingMessage } from 'node:http';
import {
  finishReasonOf,
  piecesOf,
  scriptedUsage,
  startScriptedModel,
  tokensOf,
  type ModelDialect,
  type ScriptedModel,
  type ScriptedModelOptions,
  type ScriptedReply,
} from './scripted-model.js';

/** A block of a message's content. */
export type AnthropicBlock =
  | { readonly type: 'text'; readonly text: string; readonly cache_control?: unknown }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown }
  | { readonly type: 'tool_result'; readonly tool_use_id: string; readonly content?: unknown };

/** A message. */
export interface AnthropicMessage {
  readonly role: string;
  readonly content: string | readonly AnthropicBlock[];
}

/** A request of the Messages API, as far as the fake looks at it (platform.claude.com/docs/en/api/messages). */
export interface AnthropicRequest {
  readonly model: string;
  readonly max_tokens?: number;
  readonly stream?: boolean;
  readonly temperature?: number;
  readonly system?: string | readonly AnthropicBlock[];
  readonly messages: readonly AnthropicMessage[];
  readonly tools?: readonly { readonly name: string; readonly input_schema?: { readonly type?: string } }[];
  readonly thinking?: unknown;
  readonly output_config?: unknown;
}

const fields = new Set(['model', 'max_tokens', 'stream', 'temperature', 'system', 'messages', 'tools', 'tool_choice', 'thinking', 'output_config']);
const toolIdPattern = /^[a-zA-Z0-9_-]+$/;
const toolNamePattern = /^[a-zA-Z0-9_-]{1,128}$/;

function blocksOf(content: AnthropicMessage['content'] | undefined): readonly AnthropicBlock[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? []);
}

function refusalOfText(where: string, blocks: readonly AnthropicBlock[]): string | null {
  const texts = blocks.flatMap((block) => (block.type === 'text' ? [block.text] : []));
  if (texts.includes('')) return `${where}: text content blocks must be non-empty`;
  return texts.some((text) => text.trim() === '') ? `${where}: text content blocks must contain non-whitespace text` : null;
}

/** Calls are answered at once, all of them, before anything else is said. */
function refusalOfTools(messages: readonly AnthropicMessage[]): string | null {
  for (const [index, message] of messages.entries()) {
    const before = blocksOf(messages[index - 1]?.content);
    const called = before.flatMap((block) => (block.type === 'tool_use' ? [block.id] : []));
    const blocks = blocksOf(message.content);
    const isAnswered = called.every((id) => blocks.slice(0, called.length).some((block) => block.type === 'tool_result' && block.tool_use_id === id));
    if (!isAnswered) return `messages.${index - 1}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${called.join(', ')}.`;
    for (const [at, block] of blocks.entries()) {
      if (block.type === 'tool_result' && !called.includes(block.tool_use_id)) return `messages.${index}.content.${at}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${block.tool_use_id}.`;
      if (block.type !== 'tool_use') continue;
      if (!toolIdPattern.test(block.id)) return `messages.${index}.content.${at}.tool_use.id: String should match pattern '${toolIdPattern.source}'`;
      if (typeof block.input !== 'object' || block.input === null || Array.isArray(block.input)) return `messages.${index}.content.${at}.tool_use.input: Input should be a valid dictionary`;
    }
  }
  return null;
}

function refusalOfMessages(messages: readonly AnthropicMessage[]): string | null {
  if (messages.length === 0) return 'messages: at least one message is required';
  if (messages[0]?.role !== 'user') return 'messages: first message must use the "user" role';
  for (const [index, message] of messages.entries()) {
    if (message.role !== 'user' && message.role !== 'assistant') return `messages.${index}.role: Input should be 'user' or 'assistant'`;
    if (message.role === messages[index - 1]?.role) return `messages: roles must alternate between "user" and "assistant", but found multiple "${message.role}" roles in a row`;
    if (blocksOf(message.content).length === 0) return `messages.${index}: all messages must have non-empty content except for the optional final assistant message`;
    const refusal = refusalOfText('messages', blocksOf(message.content));
    if (refusal !== null) return refusal;
  }
  if (messages.at(-1)?.role === 'assistant') return 'This model does not support assistant message prefill. The conversation must end with a user message.';
  return refusalOfTools(messages);
}

/** Why the Messages API would refuse a request, in its words; null where it would not. */
function refusalOf(body: AnthropicRequest, request: IncomingMessage): string | null {
  if (request.headers['anthropic-version'] === undefined) return 'anthropic-version: header is required';
  const stranger = Object.keys(body).find((field) => !fields.has(field));
  if (stranger !== undefined) return `${stranger}: Extra inputs are not permitted`;
  if (!Number.isInteger(body.max_tokens) || body.max_tokens! < 1) return 'max_tokens: Field required';
  if (body.temperature !== undefined && /^claude-[a-z]+-(5|4-[78])/.test(body.model)) return '`temperature` is deprecated for this model.';
  for (const [index, tool] of (body.tools ?? []).entries()) {
    if (!toolNamePattern.test(tool.name)) return `tools.${index}.custom.name: String should match pattern '${toolNamePattern.source}'`;
    if (tool.input_schema?.type !== 'object') return `tools.${index}.custom.input_schema.type: Field required`;
  }
  return refusalOfText('system', blocksOf(body.system)) ?? refusalOfMessages(body.messages);
}

const event = (type: string, data: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
const delta = (index: number, value: object) => event('content_block_delta', { index, delta: value });

function textParts(text: string): string[] {
  const tokens = tokensOf(text).map((token) => delta(0, { type: 'text_delta', text: token }));
  if (tokens.length === 0) return [];
  tokens[0] = event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }) + event('ping', {}) + tokens[0]!;
  tokens[tokens.length - 1] += event('content_block_stop', { index: 0 });
  return tokens;
}

function toolParts(calls: NonNullable<ScriptedReply['toolCalls']>, firstIndex: number): string[] {
  return calls.flatMap((call, position) => {
    const index = firstIndex + position;
    const start = event('content_block_start', { index, content_block: { type: 'tool_use', id: call.id, name: call.name, input: {} } });
    const pieces = piecesOf(call.argumentsJson).map((piece) => delta(index, { type: 'input_json_delta', partial_json: piece }));
    return [start + delta(index, { type: 'input_json_delta', partial_json: '' }), ...pieces, event('content_block_stop', { index })];
  });
}

const stopReasons = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use', content_filter: 'refusal' } as const;

function messageOf(body: AnthropicRequest, content: readonly object[], stopReason: string | null) {
  const usage = { input_tokens: scriptedUsage.input, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: stopReason === null ? 1 : scriptedUsage.output };
  return { id: 'msg_fake', type: 'message', role: 'assistant', model: body.model, content, stop_reason: stopReason, stop_sequence: null, usage };
}

function stream(body: AnthropicRequest, reply: ScriptedReply) {
  const text = textParts(reply.text ?? '');
  const stopReason = stopReasons[finishReasonOf(reply)];
  return {
    head: event('message_start', { message: messageOf(body, [], null) }),
    parts: [...text, ...toolParts(reply.toolCalls ?? [], text.length === 0 ? 0 : 1)],
    tail: event('message_delta', { delta: { stop_reason: stopReason, stop_sequence: null }, usage: { output_tokens: scriptedUsage.output } }) + event('message_stop', {}),
  };
}

function whole(body: AnthropicRequest, reply: ScriptedReply) {
  const text = (reply.text ?? '') === '' ? [] : [{ type: 'text', text: reply.text }];
  const calls = (reply.toolCalls ?? []).map((call) => ({ type: 'tool_use', id: call.id, name: call.name, input: JSON.parse(call.argumentsJson) as unknown }));
  return messageOf(body, [...text, ...calls], stopReasons[finishReasonOf(reply)]);
}

/** Names of errors by status (platform.claude.com/docs/en/api/errors). */
const errorTypes: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
  529: 'overloaded_error',
};
const errorBody = (status: number, message: string) => ({ type: 'error', error: { type: errorTypes[status] ?? 'api_error', message }, request_id: 'req_fake' });

const anthropic: ModelDialect<AnthropicRequest> = {
  isCompletion: (path) => path === '/v1/messages',
  modelsPath: '/v1/models',
  // Either header (platform.claude.com/docs/en/manage-claude/authentication): the AI SDK sends the older one, Anthropic's own SDK the other.
  keyOf: ({ headers }) => headers['x-api-key']?.toString() ?? headers.authorization?.replace('Bearer ', ''),
  unauthorized: { status: 401, body: errorBody(401, 'invalid x-api-key') },
  errorBody,
  refusalOf,
  lastUserText: (body) =>
    blocksOf(body.messages.findLast((message) => message.role === 'user' && blocksOf(message.content).some((block) => block.type === 'text'))?.content)
      .map((block) => (block.type === 'text' ? block.text : ''))
      .join(''),
  isStreamed: (body) => body.stream === true,
  stream,
  whole,
  streamError: (error) => event('error', { error }),
  endOfStream: '',
};

/** Starts a server that speaks the Messages API. */
export const startFakeAnthropic = (options: ScriptedModelOptions<AnthropicRequest> = {}): Promise<ScriptedModel<AnthropicRequest>> =>
  startScriptedModel(anthropic, options);
