import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callableTool, createWorkflowCall, edge, graphOf, node, testWallMs, toolsOf, type WorkflowCall } from '../../test/support/workflow-call.js';
import type { ToolFollowUp, WorkflowAction, WorkflowEvent, WorkflowState } from './engine.js';
import { toolNameOf, type WorkflowGraph } from './graph.js';
import { endReasons } from '../runs/lifecycle.js';
import { MAX_PASSES, MAX_TOOL_ROUNDS } from './reply.js';
import { step } from './step.js';
import { waitOf } from './waits.js';

const texts = fc.constantFrom('', ' ', 'Words.', '{{name}}', '{{missing | words}}', '{{__proto__}}');
const destinations = fc.constantFrom('+15551234567', 'sip:a@b.example', '{{missing}}', '{{name}}');
const kinds = fc.constantFrom('agentNode', 'agentNode', 'endCall', 'say', 'transferCall', 'collectDigits');
const conditions = fc.constantFrom('last_digit == "5"', 'exists keys', 'keys > 5', 'x', 'not x', 'name matches "a*"', 'missing');

interface Plan {
  readonly kind: string;
  readonly text: string;
  readonly destination: string;
  readonly targets: readonly number[];
  readonly speech: string;
  readonly condition: string;
  readonly isPolite: boolean;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  kind: kinds,
  text: texts,
  destination: destinations,
  targets: fc.array(fc.nat(100), { minLength: 1, maxLength: 5 }),
  speech: texts,
  condition: conditions,
  isPolite: fc.boolean(),
});

/**
 * A sound graph: node i is reached from an earlier prompted node; a fixed text leads on to a later node or to the agent at the end, so
 * that no loop is silent, and so does a condition; agents and collected keys lead anywhere.
 */
function soundGraph({ greeting, isDelayed }: { readonly greeting: string; readonly isDelayed: boolean }, plans: readonly Plan[]): WorkflowGraph {
  const last = plans.length;
  const nodes = [
    node('n0', 'startCall', { greeting, delayed_start: isDelayed }),
    ...plans.map(({ kind, text, destination, targets, isPolite }, index) => {
      const id = `n${index + 1}`;
      if (kind === 'say') return node(id, kind, { text: text.trim() === '' ? 'Fixed.' : text });
      if (kind === 'collectDigits')
        return node(id, kind, { prompt: text.trim() === '' ? 'Keys?' : text, max_digits: 2, retries: 1, variable: 'keys', sensitive: isPolite });
      if (kind === 'transferCall') return node(id, kind, { destination, message: text });
      return node(id, kind, { tool_uuids: targets.length > 2 ? ['look_up', 'look_far'] : [], allow_interrupt: isPolite, extraction_enabled: isPolite, extraction_variables: [{ name: 'x', type: 'boolean' }] });
    }),
    node(`n${last + 1}`, 'agentNode'),
    // Beside the conversation: no call is ever at one of these.
    node('beside.global', 'globalNode', { prompt: 'Be brief, {{name}}.' }),
    node('beside.webhook', 'webhook', { endpoint_url: 'https://example.com/' }),
    node('beside.qa', 'qa'),
    node('beside.trigger', 'trigger', { trigger_path: 'path' }),
  ];
  const edges = plans.flatMap(({ kind, targets, speech, condition }, index) => {
    const id = index + 1;
    const onward = `n${id + 1 + ((targets[0] ?? 0) % (last + 1 - index))}`;
    const later = onward === `n${last + 2}` ? `n${last + 1}` : onward;
    const reach = edge('n0', `n${id}`, { label: `to ${id}`, transition_speech: speech }, `reach${id}`);
    const holding = edge(`n${id}`, later, { when: { expression: condition } }, `if${id}`);
    const anywhere = `n${1 + ((targets[1] ?? 0) % (last + 1))}`;
    if (kind === 'say') return [reach, holding, edge(`n${id}`, `n${last + 1}`, {}, `on${id}`)];
    if (kind === 'transferCall')
      return [reach, edge(`n${id}`, anywhere, { when: { digits: '5' } }, `key${id}`), edge(`n${id}`, later, { when: { failure: true } }, `on${id}`)].slice(0, 1 + (targets.length % 3));
    if (kind === 'endCall') return [reach];
    if (kind === 'collectDigits') {
      const ways = [{}, { when: { failure: true } }, { when: { expression: condition } }, { when: { digits: '15' } }];
      return [reach, ...ways.slice(targets.length > 3 ? 1 : 0, 1 + targets.length).map((data, way) => edge(`n${id}`, anywhere, data, `way${id}.${way}`))];
    }
    const whens = [undefined, undefined, { timeout_seconds: 5 }, { digits: '1' }, { digits: '15' }];
    const ways = targets.map((target, way) =>
      edge(`n${id}`, `n${1 + (target % (last + 1))}`, { label: `way ${way}`, transition_speech: speech, ...(whens[way] === undefined ? {} : { when: whens[way] }) }, `way${id}.${way}`),
    );
    return [reach, ...ways, ...(targets.length % 2 === 0 ? [holding] : [])];
  });
  return graphOf(nodes, [...edges, edge('n0', `n${last + 1}`, { label: 'to last' }, 'last'), edge(`n${last + 1}`, `n${last + 1}`, { label: 'again' })], {
    tools: toolsOf(callableTool('look_up'), callableTool('look_far', { filler: { text: 'One moment.', afterMs: 700 } })),
  });
}

