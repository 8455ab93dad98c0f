import type { IncomingMessage, ServerResponse } from 'node:http';
import { systemClock, type Clock } from '../../../src/base/clock.js';
import { startVendorServer, type VendorServer } from './vendor-server.js';

const CUT_DELAY_MS = 20;

/** The parts of a chat completion request that the fake looks at. */
export interface ChatRequest {
  readonly model: string;
  readonly stream?: boolean;
  readonly max_tokens?: number;
  readonly max_completion_tokens?: number;
  readonly temperature?: number;
  readonly messages: readonly { readonly role: string; readonly content?: unknown; readonly tool_calls?: unknown; readonly tool_call_id?: string }[];
  readonly tools?: readonly { readonly type: string; readonly function: { readonly name: string; readonly parameters: unknown } }[];
}

/** What the model says. */
export interface ScriptedReply {
  readonly text?: string;
  readonly toolCalls?: readonly { readonly id: string; readonly name: string; readonly argumentsJson: string }[];
  readonly finishReason?: 'stop' | 'length' | 'tool_calls' | 'content_filter';
}

/** What may go wrong with a request. */
export type OpenaiFault =
  | { readonly kind: 'http'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** TCP reset before an answer. */
  | { readonly kind: 'reset' }
  /** Headers come, a first token never. */
  | { readonly kind: 'no-first-token' }
  /** The connection is cut after this many tokens. */
  | { readonly kind: 'cut'; readonly afterTokens: number }
  /** An orderly end of the stream without a finish reason, after this many tokens. */
  | { readonly kind: 'unfinished'; readonly afterTokens: number }
  /** An error object in the stream after this many tokens. */
  | { readonly kind: 'stream-error'; readonly afterTokens: number; readonly error: Readonly<Record<string, unknown>> }
  /** An event that is not JSON before the first token. */
  | { readonly kind: 'garbage' }
  /** Tokens without end, as fast as the client reads. */
  | { readonly kind: 'endless' };

/** How the fake behaves. */
export interface FakeOpenaiOptions {
  readonly port?: number;
  readonly clock?: Clock;
  /** Answers 401 to any other key. */
  readonly apiKey?: string;
  /** Default: {@link echoReply}. */
  readonly reply?: (request: ChatRequest) => ScriptedReply;
  /** Default 0. */
  readonly firstTokenMs?: number;
  /** Default 0: all at once. */
  readonly interTokenMs?: number;
  /** By request, 0 is the first. */
  readonly fault?: (request: number) => OpenaiFault | undefined;
  /** Told of every request as it has come in, with the last user text: for timing hops from outside. */
  readonly onRequest?: (lastUserText: string, receivedMs: number) => void;
  /** Told when the first token of a reply is written. */
  readonly onFirstToken?: (lastUserText: string, sentMs: number) => void;
}

/** One completion request. */
export interface OpenaiRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: ChatRequest;
  /** How the exchange ended; null while it runs. */
  outcome: 'answered' | 'aborted' | null;
}

/** A server that speaks the chat completions API. */
export interface FakeOpenai extends VendorServer {
  readonly requests: readonly OpenaiRequest[];
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: unknown }) => (typeof part.text === 'string' ? part.text : '')).join('');
}

/** The text of the last message of the user. */
function lastUserText(request: ChatRequest): string {
  return textOf(request.messages.findLast((message) => message.role === 'user')?.content);
}

/** Three sentences that carry every id (a letter and digits, such as u12) of the last user text, so that hops can be matched. */
export function echoReply(request: ChatRequest): ScriptedReply {
  const ids = lastUserText(request).match(/\b[a-z]\d+\b/gi) ?? [];
  return { text: `I heard you ${ids.join(' ')}. That is fine, thank you. What else can I do for you today?` };
}

const readBody = async (request: IncomingMessage): Promise<ChatRequest> => {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString()) as ChatRequest;
};

const usage = { prompt_tokens: 20, completion_tokens: 12, total_tokens: 32 };
const tokensOf = (text: string) => text.match(/\s*\S+/g) ?? [];

function chunk(model: string, delta: unknown, finishReason: string | null): string {
  return `data: ${JSON.stringify({
    id: 'chatcmpl-fake',
    object: 'chat.completion.chunk',
    created: 1767225600,
    model,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
  })}\n\n`;
}

function toolCallChunks(model: string, calls: NonNullable<ScriptedReply['toolCalls']>): string[] {
  return calls.flatMap((call, index) => [
    chunk(model, { tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.name, arguments: '' } }] }, null),
    ...(call.argumentsJson.match(/.{1,12}/gs) ?? []).map((part) => chunk(model, { tool_calls: [{ index, function: { arguments: part } }] }, null)),
  ]);
}

