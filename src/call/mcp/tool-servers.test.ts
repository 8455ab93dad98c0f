import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../base/clock.js';
import { createGuardedEgress } from '../../base/guarded-fetch.js';
import { compileWorkflow } from '../../workflow/compile.js';
import { defaultDocument } from '../../workflow/default-document.js';
import { knownToolsOf } from '../../workflow/tools/tool-definition.js';
import type { ServerFunctions } from '../../workflow/remote-functions.js';
import { copyVariables } from '../../workflow/variables.js';
import type { LanguageModel } from '../../speech/language-model.js';
import { continueChat, startChat } from '../text-chat.js';
import { createToolRunner, type ToolPorts } from '../tools/run-tool.js';
import { newsRecord, openCallFunctions } from './call-functions.js';
import { testServer } from './test-server.js';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

interface Seen {
  readonly method: string;
  readonly authorization: string | undefined;
  /** Header `x-key`. */
  readonly key: string | string[] | undefined;
  readonly rpc: string;
}

type Meddle = (rpc: string, response: ServerResponse, request: IncomingMessage) => boolean;

/** A server of the SDK on the loopback; `meddle` answers in its place where it returns true. */
async function serve(define: (server: McpServer) => void, meddle: Meddle = () => false) {
  const seen: Seen[] = [];
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body: unknown = chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString());
    const rpc = (body as { method?: string } | undefined)?.method ?? '';
    seen.push({ method: request.method ?? '', authorization: request.headers.authorization, key: request.headers['x-key'], rpc });
    if (meddle(rpc, response, request)) return;
    const known = sessions.get(String(request.headers['mcp-session-id']));
    if (known !== undefined) return known.handleRequest(request, response, body);
    if (rpc !== 'initialize') return void response.writeHead(404).end('{}');
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: (id) => void sessions.set(id, transport) });
    const server = new McpServer({ name: 'oracle', version: '1' });
    define(server);
    await server.connect(transport);
    await transport.handleRequest(request, response, body);
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, seen, sessions };
}

const shop = (server: McpServer): void => {
  server.registerTool('order-state', { description: 'State of an order.', inputSchema: { order: z.string(), size: z.enum(['s', 'l']).optional() } }, ({ order }, { requestInfo }) => ({
    content: [
      { type: 'text', text: `order ${order} is on its way, ${String(requestInfo?.headers['authorization'])}` },
      { type: 'image', data: '', mimeType: 'image/png' },
    ],
  }));
  server.registerTool('order_state', { description: 'Another of nearly the same name.' }, () => ({ content: [{ type: 'text', text: 'x'.repeat(20_000) }] }));
  server.registerTool('refuse', { description: 'Fails.' }, () => ({ content: [{ type: 'text', text: 'closed on Sundays' }], isError: true }));
};

/** A call at a graph whose start node names the server. */
function open(config: Record<string, unknown>, { only, known, ...ports }: Partial<ToolPorts> & { only?: readonly string[]; known?: readonly ServerFunctions[] } = {}) {
  const definition = { uuid: 'shop', name: 'Shop', description: 'The shop.', kind: 'mcp', config, filler: null };
  const tools = knownToolsOf([definition]);
  const document = structuredClone(defaultDocument) as unknown as { nodes: { type: string; data: Record<string, unknown> }[] };
  const start = document.nodes.find(({ type }) => type === 'startCall');
  Object.assign(start?.data ?? {}, { tool_uuids: ['shop'], ...(only === undefined ? {} : { mcp_tool_filters: { shop: only } }) });
  const compiled = compileWorkflow(document, { tools, forPublish: true });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  const call = new AbortController();
  closers.push(() => Promise.resolve(call.abort()));
  const faults: unknown[] = [];
  const runner = createToolRunner({ clock: systemClock, fetch, credentialOf: () => Promise.resolve(null), onFault: (error) => faults.push(error), ...ports });
  const news: (readonly [string, unknown])[] = [];
  const functions = openCallFunctions({ graph: compiled.graph, runner, signal: call.signal, onNews: (told) => news.push(newsRecord(told)), known });
  const node = () => {
    const at = functions.graph.nodes[functions.graph.startId];
    if (at?.type !== 'startCall') throw new Error('no start');
    return at;
  };
  const run = async (name: string, given: Record<string, unknown> = {}) => {
    const tool = node().callables[name];
    if (tool === undefined) throw new Error(`no function ${name}`);
    const { text, isError } = await functions.runner.run({ id: 'c', tool, arguments: copyVariables(given) }, { signal: call.signal, variables: copyVariables({}) });
    return { text, isError };
  };
  const names = () => node().tools.map(({ name }) => name).filter((name) => !Object.hasOwn(node().edgesByTool, name));
  return { functions, shared: compiled.graph, call, news, faults, run, names, runner, server: tools.get('shop') };
}