const graphs = fc.tuple(fc.record({ greeting: texts, isDelayed: fc.boolean() }), fc.array(plan, { maxLength: 8 })).map(([beginning, plans]) => soundGraph(beginning, plans));

const toolNames = [...Array.from({ length: 9 }, (_, index) => toolNameOf(`to ${index + 1}`)), 'way_0', 'way_1', 'way_2', 'to_last', 'again', ...['look_up', 'look_far', 'look_up'], 'nowhere', '__proto__', 'constructor'];
const toolCalls = fc.array(fc.record({ id: fc.string(), name: fc.constantFrom(...toolNames), argumentsJson: fc.constantFrom('{"order":"5"}', '{"order":"5","__proto__":{"x":1}}', '{}', '', '{"broken', 'null') }), { maxLength: 3 });
const followUp: fc.Arbitrary<ToolFollowUp | undefined> = fc.constantFrom<(ToolFollowUp | undefined)[]>(
  undefined,
  { type: 'hang-up', text: '' },
  { type: 'play-tones', digits: '1,2' },
  { type: 'transfer', transfer: { destination: '+15551234567', mode: 'cold', timeoutSeconds: 30 }, text: 'One moment.' },
  { type: 'transfer', transfer: { destination: 'nobody', mode: 'warm', timeoutSeconds: 30 }, text: '' },
);
const words = fc.constantFrom('', '  ', 'Yes.', 'Long words.');

const modelFinished: fc.Arbitrary<WorkflowEvent> = fc.record({ type: fc.constant('model-finished' as const), text: words, toolCalls });
const callerTurn: fc.Arbitrary<WorkflowEvent> = fc.record({ type: fc.constant('caller-turn' as const), text: words, turnId: fc.nat(100) });
const digit: fc.Arbitrary<WorkflowEvent> = fc.record({ type: fc.constant('dtmf-received' as const), digit: fc.constantFrom('1', '5', '#', '', 'xx', '__proto__') });
const idle: fc.Arbitrary<WorkflowEvent> = fc.record({ type: fc.constant('caller-idle' as const), count: fc.integer({ min: -1, max: 3 }) });
const transferFailed: fc.Arbitrary<WorkflowEvent> = fc.record({ type: fc.constant('transfer-failed' as const), reason: fc.string() });
const endRequested: fc.Arbitrary<WorkflowEvent> = fc.record({
  type: fc.constant('end-requested' as const),
  reason: fc.constantFrom('max_duration' as const, 'quota_exceeded' as const, 'drained' as const, 'operator_hangup' as const),
});
const replyHeard: fc.Arbitrary<WorkflowEvent> = fc.record({ type: fc.constant('reply-heard' as const), heardText: words, isInterrupted: fc.boolean() });
const learnt: fc.Arbitrary<WorkflowEvent> = fc.record({ type: fc.constant('variables-learned' as const), values: fc.record({ x: fc.boolean(), __proto__: fc.jsonValue() }) });
const toolsFinished = (batchId: number): WorkflowEvent => ({ type: 'tools-finished', batchId, results: [] });
const toolReports: fc.Arbitrary<WorkflowEvent> = fc.record({
  type: fc.constant('tools-finished' as const),
  batchId: fc.nat(4),
  results: fc.array(fc.record({ toolCallId: fc.string(), text: fc.string(), isError: fc.boolean(), followUp }), { maxLength: 2 }),
});
const timerFired = fc.constant<WorkflowEvent>({ type: 'timer-fired' });
const anyEvent = fc.oneof(
  { arbitrary: callerTurn, weight: 4 },
  { arbitrary: modelFinished, weight: 6 },
  { arbitrary: replyHeard, weight: 6 },
  { arbitrary: toolReports, weight: 5 },
  { arbitrary: fc.constant<WorkflowEvent>({ type: 'model-failed' }), weight: 2 },
  { arbitrary: fc.oneof(digit, timerFired), weight: 6 },
  { arbitrary: fc.oneof(idle, learnt, transferFailed, fc.constant<WorkflowEvent>({ type: 'call-started' })), weight: 4 },
  { arbitrary: endRequested, weight: 1 },
);

