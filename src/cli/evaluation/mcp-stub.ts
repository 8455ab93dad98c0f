import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type * as Sdk from '@modelcontextprotocol/sdk/types.js';
import { sleep, type Clock } from '../../base/clock.js';
import { isRecord } from '../../base/json.js';
import { toRegExp, type McpStubFunction } from './scenario-file.js';

/** Sessions at once; a conversation has one, and ends it. */
const MAX_SESSIONS = 200;

/** A running MCP server of an evaluation file. */
export interface McpStub {
  /** On the loopback. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts an MCP server (Streamable HTTP, with sessions) on a free port of the loopback. Its protocol is that of the SDK's server; the SDK
 * is loaded with the first one.
 */
export async function startMcpStub(functions: readonly McpStubFunction[], clock: Clock): Promise<McpStub> {
  const [{ McpServer: Server }, { StreamableHTTPServerTransport: Transport }, schemas] = await Promise.all([
    import('@modelcontextprotocol/sdk/server/mcp.js'),
    import('@modelcontextprotocol/sdk/server/streamableHttp.js'),
    import('@modelcontextprotocol/sdk/types.js'),
  ]);
  const sessions = new Map<string, StreamableHTTPServerTransport>();

  async function openSession(): Promise<StreamableHTTPServerTransport> {
    const transport: StreamableHTTPServerTransport = new Transport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    const server = new Server({ name: 'agent-stream-stub', version: '1.0.0' }, { capabilities: { tools: {} } });
    defineFunctions(server, functions, { clock, schemas });
    await server.connect(transport);
    return transport;
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { 'mcp-session-id': id } = request.headers;
    const known = typeof id === 'string' ? sessions.get(id) : undefined;
    if (known !== undefined) return known.handleRequest(request, response);
    // 404 tells a client to begin a new session (Streamable HTTP, "Session Management").
    if (id !== undefined) return void response.writeHead(404).end();
    if (sessions.size >= MAX_SESSIONS) return void response.writeHead(503).end();
    return (await openSession()).handleRequest(request, response);
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    async close() {
      await Promise.all([...sessions.values()].map((transport) => transport.close()));
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

/** The SDK's shapes of requests. */
type RequestSchemas = Pick<typeof Sdk, 'CallToolRequestSchema' | 'ListToolsRequestSchema'>;

function defineFunctions({ server }: McpServer, functions: readonly McpStubFunction[], { clock, schemas }: { clock: Clock; schemas: RequestSchemas }): void {
  server.setRequestHandler(schemas.ListToolsRequestSchema, () => ({
    tools: functions.map(({ name, description, input_schema: inputSchema }) => ({ name, description, inputSchema })),
  }));
  server.setRequestHandler(schemas.CallToolRequestSchema, async ({ params: { name, arguments: given = {} } }, { signal }) => {
    const called = functions.find((one) => one.name === name);
    if (called === undefined) return errorResult(`There is no function "${name}".`);
    const result = called.results.find((one) => fits(one.arguments, given));
    if (result === undefined) return errorResult(`No result of ${name} is scripted for ${JSON.stringify(given)}.`);
    if (result.delay_ms > 0) await sleep(clock, result.delay_ms, signal);
    if (result.error !== undefined) return errorResult(result.error);
    const text = result.json === undefined ? (result.text ?? '') : JSON.stringify(result.json);
    return { content: [{ type: 'text', text }], ...(isRecord(result.json) ? { structuredContent: result.json } : {}) };
  });
}

const errorResult = (text: string): Sdk.CallToolResult => ({ content: [{ type: 'text', text }], isError: true });

/** Texts are patterns, as everywhere in the file; other values are compared. */
function fits(wanted: Readonly<Record<string, unknown>>, given: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(wanted).every(([name, value]) => {
    const actual = Object.hasOwn(given, name) ? given[name] : undefined;
    return typeof value === 'string' && typeof actual === 'string' ? toRegExp(value)?.test(actual) === true : isDeepStrictEqual(value, actual);
  });
}
