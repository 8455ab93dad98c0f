import { deadlineSignal, type Clock } from '../base/clock.js';
import { CliError } from './cli-error.js';
import { exitCodes } from './exit-codes.js';
import { formatValue } from './format.js';
import { createServerSentEventParser, type ServerSentEvent } from './server-sent-events.js';

/** Longest wait for an answer of the API. */
const requestTimeoutMs = 30_000;
/** Longest wait for the answer to an upload: files before it are read first. */
const uploadTimeoutMs = 180_000;
/** Part of an answer that is not problem+json shown in an error. */
const maxShownBodyLength = 200;

/** Query parameters; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** A request below /api/v1. */
export interface ApiRequest {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, instead of a body; the answer may take longer. */
  readonly file?: Uint8Array<ArrayBuffer>;
  /** Longest wait for the answer, where it is known to take longer than usual. */
  readonly timeoutMs?: number;
}

/** The REST API as commands use it. Every method throws {@link CliError} with a clear line and the right exit status. */
export interface ApiClient {
  /** Origin of the server, no trailing slash. */
  readonly serverUrl: string;
  /** Resolves to the parsed answer; undefined for 204. `path` begins with a slash, below /api/v1. */
  request(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, request?: ApiRequest): Promise<unknown>;
  /** Follows a Server-Sent Events stream until the server ends it. */
  follow(path: string, query?: Query): AsyncGenerator<ServerSentEvent>;
}

/** What {@link createApiClient} needs. */
export interface ApiClientOptions {
  readonly serverUrl: string;
  readonly apiKey: string | undefined;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Creates the client. Nothing is sent yet. */
export function createApiClient(options: ApiClientOptions): ApiClient {
  const { serverUrl, clock, signal } = options;

  async function send(method: string, path: string, request: ApiRequest, answer: { accept: string; signal: AbortSignal }): Promise<Response> {
    const url = new URL(`${serverUrl}/api/v1${path}`);
    for (const [name, value] of Object.entries(request.query ?? {})) if (value !== undefined) url.searchParams.set(name, String(value));
    const headers: Record<string, string> = { accept: answer.accept };
    if (options.apiKey !== undefined) headers.authorization = `Bearer ${options.apiKey}`;
    if (request.body !== undefined) headers['content-type'] = 'application/json';
    const init: RequestInit = { method, headers, signal: answer.signal, redirect: 'error' };
    if (request.body !== undefined) init.body = JSON.stringify(request.body);
    if (request.file !== undefined) {
      headers['content-type'] = 'application/octet-stream';
      init.body = request.file;
    }
    const response = await options.fetch(url, init).catch((error: unknown) => {
      throw connectionError(serverUrl, error, signal);
    });
    if (!response.ok) throw await refusal(response, `${method} ${url.pathname}`);
    return response;
  }

  return {
    serverUrl,
    async request(method, path, request = {}) {
      const timeoutMs = request.timeoutMs ?? (request.file === undefined ? requestTimeoutMs : uploadTimeoutMs);
      const deadline = deadlineSignal(clock, timeoutMs, signal, () => new Error(`no answer within ${timeoutMs / 1000} s`));
      try {
        const response = await send(method, path, request, { accept: 'application/json', signal: deadline.signal });
        const text = await response.text();
        return text === '' ? undefined : parseJson(text, `${method} ${path}`);
      } finally {
        deadline.dispose();
      }
    },
    async *follow(path, query = {}) {
      const response = await send('GET', path, { query }, { accept: 'text/event-stream', signal });
      if (response.body === null) return;
      const events: ServerSentEvent[] = [];
      const parse = createServerSentEventParser((event) => events.push(event));
      const decoder = new TextDecoder();
      for await (const chunk of response.body as ReadableStream<Uint8Array>) {
        parse(decoder.decode(chunk, { stream: true }));
        yield* events.splice(0);
      }
    },
  };
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(exitCodes.failure, `${what}: the answer is not JSON`, {
      cure: 'Check that the address is an Agent Stream server: --server or AGENT_STREAM_URL.',
      cause: error,
    });
  }
}

function connectionError(serverUrl: string, error: unknown, signal: AbortSignal): CliError {
  if (signal.aborted) return new CliError(exitCodes.interrupted, 'interrupted');
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const detail = cause instanceof Error ? ('code' in cause ? String(cause.code) : cause.message) : String(cause);
  return new CliError(exitCodes.cannotConnect, `cannot reach ${serverUrl} (${detail})`, {
    cure: 'Start the server with "agent-stream serve", or name another one with --server or AGENT_STREAM_URL.',
    cause: error,
  });
}

/** The fields of problem+json (RFC 9457) that are shown. */
interface Problem {
  readonly code: string | undefined;
  readonly title: string | undefined;
  readonly detail: string | undefined;
  readonly cure: string | undefined;
  readonly errors: readonly string[];
}

function readProblem(body: unknown): Problem {
  const fields = typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : {};
  const text = (name: string) => (typeof fields[name] === 'string' ? fields[name] : undefined);
  const errors = Array.isArray(fields.errors) ? fields.errors.map(describeFieldError) : [];
  return { code: text('code'), title: text('title'), detail: text('detail'), cure: text('cure'), errors };
}

/** `{path, message}` and the like as one line; whatever else as JSON. */
function describeFieldError(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const fields = error as Readonly<Record<string, unknown>>;
  const where = [fields.path, fields.element_id].find((value) => value !== undefined && value !== null && value !== '');
  if (typeof fields.message !== 'string') return JSON.stringify(error);
  return where === undefined ? fields.message : `${formatWhere(where)}: ${fields.message}`;
}

function formatWhere(where: unknown): string {
  return Array.isArray(where) ? where.join('.') : formatValue(where);
}

async function refusal(response: Response, what: string): Promise<CliError> {
  const text = await response.text();
  const problem = readProblem(tryParse(text));
  const reason = problem.detail ?? problem.title ?? text.slice(0, maxShownBodyLength);
  const code = problem.code === undefined ? '' : `, ${problem.code}`;
  const cure = response.status === 401 ? 'Set AGENT_STREAM_API_KEY to a valid key (agent-stream keys create, on the server’s machine).' : problem.cure;
  const lines = [...problem.errors, ...(cure === undefined ? [] : [cure])];
  return new CliError(response.status >= 500 ? exitCodes.failure : exitCodes.refused, `${what}: ${reason} (${response.status}${code})`, {
    cure: lines.length === 0 ? undefined : lines.join('\n  '),
  });
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