/** Steps until a call whose caller is silent must be over: passes, reports, transfers and checks, with room to spare. */
const MAX_STEPS_TO_END = 150;

/** What a shell that keeps the rules sends next while the caller says nothing and the model answers as it is told. */
function nextOfSilence(graph: WorkflowGraph, state: WorkflowState, model: WorkflowEvent, idleCount: number): WorkflowEvent {
  const { phase } = state;
  if (waitOf(graph, state) !== null && phase.name !== 'replying') return { type: 'timer-fired' };
  switch (phase.name) {
    case 'not-started':
      return { type: 'call-started' };
    case 'replying':
      if (phase.pending === 'tools') return toolsFinished(state.tools.running[0]?.id ?? 0);
      return phase.pending === 'model' ? model : { type: 'reply-heard', heardText: 'Words.', isInterrupted: false };
    case 'transferring':
      return { type: 'transfer-failed', reason: 'busy' };
    default:
      return { type: 'caller-idle', count: idleCount };
  }
}

/** Drives a silent call on; returns the actions until it ended, or fails where it does not. */
function driveToEnd(graph: WorkflowGraph, from: WorkflowState, model: WorkflowEvent): readonly WorkflowAction[] {
  const actions: WorkflowAction[] = [];
  let state = from;
  let idleCount = 0;
  for (let count = 0; state.phase.name !== 'ended'; count += 1) {
    if (count >= MAX_STEPS_TO_END) throw new Error(`still ${JSON.stringify(state.phase)}`);
    const event = nextOfSilence(graph, state, model, (idleCount += state.phase.name === 'listening' ? 1 : 0));
    const result = step(graph, state, event, { wallMs: testWallMs });
    state = result.state;
    actions.push(...result.actions);
  }
  return actions;
}

const hangUps = (actions: readonly WorkflowAction[]) => actions.filter((action) => action.type === 'hang-up');

describe('any graph and any order of events', () => {
  it('is total, pure, serialisable, and always ends with one reason', () => {
    fc.assert(
      fc.property(graphs, fc.array(anyEvent, { maxLength: 40 }), modelFinished, (graph, events, model) => {
        const call = createWorkflowCall(graph, { name: 'Ada' });
        let isTimed = false;
        for (const event of [{ type: 'call-started' as const }, ...events]) {
          const stored = JSON.parse(JSON.stringify(call.state)) as WorkflowState;
          const replayed = step(graph, stored, event, { wallMs: testWallMs });
          const actions = call.send(event);
          expect(JSON.stringify(replayed)).toBe(JSON.stringify({ state: call.state, actions }));
          for (const action of actions) if (action.type === 'set-timer' || action.type === 'cancel-timer') isTimed = action.type === 'set-timer';
          expect(isTimed).toBe(waitOf(graph, call.state) !== null);
        }
        const all = [...call.actions, ...driveToEnd(graph, call.state, model)];
        const [hangUp, ...others] = hangUps(all);
        expect(others).toEqual([]);
        expect(hangUp?.type === 'hang-up' && Object.hasOwn(endReasons, hangUp.reason)).toBe(true);
        expect(all.at(-1)).toBe(hangUp);
        for (const action of all) if (action.type === 'say') expect(action.text.trim()).not.toBe('');
      }),
      { numRuns: 400 },
    );
  });
});

/** One move of a call whose shell keeps the rules. */
type Move = { readonly kind: 'hear' | 'interrupt' | 'caller' | 'fail' | 'silent' | 'model' | 'key' | 'learn' | 'tools'; readonly text: string; readonly tools: readonly string[]; readonly followUp: ToolFollowUp | undefined };

