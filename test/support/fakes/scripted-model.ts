import type { IncomingMessage, ServerResponse } from 'node:http';
import { systemClock, type Clock } from '../../../src/base/clock.js';
import { nextDelayMs, type FakeDelay } from './delay.js';
import { startVendorServer, type VendorServer } from './vendor-server.js';

const CUT_DELAY_MS = 20;

/** What the model says. Each dialect has its own word for `finishReason`. */
export interface ScriptedReply {
  readonly text?: string;
  readonly toolCalls?: readonly ScriptedToolCall[];
  readonly finishReason?: 'stop' | 'length' | 'tool_calls' | 'content_filter';
}

/** A function that the model calls. */
export interface ScriptedToolCall {
  readonly id: string;
  readonly name: string;
  readonly argumentsJson: string;
}

/** What may go wrong with a request. */
export type ModelFault =
  /** `body`: the answer's, where it is not the dialect's own for the status. */
  | { readonly kind: 'http'; readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }
  /** TCP reset before an answer. */
  | { readonly kind: 'reset' }
  /** Headers come, a first token never. */
  | { readonly kind: 'no-first-token' }
  /** The connection is cut after this many tokens. */
  | { readonly kind: 'cut'; readonly afterTokens: number }
  /** An orderly end of the stream without a finish reason, after this many tokens. */
  | { readonly kind: 'unfinished'; readonly afterTokens: number }
  /** An error object in the stream after this many tokens; -1: before anything else. */
  | { readonly kind: 'stream-error'; readonly afterTokens: number; readonly error: Readonly<Record<string, unknown>> }
  /** An event that is not JSON before the first token. */
  | { readonly kind: 'garbage' }
  /** Tokens without end, as fast as the client reads. */
  | { readonly kind: 'endless' };

/** How a fake behaves. */
export interface ScriptedModelOptions<Body> {
  readonly port?: number;
  readonly clock?: Clock;
  /** Refuses any other key. */
  readonly apiKey?: string;
  /** Default, and where it returns nothing: {@link echoOf} the last words of the user. */
  readonly reply?: (body: Body) => ScriptedReply | undefined;
  /** Default 0. */
  readonly firstTokenMs?: FakeDelay;
  /** Default 0: all at once. */
  readonly interTokenMs?: number;
  /** By request, 0 is the first. */
  readonly fault?: (request: number) => ModelFault | undefined;
  /** Told of every request as it has come in, with the last user text: for timing hops from outside. */
  readonly onRequest?: (lastUserText: string, receivedMs: number) => void;
  /** Told when the first token of a reply is written. */
  readonly onFirstToken?: (lastUserText: string, sentMs: number) => void;
}

/** One request for a reply. */
export interface ModelRequest<Body> {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Body;
  /** How the exchange ended; null while it runs. */
  outcome: 'answered' | 'aborted' | null;
}

/** A server that speaks a vendor's API. */
export interface ScriptedModel<Body> extends VendorServer {
  /** Requests that were understood; those refused are not among them. */
  readonly requests: readonly ModelRequest<Body>[];
  /** Why the API refused requests, in its own words. */
  readonly refusals: readonly string[];
}

/** A reply as the stream carries it. */
export interface StreamedReply {
  /** Before the first token. */
  readonly head: string;
  /** Tokens of text, then pieces of tool calls. */
  readonly parts: readonly string[];
  /** What says that the reply is complete. */
  readonly tail: string;
}

/** An answer other than a reply. */
export interface ErrorAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** A vendor's protocol. */
export interface ModelDialect<Body> {
  /** Whether a path asks for a reply. */
  isCompletion(path: string): boolean;
  readonly modelsPath: string;
  keyOf(request: IncomingMessage): string | undefined;
  /** The answer to a wrong key. */
  readonly unauthorized: ErrorAnswer;
  /** The body of an error answer. */
  errorBody(status: number, message: string): unknown;
  /** Why the API would refuse the request; null where it would not. */
  refusalOf(body: Body, request: IncomingMessage): string | null;
  lastUserText(body: Body): string;
  isStreamed(body: Body, path: string): boolean;
  stream(body: Body, reply: ScriptedReply, path: string): StreamedReply;
  /** The body of an answer in one piece. */
  whole(body: Body, reply: ScriptedReply, path: string): unknown;
  streamError(error: Readonly<Record<string, unknown>>): string;
  /** What an orderly stream ends with even where the model has not finished; empty where it just ends. */
  readonly endOfStream: string;
}

/** Three sentences that carry every id (a letter and digits, such as u12) of the text, so that hops can be matched. */
function echoOf(text: string): ScriptedReply {
  const ids = text.match(/\b[a-z]\d+\b/gi) ?? [];
  return { text: `I heard you ${ids.join(' ')}. That is fine, thank you. What else can I do for you today?` };
}