function whole(body: ChatRequest, reply: ScriptedReply): string {
  const toolCalls = reply.toolCalls?.map((call) => ({ id: call.id, type: 'function', function: { name: call.name, arguments: call.argumentsJson } }));
  const message = { role: 'assistant', content: reply.text ?? null, refusal: null, ...(toolCalls === undefined ? {} : { tool_calls: toolCalls }) };
  const finish = reply.finishReason ?? (toolCalls === undefined ? 'stop' : 'tool_calls');
  const choices = [{ index: 0, message, logprobs: null, finish_reason: finish }];
  return JSON.stringify({ id: 'chatcmpl-fake', object: 'chat.completion', created: 1767225600, model: body.model, choices, usage });
}

/** Starts the fake. */
export async function startFakeOpenai(options: FakeOpenaiOptions = {}): Promise<FakeOpenai> {
  const { clock = systemClock, firstTokenMs = 0, interTokenMs = 0 } = options;
  const requests: OpenaiRequest[] = [];

  async function stream(body: ChatRequest, response: ServerResponse, fault: OpenaiFault | undefined): Promise<void> {
    const pause = (ms: number) => new Promise<void>((resolve) => void (ms <= 0 ? resolve() : clock.setTimer(ms, resolve)));
    const isOpen = () => !response.destroyed;
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-cache' });
    response.flushHeaders();
    await pause(firstTokenMs);
    if (fault?.kind === 'no-first-token' || !isOpen()) return;
    if (fault?.kind === 'garbage') response.write('data: }{ garbage\n\n');
    response.write(chunk(body.model, { role: 'assistant', content: '' }, null));
    options.onFirstToken?.(lastUserText(body), clock.nowMs());
    if (fault?.kind === 'endless') {
      const endless = chunk(body.model, { content: ' again and again' }, null);
      while (isOpen()) {
        response.write(endless);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return;
    }
    const reply = (options.reply ?? echoReply)(body);
    const parts = [...tokensOf(reply.text ?? '').map((token) => chunk(body.model, { content: token }, null)), ...toolCallChunks(body.model, reply.toolCalls ?? [])];
    for (const [index, part] of parts.entries()) {
      if (fault && 'afterTokens' in fault && index >= fault.afterTokens) break;
      if (index > 0 && interTokenMs > 0) await pause(interTokenMs);
      if (!isOpen()) return;
      response.write(part);
    }
    if (fault?.kind === 'cut') {
      // A reset overtakes what was written just before it.
      await pause(CUT_DELAY_MS);
      response.socket?.resetAndDestroy();
    } else if (fault?.kind === 'stream-error') response.end(`data: ${JSON.stringify({ error: fault.error })}\n\n`);
    else if (fault?.kind === 'unfinished') response.end('data: [DONE]\n\n');
    else {
      response.write(chunk(body.model, {}, reply.finishReason ?? (reply.toolCalls === undefined ? 'stop' : 'tool_calls')));
      const tail = { id: 'chatcmpl-fake', object: 'chat.completion.chunk', created: 1767225600, model: body.model, choices: [], usage };
      response.end(`data: ${JSON.stringify(tail)}\n\ndata: [DONE]\n\n`);
    }
  }

  async function complete(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const entry: OpenaiRequest = { path: request.url ?? '', authorization: request.headers.authorization, body, outcome: null };
    const fault = options.fault?.(requests.length);
    requests.push(entry);
    response.on('close', () => (entry.outcome ??= response.writableFinished ? 'answered' : 'aborted'));
    options.onRequest?.(lastUserText(body), clock.nowMs());
    if (fault?.kind === 'reset') request.socket.resetAndDestroy();
    else if (fault?.kind === 'http') {
      const error = { message: 'Scripted failure', type: 'scripted', param: null, code: null };
      response.writeHead(fault.status, { 'Content-Type': 'application/json', ...fault.headers }).end(JSON.stringify({ error }));
    } else if (body.stream === true) await stream(body, response, fault);
    else response.writeHead(200, { 'Content-Type': 'application/json' }).end(whole(body, (options.reply ?? echoReply)(body)));
  }

  const server = await startVendorServer({
    port: options.port,
    onRequest(request, response) {
      if (options.apiKey !== undefined && request.headers.authorization !== `Bearer ${options.apiKey}`) {
        const error = { message: 'Incorrect API key', type: 'invalid_request_error', param: null, code: 'invalid_api_key' };
        response.writeHead(401, { 'Content-Type': 'application/json' }).end(JSON.stringify({ error }));
      } else if (request.method === 'POST' && request.url === '/v1/chat/completions') {
        complete(request, response).catch(() => response.destroy());
      } else if (request.url === '/v1/models') {
        response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ object: 'list', data: [] }));
      } else response.writeHead(404).end();
    },
  });
  return { ...server, requests };
}
