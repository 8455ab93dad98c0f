import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { createBuiltinLanguageModel } from '../speech/builtin/language-model.js';
import type { LanguageModel, LanguageModelPart } from '../speech/language-model.js';
import { attachDocuments } from '../workflow/attach-documents.js';
import type { WorkflowGraph } from '../workflow/graph.js';
import { edge, graphOf, node } from '../../test/support/workflow-call.js';
import { createToolRunner } from './tools/run-tool.js';
import { continueChat, hasEnded, rebuildChat, startChat, type ChatEvent, type ChatPorts } from './text-chat.js';

const rules = createBuiltinLanguageModel({ first_token_ms: 0, token_ms: 0 }, { clock: systemClock });

const ports = (graph: WorkflowGraph, model: LanguageModel = rules): ChatPorts => ({ graph, model, clock: systemClock, signal: new AbortController().signal });

const said = (events: readonly ChatEvent[]) => events.flatMap((event) => (event.type === 'agent-said' ? [event.text] : []));
const types = (events: readonly ChatEvent[]) => events.map(({ type }) => type);

/** A model that answers each request with these parts. */
const modelOf = (parts: (request: number) => LanguageModelPart[]): LanguageModel => {
  let requests = 0;
  return {
    vendor: 'scripted',
    model: 'scripted',
    async *stream() {
      requests += 1;
      await Promise.resolve();
      yield* parts(requests);
    },
  };
};

const reception = () => {
  const file = JSON.parse(readFileSync(new URL('../../examples/reception.json', import.meta.url), 'utf8')) as {
    workflow_definition: { nodes: unknown[]; edges: unknown[] };
  };
  return graphOf(file.workflow_definition.nodes, file.workflow_definition.edges);
};

