import {
  finishReasonOf,
  piecesOf,
  scriptedUsage,
  startScriptedModel,
  tokensOf,
  type ModelDialect,
  type ModelFault,
  type ScriptedModel,
  type ScriptedModelOptions,
  type ScriptedReply,
} from './scripted-model.js';

export type { ScriptedReply } from './scripted-model.js';

/** A message of a chat. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: unknown;
  readonly tool_calls?: readonly { readonly id: string; readonly function: { readonly name: string; readonly arguments: string } }[];
  readonly tool_call_id?: string;
}

/** The parts of a chat completion request that the fake looks at. */
export interface ChatRequest {
  readonly model: string;
  readonly stream?: boolean;
  readonly max_tokens?: number;
  readonly max_completion_tokens?: number;
  readonly temperature?: number;
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly { readonly type: string; readonly function: { readonly name: string; readonly parameters: unknown } }[];
}

/** What may go wrong with a request. */
export type OpenaiFault = ModelFault;
/** How the fake behaves. */
export type FakeOpenaiOptions = ScriptedModelOptions<ChatRequest>;
/** A server that speaks the chat completions API. */
export type FakeOpenai = ScriptedModel<ChatRequest>;

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: unknown }) => (typeof part.text === 'string' ? part.text : '')).join('');
}

const lastUserText = (request: ChatRequest): string => textOf(request.messages.findLast((message) => message.role === 'user')?.content);

/** What the chat completions API refuses about tool calls and their results; in its words. */
function refusalOfChat({ messages }: ChatRequest): string | null {
  let open = new Set<string>();
  for (const message of messages) {
    if (message.role === 'tool') {
      if (!open.delete(message.tool_call_id ?? '')) return "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
      continue;
    }
    if (open.size > 0) break;
    const calls = message.tool_calls ?? [];
    open = new Set(calls.map((call) => call.id));
    for (const call of calls) {
      try {
        JSON.parse(call.function.arguments);
      } catch {
        return 'Invalid parameter: function arguments must be JSON.';
      }
    }
  }
  return open.size === 0 ? null : "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.";
}

/** A chunk of a completion; `extra` comes beside the choices. */
export function chatChunk(model: string, delta: unknown, finishReason: string | null, extra: object = {}): string {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason: finishReason }];
  return `data: ${JSON.stringify({ id: 'chatcmpl-fake', object: 'chat.completion.chunk', created: 1767225600, model, choices, ...extra })}\n\n`;
}

function toolCallChunks(model: string, calls: NonNullable<ScriptedReply['toolCalls']>): string[] {
  return calls.flatMap((call, index) => [
    chatChunk(model, { tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.name, arguments: '' } }] }, null),
    ...piecesOf(call.argumentsJson).map((part) => chatChunk(model, { tool_calls: [{ index, function: { arguments: part } }] }, null)),
  ]);
}

/** Token counts as the protocol has them. */
export const chatUsage = {
  prompt_tokens: scriptedUsage.input,
  completion_tokens: scriptedUsage.output,
  total_tokens: scriptedUsage.input + scriptedUsage.output,
};

function whole(body: ChatRequest, reply: ScriptedReply) {
  const toolCalls = reply.toolCalls?.map((call) => ({ id: call.id, type: 'function', function: { name: call.name, arguments: call.argumentsJson } }));
  const message = { role: 'assistant', content: reply.text ?? null, refusal: null, ...(toolCalls === undefined ? {} : { tool_calls: toolCalls }) };
  const choices = [{ index: 0, message, logprobs: null, finish_reason: finishReasonOf(reply) }];
  return { id: 'chatcmpl-fake', object: 'chat.completion', created: 1767225600, model: body.model, choices, usage: chatUsage };
}

/** Where servers of this protocol differ. */
export interface ChatVariant {
  /** Path of the API, `/v1`. */
  readonly basePath: string;
  /** What comes beside the first chunk's choices. */
  readonly headExtra?: object;
  /** What ends a reply, after its last token. */
  tail(body: ChatRequest, finishReason: string): string;
  /** What this server refuses beside what all refuse. */
  refusalOf?(body: ChatRequest): string | null;
}

/** The chat completions API of a server. */
export function chatDialect(variant: ChatVariant): ModelDialect<ChatRequest> {
  const errorBody = (_status: number, message: string) => ({ error: { message, type: 'scripted', param: null, code: null } });
  return {
    isCompletion: (path) => path === `${variant.basePath}/chat/completions`,
    modelsPath: `${variant.basePath}/models`,
    keyOf: (request) => request.headers.authorization?.replace('Bearer ', ''),
    unauthorized: { status: 401, body: { error: { message: 'Incorrect API key', type: 'invalid_request_error', param: null, code: 'invalid_api_key' } } },
    errorBody,
    refusalOf: (body) => refusalOfChat(body) ?? variant.refusalOf?.(body) ?? null,
    lastUserText,
    isStreamed: (body) => body.stream === true,
    stream: (body, reply) => ({
      head: chatChunk(body.model, { role: 'assistant', content: '' }, null, variant.headExtra),
      parts: [...tokensOf(reply.text ?? '').map((token) => chatChunk(body.model, { content: token }, null)), ...toolCallChunks(body.model, reply.toolCalls ?? [])],
      tail: variant.tail(body, finishReasonOf(reply)),
    }),
    whole,
    streamError: (error) => `data: ${JSON.stringify({ error })}\n\n`,
    endOfStream: 'data: [DONE]\n\n',
  };
}

const openai = chatDialect({
  basePath: '/v1',
  tail(body, finishReason) {
    const counted = { id: 'chatcmpl-fake', object: 'chat.completion.chunk', created: 1767225600, model: body.model, choices: [], usage: chatUsage };
    return `${chatChunk(body.model, {}, finishReason)}data: ${JSON.stringify(counted)}\n\n`;
  },
});

/** Starts the fake. */
export const startFakeOpenai = (options: FakeOpenaiOptions = {}): Promise<FakeOpenai> => startScriptedModel(openai, options);