describe('the MCP servers of a call', () => {
  it('offers what a server lists at the nodes that name it, under names of its own, and leaves the shared graph as it is', async () => {
    const { url, seen } = await serve(shop);
    const { functions, shared, names, run, news, call, faults } = open({ url, headers: { 'X-Key': 'plain' } }, {
      credentialOf: () => Promise.resolve({ type: 'custom_headers', headers: { Authorization: 'Bearer secret-token', 'x-key': 'secret-key' } }),
    });
    expect(names()).toEqual([]);
    await functions.ready;
    expect(names()).toEqual(['order_state', 'order_state_2', 'refuse']);
    expect(functions.graph).not.toBe(shared);
    expect(Object.values(shared.nodes).flatMap((node) => ('tools' in node ? Object.keys(node.callables) : []))).toEqual([]);
    expect(await run('order_state', { order: '7' })).toEqual({ text: 'order 7 is on its way, ****\n(image, not shown)', isError: false });
    const long = await run('order_state_2');
    expect(long.text.length).toBeLessThan(8100);
    expect(long.text.endsWith('(cut)')).toBe(true);
    expect(await run('refuse')).toEqual({ text: 'Error: closed on Sundays', isError: true });
    expect(news).toEqual([['functions-listed', { tool_uuid: 'shop', count: 3 }]]);
    call.abort();
    await expect.poll(() => seen.at(-1)?.method).toBe('DELETE');
    expect(seen.every(({ authorization, key }) => authorization === 'Bearer secret-token' && key === 'secret-key')).toBe(true);
    expect(seen.filter(({ rpc }) => rpc === 'initialize' || rpc === 'tools/list')).toHaveLength(2);
    expect(faults).toEqual([]);
  });

  it('serves a whole conversation, from the model that calls a function to the answer with its result', async () => {
    const { url } = await serve(shop);
    const { functions, call } = open({ url });
    await functions.ready;
    const told: unknown[] = [];
    const model: LanguageModel = {
      vendor: 'scripted',
      model: 'scripted',
      async *stream({ messages, tools }) {
        await Promise.resolve();
        const last = messages.at(-1);
        told.push(tools.map(({ name }) => name).includes('refuse'));
        if (last?.role === 'tool') yield { type: 'text-delta', text: `It says: ${last.result.slice(0, 24)}.` };
        else yield { type: 'tool-call', toolCall: { id: 'one', name: 'order_state', argumentsJson: '{"order":"7"}' } };
      },
    };
    const ports = { graph: functions.graph, model, clock: systemClock, signal: call.signal, tools: functions.runner };
    const start = await startChat({}, ports);
    const { events } = await continueChat(start.snapshot, { type: 'say', text: 'Where is order 7?' }, ports);
    expect(events.map(({ type }) => type)).toEqual(['tool-called', 'tool-finished', 'agent-said']);
    expect(events.at(-1)).toEqual({ type: 'agent-said', text: 'It says: order 7 is on its way, u.' });
    expect(told.every((offered) => offered === true)).toBe(true);
  });

  it('offers a node only what its filter names', async () => {
    const { url } = await serve(shop);
    const { functions, names } = open({ url }, { only: ['refuse', 'gone'] });
    await functions.ready;
    expect(names()).toEqual(['refuse']);
  });

  it('offers a node so many functions and no more, of a server that lists 1,000', async () => {
    const { url } = await serve((server) => {
      for (let index = 0; index < 1000; index += 1) server.registerTool(`f${index}`, { description: 'd' }, () => ({ content: [] }));
    });
    const { functions, names, news, run } = open({ url });
    await functions.ready;
    expect(news).toEqual([['functions-listed', { tool_uuid: 'shop', count: 1000 }]]);
    expect(names().length).toBeGreaterThan(90);
    expect(names().length).toBeLessThanOrEqual(100);
    expect(await run('f5')).toEqual({ text: '(no result)', isError: false });
  });

  it('goes on without a server that is down, silent, not one, endless, or not to be reached', async () => {
    const hanging = await serve(shop, () => true);
    const page = await serve(shop, (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>') !== undefined);
    const endless = await serve(shop, (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('"'.padEnd(3_000_000, 'x')) !== undefined);
    const elsewhere = await serve(shop, (_, response) => response.writeHead(307, { location: 'http://127.0.0.1:1/mcp' }).end() !== undefined);
    const outcome = async (url: string, ports: Partial<ToolPorts> = {}) => {
      const { functions, names, news } = open({ url, connect_timeout_ms: 500 }, ports);
      await functions.ready;
      expect(names()).toEqual([]);
      return (news[0]?.[1] as { message: string }).message;
    };
    expect(await outcome('http://127.0.0.1:1/mcp')).toBe('The server could not be reached.');
    expect(await outcome(hanging.url)).toBe('The server was not ready within 500 ms.');
    expect(await outcome(page.url)).toBe('The answer of the server cannot be used.');
    expect(await outcome(endless.url)).toBe('The answer of the server is too long.');
    expect(await outcome(elsewhere.url)).toBe('The server answered 307.');
    expect(await outcome(hanging.url, { fetch: createGuardedEgress().fetch })).toBe('The address is not allowed');
  });

  it('tells the model of answers that break off, never come or are none, and goes on', async () => {
    let fault: ((response: ServerResponse) => void) | null = null;
    const { url } = await serve(shop, (rpc, response) => {
      if (rpc !== 'tools/call' || fault === null) return false;
      fault(response);
      return true;
    });
    const { functions, run, faults } = open({ url, timeout_ms: 500 });
    await functions.ready;
    fault = (response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': \n\n', () => response.destroy());
    expect(await run('refuse')).toEqual({ text: 'Error: The tool did not answer within 500 ms.', isError: true });
    fault = (response) => response.socket?.destroy();
    expect(await run('refuse')).toEqual({ text: 'Error: The server could not be reached.', isError: true });
    fault = (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0"');
    expect(await run('refuse')).toEqual({ text: 'Error: The answer of the server cannot be used.', isError: true });
    fault = (response) => void response.writeHead(500).end('inside');
    expect(await run('refuse')).toEqual({ text: 'Error: The server answered 500.', isError: true });
    fault = null;
    expect(await run('refuse')).toEqual({ text: 'Error: closed on Sundays', isError: true });
    expect(faults).toEqual([]);
  });

  it('begins a new session where the server forgot the old one', async () => {
    const { url, sessions, seen } = await serve(shop);
    const { functions, run } = open({ url });
    await functions.ready;
    sessions.clear();
    expect(await run('refuse')).toEqual({ text: 'Error: closed on Sundays', isError: true });
    expect(seen.filter(({ rpc }) => rpc === 'initialize')).toHaveLength(2);
  });

  it('opens no session where its functions are known, until one is called; one that failed to open is tried again', async () => {
    let isDown = true;
    const { url, seen } = await serve(shop, (rpc, response) => rpc === 'initialize' && isDown && response.writeHead(503).end() !== undefined);
    const known = [{ toolUuid: 'shop', functions: [{ name: 'refuse', description: 'Fails.', parameters: { type: 'object' } as const }] }];
    const { functions, run, names, news, call } = open({ url }, { known });
    await functions.ready;
    expect([names(), seen, functions.listed]).toEqual([['refuse'], [], known]);
    expect(await run('refuse')).toEqual({ text: 'Error: The server answered 503.', isError: true });
    isDown = false;
    const both = await Promise.all([run('refuse'), run('refuse')]);
    expect(both).toEqual(Array(2).fill({ text: 'Error: closed on Sundays', isError: true }));
    expect(seen.map(({ rpc }) => rpc)).toEqual(['initialize', 'initialize', 'notifications/initialized', 'tools/call', 'tools/call']);
    expect(news).toEqual([]);
    call.abort();
    await expect.poll(() => seen.at(-1)?.method).toBe('DELETE');
  });

  it('lists and calls functions for a test', async () => {
    const { url } = await serve(shop);
    const { runner, server } = open({ url: 'http://127.0.0.1:1/mcp' });
    if (server === undefined) throw new Error('no server');
    const tested = { ...server, config: { ...server.config, url } };
    const test = async (given: { function?: string; arguments?: Record<string, unknown> }) =>
      (await testServer(tested, { arguments: {}, ...given }, { runner, variables: copyVariables({}) })).text;
    expect((JSON.parse(await test({})) as { functions: { name: string }[] }).functions.map(({ name }) => name)).toEqual(['order-state', 'order_state', 'refuse']);
    expect(await test({ function: 'order-state' })).toBe('Error: "order" is missing.');
    expect(await test({ function: 'order-state', arguments: { order: '7', size: 'm' } })).toBe('Error: "size" must be one of: "s","l".');
    expect(await test({ function: 'order-state', arguments: { order: '7' } })).toContain('order 7 is on its way');
    expect(await test({ function: 'nope' })).toBe('Error: the server has no function "nope".');
  });
});