describe('a chat', () => {
  it('holds the conversation of a call, in writing', async () => {
    const chat = ports(reception());
    const start = await startChat({ shop_name: 'Spokes' }, chat);
    expect(said(start.events)).toEqual(['Hello, Spokes, how can I help you?']);
    const hours = await continueChat(start.snapshot, { type: 'say', text: 'What are your opening hours?' }, chat);
    expect(said(hours.events)).toEqual(['We are open from nine to five, Tuesday to Saturday.']);
    const end = await continueChat(hours.snapshot, { type: 'say', text: 'Thank you, goodbye.' }, chat);
    expect(types(end.events)).toEqual(['tool-called', 'node-entered', 'agent-said', 'ended']);
    expect(hasEnded(end.snapshot)).toBe(true);
    expect(await continueChat(end.snapshot, { type: 'say', text: 'Hello?' }, chat)).toMatchObject({ events: [] });
  });

  it('shows what a search of documents came to, and why it went by words alone', async () => {
    const plain = graphOf([node('start', 'startCall', { prompt: 'Answer from the documents.', document_uuids: ['handbook'] }), node('end', 'endCall')], [edge('start', 'end')]);
    const graph = attachDocuments(plain, [{ uuid: 'handbook', name: 'Handbook', text: null }]);
    const failure = { vendor: 'openai', model: 'any', code: 'vendor-unreachable', message: 'No answer' };
    const searchDocuments = async () => ({ passages: [], ranking: 'lexical' as const, failure });
    const tools = createToolRunner({ clock: systemClock, fetch, credentialOf: async () => null, searchDocuments, onFault: () => undefined });
    const chat = { ...ports(graph), tools };
    const asked = await continueChat((await startChat({}, chat)).snapshot, { type: 'say', text: 'Do you sell helmets?' }, chat);
    expect(types(asked.events)).toEqual(['tool-called', 'tool-finished', 'embedding-failed', 'knowledge-retrieved', 'agent-said']);
    expect(asked.events.slice(2, 4)).toEqual([{ type: 'embedding-failed', ...failure }, { type: 'knowledge-retrieved', ranking: 'lexical', citations: [] }]);
  });

  it('can be taken up again at any turn, with another one in its place', async () => {
    const chat = ports(reception());
    const start = await startChat({ shop_name: 'Spokes' }, chat);
    const kept = JSON.parse(JSON.stringify(start.snapshot)) as typeof start.snapshot;
    await continueChat(start.snapshot, { type: 'say', text: 'Goodbye.' }, chat);
    const other = await continueChat(kept, { type: 'say', text: 'What is your address?' }, chat);
    expect(said(other.events)).toEqual(['You find us at twelve Mill Street, next to the station.']);
  });

  it('takes keys, silence and failed transfers as a call does', async () => {
    const graph = graphOf(
      [
        node('start', 'startCall', { greeting: 'Press one for sales.' }),
        node('desk', 'transferCall', { destination: '+15551234567', message: 'Connecting you.' }),
        node('end', 'endCall'),
      ],
      [edge('start', 'desk', { when: { digits: '1' } }), edge('start', 'end')],
    );
    const chat = ports(graph);
    const start = await startChat({}, chat);
    const idle = await continueChat(start.snapshot, { type: 'stay-silent' }, chat);
    expect(said(idle.events)).toEqual(['Are you still there?']);
    const moved = await continueChat(idle.snapshot, { type: 'press', digits: '71' }, chat);
    expect(moved.events.at(-1)).toEqual({ type: 'transfer-requested', destination: '+15551234567', mode: 'cold' });
    const back = await continueChat(moved.snapshot, { type: 'fail-transfer', reason: 'nobody answered' }, chat);
    expect(said(back.events)).toHaveLength(1);
    expect(back.snapshot.workflow.phase.name).toBe('listening');
  });

  it('says so where the model fails, and goes on as a call would', async () => {
    const failing = modelOf(() => {
      throw new AgentStreamError('vendor-rate-limited');
    });
    const chat = ports(graphOf([node('start', 'startCall', { greeting: 'Hello.' }), node('end', 'endCall')], [edge('start', 'end')]), failing);
    const start = await startChat({}, chat);
    const failed = await continueChat(start.snapshot, { type: 'say', text: 'Hello?' }, chat);
    expect(failed.events[0]).toMatchObject({ type: 'model-failed', code: 'vendor-rate-limited' });
    expect(said(failed.events)[0]).toMatch(/something went wrong/);
  });

  it('tells what became of functions that are refused', async () => {
    const calling = modelOf((request) => [
      { type: 'text-delta', text: 'Hm.' },
      { type: 'tool-call', toolCall: { id: String(request), name: 'nowhere', argumentsJson: '{}' } },
    ]);
    const chat = ports(graphOf([node('start', 'startCall', { greeting: 'Hello.' }), node('end', 'endCall')], [edge('start', 'end')]), calling);
    const start = await startChat({}, chat);
    const { events } = await continueChat(start.snapshot, { type: 'say', text: 'Hello?' }, chat);
    expect(events.slice(1)).toEqual([
      { type: 'tool-called', name: 'nowhere', argumentsJson: '{}' },
      { type: 'tool-finished', name: 'nowhere', result: 'Error: there is no function "nowhere" here.', isError: true, durationMs: 0 },
    ]);
  });

  it('cuts a model that goes on without end, as a call does', async () => {
    const endless = modelOf(() => Array.from({ length: 2000 }, () => ({ type: 'text-delta', text: 'and on ' }) as const));
    const chat = ports(graphOf([node('start', 'startCall', { greeting: 'Hello.' }), node('end', 'endCall')], [edge('start', 'end')]), endless);
    const start = await startChat({}, chat);
    const answered = await continueChat(start.snapshot, { type: 'say', text: 'Tell me.' }, chat);
    expect(said(answered.events).join(' ').length).toBeLessThan(1700);
  });

  it('ends with its signal', async () => {
    const controller = new AbortController();
    const silent = modelOf(() => []);
    const hanging: LanguageModel = { ...silent, stream: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) }) };
    const graph = graphOf([node('start', 'startCall', { greeting: 'Hello.' }), node('end', 'endCall')], [edge('start', 'end')]);
    const chat: ChatPorts = { graph, model: hanging, clock: systemClock, signal: controller.signal };
    const start = await startChat({}, chat);
    const waiting = continueChat(start.snapshot, { type: 'say', text: 'Hello?' }, chat);
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  describe('that collects variables', () => {
    const collecting = { extraction_enabled: true, extraction_variables: [{ name: 'budget', type: 'number', prompt: '' }, { name: 'call_disposition', type: 'string', prompt: '' }] };
    const graph = graphOf(
      [node('start', 'startCall', { greeting: 'Hello.', ...collecting }), node('sales', 'agentNode', { prompt: 'Budget {{budget | unknown}}.' }), node('end', 'endCall', { prompt: 'Say goodbye.' })],
      [edge('start', 'sales'), edge('start', 'end'), edge('sales', 'end')],
    );
    /** Goes by what it may call: the functions it is given tell what it is asked for. */
    const collector = (answer: string, seen: string[] = []): LanguageModel => ({
      vendor: 'scripted',
      model: 'scripted',
      async *stream({ messages, tools }) {
        await Promise.resolve();
        const names = tools.map(({ name }) => name);
        const last = messages.at(-1);
        seen.push(messages.map((message) => ('text' in message ? message.text : '')).join('\n'));
        const call = (name: string, argumentsJson = '{}'): LanguageModelPart => ({ type: 'tool-call', toolCall: { id: `${seen.length}`, name, argumentsJson } });
        if (names.includes('record_variables')) yield call('record_variables', answer);
        else if (last?.role === 'user' && last.text.includes('euros') && names.includes('go_to_sales')) yield call('go_to_sales');
        else if (last?.role === 'user' && last.text.includes('Bye') && names.includes('go_to_end')) yield call('go_to_end');
        else yield { type: 'text-delta', text: 'I see.' };
      },
    });

    it('knows them in the next turn, and at its end', async () => {
      const seen: string[] = [];
      const chat = ports(graph, collector('{"budget":"500","call_disposition":"sold"}', seen));
      const start = await startChat({}, chat);
      const moved = await continueChat(start.snapshot, { type: 'say', text: 'I have 500 euros.' }, chat);
      expect(moved.events.at(-1)).toEqual({ type: 'variables-extracted', nodeId: 'start', values: { budget: 500, call_disposition: 'sold' }, problems: [] });
      expect({ ...moved.snapshot.workflow.variables }).toEqual({ budget: 500, call_disposition: 'sold' });
      await continueChat(moved.snapshot, { type: 'say', text: 'What do you have?' }, chat);
      expect(seen.at(-1)).toContain('Budget 500.');
    });

    it('goes on where the model tells none', async () => {
      const chat = ports(graph, collector('nonsense'));
      const moved = await continueChat((await startChat({}, chat)).snapshot, { type: 'say', text: 'I have 500 euros.' }, chat);
      expect(moved.events.at(-1)).toMatchObject({ type: 'extraction-failed', nodeId: 'start', code: 'vendor-failed' });
    });

    it('is brought back by what the engine was told, without the model', async () => {
      const chat = ports(graph, collector('{"budget":500}'));
      const start = await startChat({ name: 'Ann' }, chat);
      const inputs = [{ type: 'stay-silent' }, { type: 'say', text: 'I have 500 euros.' }, { type: 'press', digits: '12' }, { type: 'say', text: 'Bye' }] as const;
      const turns: { input: (typeof inputs)[number] | null; steps: typeof start.steps }[] = [{ input: null, steps: start.steps }];
      let { snapshot } = start;
      for (const input of inputs) {
        const taken = await continueChat(snapshot, input, chat);
        ({ snapshot } = taken);
        turns.push({ input, steps: taken.steps });
        const kept = JSON.parse(JSON.stringify(turns)) as typeof turns;
        expect(JSON.parse(JSON.stringify(rebuildChat(graph, { name: 'Ann' }, kept)))).toEqual(JSON.parse(JSON.stringify(snapshot)));
      }
      expect(hasEnded(snapshot)).toBe(true);
    });
  });
});
