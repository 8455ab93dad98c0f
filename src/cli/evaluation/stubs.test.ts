import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { readEvaluationFile, type Stub } from './scenario-file.js';
import { openStubs, type Stubs } from './stubs.js';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** The stubs of an evaluation file, as it is read. */
function stubsOf(yaml: string): readonly Stub[] {
  const folder = mkdtempSync(join(tmpdir(), 'agent-stream-stubs-'));
  closers.push(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'file.yaml');
  writeFileSync(path, `agent: agent.json\nscenarios: [{ name: any }]\nstubs:\n${yaml}`);
  return readEvaluationFile(path).stubs;
}

function open(stubs: readonly Stub[]): Stubs {
  const opened = openStubs(stubs, { clock: systemClock, fetch });
  closers.push(() => opened.close());
  return opened;
}

/** A fetch that reaches nothing but the stubs. */
const isolated = (stubs: Stubs) => stubs.over((input) => Promise.reject(new Error(`went out to ${input instanceof Request ? input.url : input.toString()}`)));

const shop = `
  - url: shop.example.com/mcp
    mcp:
      - name: order-state
        description: State of an order.
        input_schema: { type: object, properties: { order: { type: string }, count: { type: integer } }, required: [order] }
        results:
          - { arguments: { order: /^a/i, count: 2 }, json: { state: packed } }
          - { arguments: { order: lost }, error: It is lost. }
          - { arguments: { order: slow }, delay_ms: 60000, text: At last. }
          - { arguments: { order: known }, text: On its way. }
      - name: hours
        description: When the shop is open.
        results: [{ text: From nine. }]
  - { method: GET, url: shop.example.com, status: 404 }
`;

async function connect(stubs: Stubs): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const transport = new StreamableHTTPClientTransport(new URL('https://shop.example.com/mcp'), { fetch: isolated(stubs) });
  await client.connect(transport);
  closers.push(() => client.close());
  return client;
}

describe('stubs', () => {
  it('answer the first request that fits, and let the others out', async () => {
    const fetched = isolated(open(stubsOf(`
  - { method: POST, url: /example.com.orders$/, status: 201, json: { id: 7 } }
  - { url: example.com, text: else }`)));
    const answer = await fetched('https://example.com/orders', { method: 'POST' });
    expect([answer.status, await answer.json()]).toEqual([201, { id: 7 }]);
    expect(await (await fetched('https://example.com/orders')).text()).toBe('else');
    await expect(fetched('https://example.net/')).rejects.toThrow('went out to https://example.net/');
  });

  it('are an MCP server where the file describes one, with results by arguments', async () => {
    const client = await connect(open(stubsOf(shop)));
    const { tools } = await client.listTools();
    expect(tools.map(({ name, description, inputSchema }) => [name, description, inputSchema.required])).toEqual([
      ['order-state', 'State of an order.', ['order']],
      ['hours', 'When the shop is open.', undefined],
    ]);
    const call = (name: string, given?: Record<string, unknown>) => client.callTool({ name, ...(given === undefined ? {} : { arguments: given }) });
    expect(await call('order-state', { order: 'A1', count: 2 })).toEqual({ content: [{ type: 'text', text: '{"state":"packed"}' }], structuredContent: { state: 'packed' } });
    expect(await call('order-state', { order: 'the lost one' })).toEqual({ content: [{ type: 'text', text: 'It is lost.' }], isError: true });
    expect(await call('order-state', { order: 'known' })).toEqual({ content: [{ type: 'text', text: 'On its way.' }] });
    expect(await call('hours')).toEqual({ content: [{ type: 'text', text: 'From nine.' }] });
    const unscripted = { content: [{ type: 'text', text: 'No result of order-state is scripted for {"order":"A1"}.' }], isError: true };
    expect(await call('order-state', { order: 'A1' })).toEqual(unscripted);
    expect(await call('nope')).toEqual({ content: [{ type: 'text', text: 'There is no function "nope".' }], isError: true });
  });

  it('end their MCP servers, whatever they are asked then', async () => {
    const stubs = open(stubsOf(shop));
    const client = await connect(stubs);
    const waiting = client.callTool({ name: 'order-state', arguments: { order: 'slow' } }).catch(() => 'ended');
    expect(await client.callTool({ name: 'hours' })).toMatchObject({ content: [{ text: 'From nine.' }] });
    await stubs.close();
    await client.close();
    expect(await waiting).toBe('ended');
  });

  it('know only the sessions that they began', async () => {
    const fetched = isolated(open(stubsOf(shop)));
    const ask = (headers: Record<string, string>) => fetched('https://shop.example.com/mcp', { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: '{}' });
    expect((await ask({ 'mcp-session-id': 'unknown' })).status).toBe(404);
    expect((await ask({})).status).toBeGreaterThanOrEqual(400);
  });

  it.each([
    ['- { url: a, mcp: [], }', 'stubs.0.mcp: Too small'],
    ['- { url: a, status: 200, mcp: [{ name: f, description: d, results: [{ text: x }] }] }', 'stubs.0: must hold nothing but url beside mcp'],
    ['- { url: a, mcp: [{ name: f, description: d, results: [{ text: x, error: y }] }] }', 'stubs.0.mcp.0.results.0: must hold exactly one of text, json, error'],
    ['- { url: a, mcp: [{ name: f, description: d, results: [{ arguments: { a: "/(/" }, text: x }] }] }', 'results.0.arguments: holds what is not a valid regular expression'],
    ['- { url: a, text: b, json: 1 }', 'stubs.0: must not hold both json and text'],
  ])('%s is refused', (yaml, problem) => {
    expect(() => stubsOf(`  ${yaml}`)).toThrow(problem);
  });
});
