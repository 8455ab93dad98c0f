import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { z } from 'zod';
import { deadlineSignal, type Clock } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import type { RemoteFunction } from '../../workflow/remote-functions.js';
import type { Variables } from '../../workflow/engine.js';
import { MAX_RESULT_LENGTH, type ToolOutcome } from '../tools/tool-kind.js';
import { sessionFailure } from './session-failure.js';
import { createSessionFetch } from './session-fetch.js';

/** Pages of functions that are read. */
const MAX_PAGES = 20;
/** Functions of one server that are kept. */
const MAX_FUNCTIONS = 1000;
/** Longest schema of a function's arguments, characters as JSON; functions with a longer one are left out. */
const MAX_SCHEMA_LENGTH = 8000;
const MAX_DESCRIPTION_LENGTH = 1000;
/** How long a server may take to be told that the session is over. */
const CLOSE_TIMEOUT_MS = 2000;
/** The SDK's own time-outs never come first: ours run on the injected clock. */
const NEVER_MS = 2_000_000_000;

/** A page of `tools/list`; each is read by itself, so that one that is malformed costs no other. */
const pageSchema = z.looseObject({ tools: z.array(z.unknown()), nextCursor: z.string().optional() });
const functionSchema = z.looseObject({
  name: z.string().min(1).max(200),
  title: z.string().optional().catch(undefined),
  description: z.string().optional().catch(undefined),
  inputSchema: z.looseObject({ type: z.literal('object') }),
});
/** The answer of `tools/call`. */
const resultSchema = z.looseObject({
  content: z.array(z.looseObject({ type: z.string() })).default([]),
  structuredContent: z.record(z.string(), z.unknown()).optional(),
  isError: z.boolean().optional(),
});

/** Where a session leads. */
export interface SessionTarget {
  readonly url: string;
  /** With the credential's. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What a session is opened with. */
export interface SessionPorts {
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
}

/** A session with an MCP server (Model Context Protocol 2025-06-18, Streamable HTTP). */
export interface ServerSession {
  /** What the server can do, read once. @throws AgentStreamError `tool-failed`, `tool-unreachable`, `egress-refused`; the signal's reason */
  list(signal: AbortSignal): Promise<readonly RemoteFunction[]>;
  /** Calls a function; an error of the function is an outcome. @throws AgentStreamError as {@link ServerSession.list} */
  call(name: string, given: Variables, signal: AbortSignal): Promise<ToolOutcome>;
  /** Tells the server that the session is over (DELETE), and lets go of it. Never rejects. */
  close(): Promise<void>;
}

/**
 * Opens a session. The SDK is loaded with the first one: agents without MCP servers do not pay for it.
 * @throws AgentStreamError `tool-failed`, `tool-unreachable`, `egress-refused`; the signal's reason
 */
export async function openServerSession({ url, headers }: SessionTarget, { fetch, clock, signal }: SessionPorts): Promise<ServerSession> {
  const [{ Client: SdkClient }, { StreamableHTTPClientTransport: SdkTransport }] = await Promise.all([
    import('@modelcontextprotocol/sdk/client/index.js'),
    import('@modelcontextprotocol/sdk/client/streamableHttp.js'),
  ]);
  const client = new SdkClient({ name: 'agent-stream', version: '1.0.0' });
  // No reconnecting: a call that was lost is told to the model, which may ask again.
  const reconnectionOptions = { initialReconnectionDelay: 1000, maxReconnectionDelay: 1000, reconnectionDelayGrowFactor: 1, maxRetries: 0 };
  const transport = new SdkTransport(new URL(url), { fetch: createSessionFetch(fetch), requestInit: { headers: { ...headers } }, reconnectionOptions });
  // What fails is told where it is asked for.
  client.onerror = () => undefined;
  const session = sessionOf(client, transport, clock);
  try {
    signal.throwIfAborted();
    // The types of the SDK's own classes do not agree under exactOptionalPropertyTypes.
    await client.connect(transport, { signal, timeout: NEVER_MS });
    return session;
  } catch (error) {
    void session.close();
    signal.throwIfAborted();
    throw sessionFailure(error);
  }
}

function sessionOf(client: Client, transport: StreamableHTTPClientTransport, clock: Clock): ServerSession {
  async function ask<Schema extends z.ZodType>(method: string, params: Record<string, unknown>, schema: Schema, signal: AbortSignal): Promise<z.output<Schema>> {
    try {
      return schema.parse(await client.request({ method, params }, z.looseObject({}), { signal, timeout: NEVER_MS }));
    } catch (error) {
      signal.throwIfAborted();
      throw sessionFailure(error);
    }
  }

  return {
    async list(signal) {
      const functions: RemoteFunction[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < MAX_PAGES && functions.length < MAX_FUNCTIONS; page += 1) {
        const { tools, nextCursor } = await ask('tools/list', cursor === undefined ? {} : { cursor }, pageSchema, signal);
        functions.push(...tools.slice(0, MAX_FUNCTIONS - functions.length).flatMap(functionOf));
        if (nextCursor === undefined) break;
        cursor = nextCursor;
      }
      return functions;
    },
    async call(name, given, signal) {
      return outcomeOf(await ask('tools/call', { name, arguments: { ...given } }, resultSchema, signal));
    },
    async close() {
      const deadline = deadlineSignal(clock, CLOSE_TIMEOUT_MS, undefined, () => new AgentStreamError('tool-timeout'));
      const end = () => void client.close().then(() => transport.close()).catch(() => undefined);
      deadline.signal.addEventListener('abort', end, { once: true });
      await transport.terminateSession().catch(() => undefined);
      deadline.dispose();
      end();
    },
  };
}

/** A function as the model is told of it; none where what the server says of it cannot be used. */
function functionOf(told: unknown): readonly RemoteFunction[] {
  const read = functionSchema.safeParse(told);
  if (!read.success) return [];
  const { name, title, description, inputSchema } = read.data;
  if (JSON.stringify(inputSchema).length > MAX_SCHEMA_LENGTH) return [];
  const text = description?.trim() || title?.trim() || name;
  return [{ name, description: text.slice(0, MAX_DESCRIPTION_LENGTH), parameters: { ...inputSchema, type: 'object' } }];
}

/** Text of one part of a result; a model that talks is given no other. */
function textOf(part: Readonly<Record<string, unknown>>): string {
  if (part['type'] === 'text' && typeof part['text'] === 'string') return part['text'];
  const resource = z.object({ text: z.string() }).safeParse(part['resource']);
  return resource.success ? resource.data.text : `(${String(part['type']).slice(0, 40)}, not shown)`;
}

function outcomeOf({ content, structuredContent, isError = false }: z.output<typeof resultSchema>): ToolOutcome {
  const text = content.map(textOf).join('\n').trim() || (structuredContent === undefined ? '' : JSON.stringify(structuredContent));
  const shown = text === '' ? '(no result)' : text.slice(0, MAX_RESULT_LENGTH + 1);
  return { text: isError ? `Error: ${shown}` : shown, isError };
}
