import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createChatDesk } from '../../src/call/chat-desk.js';
import { systemClock } from '../../src/base/clock.js';
import { createKnowledgeResolver } from '../../src/call/knowledge-resolver.js';
import { createModelResolver } from '../../src/call/resolvers.js';
import { readEvaluationFile } from '../../src/cli/evaluation/scenario-file.js';
import { openStubs } from '../../src/cli/evaluation/stubs.js';
import { edge, node } from '../support/workflow-call.js';
import { startApi, type ApiTest } from './api-harness.js';
import { memoryKnowledge } from '../support/documents/memory-knowledge.js';

let api: ApiTest;
const asked: string[] = [];
/** What is sent to the MCP server, by method; `isUp` false: nothing reaches it. */
const library = { isUp: true, sent: [] as string[] };
const servers = openStubs(readEvaluationFile('examples/mcp.eval.yaml').stubs, { clock: systemClock, fetch });
beforeAll(async () => {
  const others: typeof fetch = (input) => {
    asked.push(input instanceof Request ? input.url : String(input));
    return Promise.resolve(Response.json({ status: 'shipped' }));
  };
  const stubbed = servers.over(others);
  const toolFetch: typeof fetch = (input, init) => {
    if (!(input instanceof Request ? input.url : input.toString()).includes('library')) return stubbed(input, init);
    const { method } = z.object({ method: z.string() }).catch({ method: 'none' }).parse(typeof init?.body === 'string' ? JSON.parse(init.body) : null);
    library.sent.push(init?.method === 'DELETE' ? 'DELETE' : method);
    return library.isUp ? stubbed(input, init) : Promise.reject(new TypeError('fetch failed'));
  };
  api = await startApi({ toolFetch });
});
afterAll(async () => {
  await api.close();
  await servers.close();
});

const models = { stt: { vendor: 'builtin' }, llm: { vendor: 'builtin', first_token_ms: 0, token_ms: 0 }, tts: { vendor: 'builtin' } };
const reception = (JSON.parse(readFileSync(new URL('../../examples/reception.json', import.meta.url), 'utf8')) as { workflow_definition: unknown }).workflow_definition;

interface Turn {
  readonly number: number;
  readonly input: unknown;
  readonly events: readonly { readonly type: string; readonly text?: string }[];
}

async function createAgent(workflow: unknown): Promise<string> {
  const { status, json, text } = await api.request('POST', '/api/v1/agents', { body: { name: 'Chatty', workflow_definition: workflow, settings: { models } } });
  expect(status, text).toBe(201);
  return String(json['uuid']);
}

async function openChat(agentUuid: string, body: unknown = {}) {
  const { status, json, text } = await api.request('POST', `/api/v1/agents/${agentUuid}/chats`, { body });
  expect(status, text).toBe(201);
  return { json, path: `/api/v1/agents/${agentUuid}/chats/${String(json['id'])}` };
}

const said = ({ events }: Turn) => events.flatMap(({ type, text }) => (type === 'agent-said' ? [text] : []));
const turnOf = (json: Record<string, unknown>) => json['turn'] as Turn;
const turnsOf = (json: Record<string, unknown>) => json['turns'] as Turn[];