/** The text as a model streams it: words with the white space before them. */
export const tokensOf = (text: string): readonly string[] => text.match(/\s*\S+/g) ?? [];

/** A text in pieces of 12 characters. */
export const piecesOf = (text: string): readonly string[] => text.match(/.{1,12}/gs) ?? [];

/** Why a reply ended. */
export const finishReasonOf = (reply: ScriptedReply) => reply.finishReason ?? (reply.toolCalls === undefined ? 'stop' : 'tool_calls');

/** Token counts that every reply reports. */
export const scriptedUsage = { input: 20, output: 12 };

async function readBody(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString());
}

const writeJson = (response: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));

/** Starts a fake that speaks `dialect`. */
export async function startScriptedModel<Body>(dialect: ModelDialect<Body>, options: ScriptedModelOptions<Body>): Promise<ScriptedModel<Body>> {
  const { clock = systemClock, firstTokenMs = 0, interTokenMs = 0 } = options;
  const requests: ModelRequest<Body>[] = [];
  const refusals: string[] = [];
  const pause = (ms: number) => new Promise<void>((resolve) => void (ms <= 0 ? resolve() : clock.setTimer(ms, resolve)));
  const replyTo = (body: Body) => options.reply?.(body) ?? echoOf(dialect.lastUserText(body));

  async function streamEndlessly(response: ServerResponse, part: string): Promise<void> {
    while (!response.destroyed) {
      response.write(part);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async function end(response: ServerResponse, fault: ModelFault | undefined, tail: string): Promise<void> {
    if (fault?.kind === 'cut') {
      // A reset overtakes what was written just before it.
      await pause(CUT_DELAY_MS);
      response.socket?.resetAndDestroy();
    } else if (fault?.kind === 'stream-error') response.end(dialect.streamError(fault.error));
    else if (fault?.kind === 'unfinished') response.end(dialect.endOfStream);
    else response.end(tail + dialect.endOfStream);
  }

  async function stream({ body, path }: ModelRequest<Body>, response: ServerResponse, fault: ModelFault | undefined): Promise<void> {
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-cache' });
    response.flushHeaders();
    await pause(nextDelayMs(firstTokenMs));
    if (fault?.kind === 'no-first-token' || response.destroyed) return;
    const { head, parts, tail } = dialect.stream(body, fault?.kind === 'endless' ? { text: ' again' } : replyTo(body), path);
    const limit = fault !== undefined && 'afterTokens' in fault ? fault.afterTokens : parts.length;
    if (limit >= 0) response.write(head);
    if (fault?.kind === 'garbage') response.write('data: }{ garbage\n\n');
    options.onFirstToken?.(dialect.lastUserText(body), clock.nowMs());
    if (fault?.kind === 'endless') return streamEndlessly(response, parts[0]!);
    for (const [index, part] of parts.slice(0, Math.max(0, limit)).entries()) {
      if (index > 0 && interTokenMs > 0) await pause(interTokenMs);
      if (response.destroyed) return;
      response.write(part);
    }
    await end(response, fault, tail);
  }

  async function complete(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await readBody(request)) as Body;
    const path = request.url ?? '';
    const refusal = dialect.refusalOf(body, request);
    if (refusal !== null) {
      refusals.push(refusal);
      writeJson(response, 400, dialect.errorBody(400, refusal));
      return;
    }
    const entry: ModelRequest<Body> = { path, authorization: request.headers.authorization, body, outcome: null };
    const fault = options.fault?.(requests.length);
    requests.push(entry);
    response.on('close', () => (entry.outcome ??= response.writableFinished ? 'answered' : 'aborted'));
    options.onRequest?.(dialect.lastUserText(body), clock.nowMs());
    if (fault?.kind === 'reset') request.socket.resetAndDestroy();
    else if (fault?.kind === 'http') writeJson(response, fault.status, fault.body ?? dialect.errorBody(fault.status, 'Scripted failure'), fault.headers);
    else if (dialect.isStreamed(body, path)) await stream(entry, response, fault);
    else writeJson(response, 200, dialect.whole(body, replyTo(body), path));
  }

  const server = await startVendorServer({
    port: options.port,
    onRequest(request, response) {
      const path = (request.url ?? '').split('?')[0]!;
      if (options.apiKey !== undefined && dialect.keyOf(request) !== options.apiKey) {
        writeJson(response, dialect.unauthorized.status, dialect.unauthorized.body);
      } else if (request.method === 'POST' && dialect.isCompletion(path)) {
        complete(request, response).catch(() => response.destroy());
      } else if (path === dialect.modelsPath) writeJson(response, 200, { data: [] });
      else writeJson(response, 404, dialect.errorBody(404, 'Not found'));
    },
  });
  return { ...server, requests, refusals };
}