const move: fc.Arbitrary<Move> = fc.record({
  kind: fc.constantFrom('tools' as const, 'hear' as const, 'interrupt' as const, 'caller' as const, 'fail' as const, 'silent' as const, 'model' as const, 'model' as const, 'key' as const, 'learn' as const),
  text: words,
  tools: fc.array(fc.constantFrom(...toolNames), { maxLength: 2 }),
  followUp,
});

/** Presses a key as the call does: what it makes the agent say takes the place of what is being said. True where it led somewhere. */
function pressKey(graph: WorkflowGraph, call: WorkflowCall, digit: string): boolean {
  const event: WorkflowEvent = { type: 'dtmf-received', digit };
  const { actions } = step(graph, call.state, event, { wallMs: testWallMs });
  const isSpeaking = actions.some((action) => action.type === 'say' || action.type === 'ask-model');
  if (isSpeaking && call.state.phase.name === 'replying') call.interrupt('');
  call.send(event);
  if (actions.some((action) => action.type === 'stop-speech')) call.interrupt('');
  return isSpeaking;
}

const isLedOn = (actions: readonly WorkflowAction[]) => actions.some((action) => action.type === 'node-entered');

/** Makes the move if it is legal now, else the one that is. Returns true where it gave the caller a turn or began anew. */
function play(graph: WorkflowGraph, call: WorkflowCall, { kind, text, tools, followUp: after }: Move): boolean {
  const { phase } = call.state;
  if (kind === 'key') return pressKey(graph, call, text.length > 4 ? '1' : '5');
  if (kind === 'learn') return call.send({ type: 'variables-learned', values: { x: text === '' } }).length > 0;
  if (phase.name === 'transferring') {
    call.send({ type: 'transfer-failed', reason: 'busy' });
    return true;
  }
  if (phase.name === 'listening' || phase.name === 'delayed') {
    if (waitOf(graph, call.state) !== null && kind !== 'caller') call.send({ type: 'timer-fired' });
    else if (kind === 'silent') call.send({ type: 'caller-idle', count: 1 });
    else call.caller('Something.');
    return true;
  }
  const [batch] = call.state.tools.running;
  if (kind === 'interrupt') call.interrupt(text.trim());
  else if (batch !== undefined && (kind === 'tools' || (phase.name === 'replying' && phase.pending === 'tools')))
    call.send({ type: 'tools-finished', batchId: batch.id, results: [{ toolCallId: batch.calls[0]?.id ?? '', text: 'Found.', isError: false, followUp: after }] });
  else if (call.pass !== null && kind === 'fail') call.modelFails();
  else if (call.pass !== null) call.model(text, ...tools);
  else return isLedOn(call.hear());
  return false;
}

describe('a call whose shell keeps the rules', () => {
  it('costs few passes a turn, and every reply is heard', () => {
    fc.assert(
      fc.property(graphs, fc.array(move, { maxLength: 60 }), (graph, moves) => {
        const call = createWorkflowCall(graph, { name: 'Ada' });
        call.send({ type: 'call-started' });
        let passesBefore = 0;
        const passes = () => call.actions.filter((action) => action.type === 'ask-model').length;
        for (const next of moves) {
          if (call.state.phase.name === 'ended') break;
          const before = passes();
          if (play(graph, call, next)) passesBefore = before;
          expect(passes() - passesBefore).toBeLessThanOrEqual(MAX_PASSES + MAX_TOOL_ROUNDS);
          const { phase } = call.state;
          if (phase.name === 'replying') {
            expect(phase.pending === 'model').toBe(call.pass !== null);
            expect(phase.pending !== 'tools' || call.state.tools.running.length > 0).toBe(true);
            for (const [index, entry] of call.state.conversation.entries())
              for (const { id } of (entry.role === 'agent' ? entry.toolCalls : undefined) ?? [])
                expect(call.state.conversation.slice(index).filter((other) => other.role === 'tool' && other.toolCallId === id)).toHaveLength(1);
            // Nothing more is generated: then there are words to hear.
            if (phase.pending === null) expect(call.queued.length).toBeGreaterThan(0);
          } else expect(call.pass).toBeNull();
          expect(Object.hasOwn(graph.nodes, call.state.nodeId) && !call.state.nodeId.startsWith('beside.')).toBe(true);
        }
        expect(call.state.conversation.flatMap((entry) => (entry.role === 'agent' && entry.toolCalls === undefined ? [entry.text] : []))).toEqual(call.heard.filter((text) => text !== ''));
      }),
      { numRuns: 400 },
    );
  });
});