describe('a conversation in writing', () => {
  it('goes as a call does, and can be edited and replayed from any turn', async () => {
    const { json, path } = await openChat(await createAgent(reception), { variables: { shop_name: 'Spokes' } });
    expect(turnsOf(json).map(said)).toEqual([['Hello, Spokes, how can I help you?']]);
    const take = async (body: unknown) => (await api.request('POST', `${path}/turns`, { body })).json;
    expect(said(turnOf(await take({ say: 'What are your opening hours?' })))).toEqual(['We are open from nine to five, Tuesday to Saturday.']);
    await take({ silence: true });
    const ended = await take({ say: 'Thank you, goodbye.' });
    expect(ended).toMatchObject({ end_reason: 'agent_hangup', call_disposition: 'agent_hangup', turn_count: 4 });
    const after = await api.request('POST', `${path}/turns`, { body: { say: 'Hello?' } });
    expect([after.status, after.json['code'], after.json['detail']]).toEqual([409, 'conflict', 'The conversation has ended (agent_hangup). Edit a turn, or begin another chat.']);

    const replayed = await api.request('PUT', `${path}/turns/1?replay=true`, { body: { say: 'What is your address?' } });
    expect(replayed.json).toMatchObject({ end_reason: 'agent_hangup', turn_count: 4 });
    expect(said(turnsOf(replayed.json)[1]!)).toEqual(['You find us at twelve Mill Street, next to the station.']);
    expect(turnsOf(replayed.json).map(({ input }) => input)).toEqual([null, { say: 'What is your address?' }, { silence: true }, { say: 'Thank you, goodbye.' }]);

    const edited = await api.request('PUT', `${path}/turns/2`, { body: { say: 'What are your opening hours?' } });
    expect(edited.json).toMatchObject({ end_reason: null, turn_count: 3 });
    expect((await api.request('GET', path)).json).toEqual(edited.json);
    expect((await api.request('PUT', `${path}/turns/3`, { body: { silence: true } })).status).toBe(404);
  });

  it('runs tools for real, or dry with stubs', async () => {
    const tool = { name: 'Order status', description: 'The status of the order.', kind: 'http_api', config: { url: 'https://shop.example.com/status' } };
    const { json } = await api.request('POST', '/api/v1/tools', { body: tool });
    const start = node('start', 'startCall', { greeting: 'Hello.', tool_uuids: [json['uuid']] });
    const agentUuid = await createAgent({ nodes: [start, node('end', 'endCall')], edges: [edge('start', 'end', { condition: 'The caller says goodbye.' })] });
    const results = async (body: unknown) => {
      const { path } = await openChat(agentUuid, body);
      const taken = await api.request('POST', `${path}/turns`, { body: { say: 'The status of the order?' } });
      return turnOf(taken.json).events.filter(({ type }) => type === 'tool-finished');
    };
    expect(await results({})).toMatchObject([{ name: json['function_name'], result: expect.stringContaining('shipped') as string, is_error: false }]);
    expect(asked).toEqual(['https://shop.example.com/status']);
    const stubs = { [String(json['function_name'])]: '{"status":"lost"}' };
    expect(await results({ dry_tools: true, tool_stubs: stubs })).toMatchObject([{ result: '{"status":"lost"}' }]);
    expect(await results({ dry_tools: true })).toMatchObject([{ result: expect.stringContaining('Dry run') as string }]);
    expect(asked).toHaveLength(1);
  });

  it('calls functions of MCP servers, in a session that a request opens where it needs one', async () => {
    const config = { url: 'https://library.example.com/mcp', timeout_ms: 2000 };
    const { json } = await api.request('POST', '/api/v1/tools', { body: { name: 'Library', description: 'The library.', kind: 'mcp', config } });
    const uuid = String(json['uuid']);
    const start = node('start', 'startCall', { greeting: 'Hello.', tool_uuids: [uuid], mcp_tool_filters: { [uuid]: ['list-loans', 'renew-loans'] } });
    const agentUuid = await createAgent({ nodes: [start, node('end', 'endCall')], edges: [edge('start', 'end', { condition: 'The caller says goodbye.' })] });
    const sentIn = async <T>(work: () => Promise<T>): Promise<readonly [T, readonly string[]]> => {
      library.sent.length = 0;
      const done = await work();
      // A session's end is told after the answer.
      await expect.poll(() => library.sent.filter((method) => method === 'DELETE').length).toBe(library.sent.filter((method) => method === 'initialize').length);
      return [done, [...library.sent]];
    };
    const [{ json: begun, path }, listing] = await sentIn(() => openChat(agentUuid));
    expect(turnsOf(begun)[0]?.events).toMatchObject([{ type: 'functions-listed', tool_uuid: uuid, count: 5 }, { type: 'node-entered' }, { type: 'agent-said' }]);
    expect(listing).toEqual(['initialize', 'notifications/initialized', 'tools/list', 'DELETE']);
    const say = async (text: string, at = path) => {
      const { status, json: taken } = await api.request('POST', `${at}/turns`, { body: { say: text } });
      return [status, turnOf(taken).events.filter(({ type }) => type.startsWith('tool-'))];
    };
    const loans = 'Which loans do I have, and when are they due?';
    const found = [{ type: 'tool-called', name: 'list_loans' }, { type: 'tool-finished', result: 'You have two loans. They are due on Monday.', is_error: false }];
    const [told, calling] = await sentIn(() => say(loans));
    expect(told).toMatchObject([200, found]);
    expect(calling).toEqual(['initialize', 'notifications/initialized', 'tools/call', 'DELETE']);
    expect(await sentIn(() => say('What is the weather?'))).toEqual([[200, []], []]);
    library.isUp = false;
    expect(await say('Please renew my loans.')).toMatchObject([200, [{ type: 'tool-called' }, { result: 'Error: The server could not be reached.', is_error: true }]]);
    const without = await openChat(agentUuid);
    expect(turnsOf(without.json)[0]?.events[0]).toMatchObject({ type: 'tool-server-failed', tool_uuid: uuid, code: 'tool-unreachable' });
    library.isUp = true;
    expect((await sentIn(() => say(loans)))[0]).toMatchObject([200, found]);
    // As in a call: what a server did not list as the conversation began, it never has.
    expect(await say(loans, without.path)).toEqual([200, []]);
    const [edited] = await sentIn(() => api.request('PUT', `${path}/turns/2?replay=true`, { body: { say: 'Please renew my loans.' } }));
    expect(turnsOf(edited.json)[2]?.events).toContainEqual(expect.objectContaining({ type: 'tool-finished', result: 'Error: Another reader is waiting for one of them.' }));
    const [dry] = await sentIn(() => openChat(agentUuid, { dry_tools: true, tool_stubs: { list_loans: 'None.' } }));
    expect(await sentIn(() => say(loans, dry.path))).toMatchObject([[200, [{ type: 'tool-called' }, { result: 'None.' }]], []]);
  });

  it('is gone on with by another node, and is nobody else’s', async () => {
    const agentUuid = await createAgent(reception);
    const { json, path } = await openChat(agentUuid);
    const place = { organizationId: api.alice.organizationId, agentUuid, id: String(json['id']) };
    const knowledge = memoryKnowledge(api.store.documents);
    const other = createChatDesk({
      store: api.store,
      models: createModelResolver({ store: api.store, env: {}, clock: systemClock, fetch }),
      documents: createKnowledgeResolver(knowledge),
      toolsOf: () => ({
        run: () => Promise.reject(new Error('No tool is called here')),
        connect: () => {
          throw new Error('No server is opened here');
        },
      }),
      clock: systemClock,
    });
    expect((await other.take(place, { type: 'say', text: 'What is your address?' }))?.turns).toHaveLength(2);
    expect(await other.take({ ...place, organizationId: api.bob.organizationId }, { type: 'stay-silent' })).toBeNull();
    expect((await api.request('GET', path)).json).toMatchObject({ turn_count: 2 });
    expect((await api.request('GET', path, { key: api.bob.key })).status).toBe(404);
    const [left, right] = await Promise.all([1, 2].map(() => api.request('POST', `${path}/turns`, { body: { say: 'Goodbye.' } })));
    expect([left!.status, right!.status].toSorted()).toEqual([200, 409]);
  });

  it('refuses what means nothing, with what to do', async () => {
    const agentUuid = await createAgent(reception);
    const { path } = await openChat(agentUuid, { version: 1 });
    const attempt = async (body: unknown) => {
      const { status, json } = await api.request('POST', `${path}/turns`, { body });
      return [status, json['code']];
    };
    expect(await attempt({})).toEqual([422, 'invalid-request']);
    expect(await attempt({ say: 'a', press: '1' })).toEqual([422, 'invalid-request']);
    expect(await attempt({ press: 'x' })).toEqual([422, 'invalid-request']);
    expect(await attempt({ transfer_fails: 'busy' })).toEqual([409, 'conflict']);
    const unknown = await api.request('POST', `/api/v1/agents/${agentUuid}/chats`, { body: { version: 7 } });
    expect([unknown.status, unknown.json['code']]).toEqual([404, 'not-found']);
    const draft = await api.request('POST', `/api/v1/agents/${agentUuid}/chats`, { body: { version: 'draft' } });
    expect(draft.status).toBe(404);
  });

  it('says so where no model can be asked, and keeps no chat', async () => {
    const { json } = await api.request('POST', '/api/v1/agents', { body: { name: 'Keyless', workflow_definition: reception, settings: { models: { ...models, llm: { vendor: 'openai' } } } } });
    const agentUuid = String(json['uuid']);
    const refused = await api.request('POST', `/api/v1/agents/${agentUuid}/chats`, { body: {} });
    expect(refused.json['code']).toBe('vendor-unauthorized');
    expect((await api.request('GET', `/api/v1/agents/${agentUuid}/chats`)).json.items).toEqual([]);
  });

  it('with a draft ends where the draft changes', async () => {
    const agentUuid = await createAgent(reception);
    await api.request('PUT', `/api/v1/agents/${agentUuid}/draft`, { body: { template_context_variables: { shop_name: 'Draft' } } });
    const { json, path } = await openChat(agentUuid, { version: 'draft' });
    expect(said(turnsOf(json)[0]!)).toEqual(['Hello, Draft, how can I help you?']);
    expect((await api.request('POST', `${path}/turns`, { body: { silence: true } })).status).toBe(200);
    await api.request('PUT', `/api/v1/agents/${agentUuid}/draft`, { body: { settings: { models, language: 'de' } } });
    const changed = await api.request('POST', `${path}/turns`, { body: { silence: true } });
    expect([changed.status, changed.json['detail']]).toEqual([409, 'The draft has changed since the chat began. Begin another chat.']);
  });
});
