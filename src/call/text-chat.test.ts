import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { createBuiltinLanguageModel } from '../speech/builtin/language-model.js';
import type { LanguageModel, LanguageModelPart } from '../speech/language-model.js';
import type { WorkflowGraph } from '../workflow/graph.js';
import { edge, graphOf, node } from '../../test/support/workflow-call.js';
import { continueChat, hasEnded, startChat, type ChatEvent, type ChatPorts } from './text-chat.js';

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
});
