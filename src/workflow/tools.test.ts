import { describe, expect, it } from 'vitest';
import { callableTool, createWorkflowCall, edge, graphOf, node, toolsOf, type WorkflowCall } from '../../test/support/workflow-call.js';
import { compileWorkflow } from './compile.js';
import type { ToolResult } from './engine.js';
import { MAX_TOOL_ROUNDS } from './reply.js';

const lookUp = callableTool('look_up', { filler: { text: 'Let me see.', afterMs: 700 } });
const graph = graphOf(
  [node('s', 'startCall', { greeting: 'Hello.', tool_uuids: ['look_up', 'other'] }), node('a', 'agentNode'), node('e', 'endCall')],
  [edge('s', 'a', { label: 'a' }), edge('s', 'e', { label: 'end' })],
  { tools: toolsOf(lookUp, callableTool('other')) },
);

/** A call whose greeting was heard, with variables. */
const greeted = (variables: Record<string, unknown> = {}): WorkflowCall => {
  const call = createWorkflowCall(graph, variables);
  call.send({ type: 'call-started' });
  call.hear();
  return call;
};

const finished = (call: WorkflowCall, given: Partial<ToolResult> = {}) => {
  const [batch] = call.state.tools.running;
  const toolCallId = batch?.calls.at(-1)?.id ?? '';
  return call.send({ type: 'tools-finished', batchId: batch?.id ?? 0, results: [{ toolCallId, text: 'Found.', isError: false, ...given }] });
};

const types = (actions: readonly { type: string }[]) => actions.map((action) => action.type);
const lastResult = (call: WorkflowCall) => call.pass?.messages.findLast((message) => message.role === 'tool')?.result;

describe('a pass that calls tools', () => {
  it('waits for them, and tells the model what they found', () => {
    const call = greeted({ name: 'Ada' });
    call.caller('Where is it?');
    const actions = call.model('One second.', 'look_up');
    expect(actions).toMatchObject([
      { type: 'call-tools', calls: [{ id: 'call-0', tool: lookUp, arguments: { order: '5' } }], variables: { name: 'Ada' } },
      { type: 'await-tools', filler: null },
    ]);
    expect(types(finished(call))).toEqual(['ask-model']);
    expect(call.pass?.messages.slice(-2)).toEqual([
      { role: 'assistant', text: 'One second.', toolCalls: [{ id: 'call-0', name: 'look_up', argumentsJson: '{"order":"5"}' }] },
      { role: 'tool', toolCallId: 'call-0', toolName: 'look_up', result: 'Found.' },
    ]);
    call.model('It is here.');
    call.hear();
    expect(call.state).toMatchObject({ phase: { name: 'listening' }, tools: { running: [] } });
  });

  it('has its filler said only where the model said nothing', () => {
    const call = greeted();
    call.caller('Where is it?');
    expect(call.model('', 'look_up').at(-1)).toMatchObject({ type: 'await-tools', filler: { text: 'Let me see.', afterMs: 700 } });
  });

  it.each<[string, string, string]>([
    ['nowhere', '{}', 'Error: there is no function "nowhere" here.'],
    ['__proto__', '{}', 'Error: there is no function "__proto__" here.'],
    ['look_up', '{"broken', 'Error: the arguments are not a JSON object.'],
    ['look_up', '[]', 'Error: the arguments are not a JSON object.'],
    ['look_up', '', 'Error: "order" is missing.'],
    ['look_up', '{"order":5}', 'Error: "order" must be of type string.'],
    ['look_up', '{"__proto__":{"order":"5"}}', 'Error: "order" is missing.'],
    ['look_up', `{"order":"${'x'.repeat(20_000)}"}`, 'Error: the arguments are too long.'],
  ])('is told where %s with %s cannot be carried out', (name, argumentsJson, result) => {
    const call = greeted();
    call.caller('x');
    const [noted, ...others] = call.send({ type: 'model-finished', text: '', toolCalls: [{ id: '1', name, argumentsJson }] });
    expect(noted).toEqual({ type: 'calls-refused', refusals: [{ name, result: { toolCallId: '1', text: result, isError: true } }] });
    expect(types(others)).toEqual(['ask-model']);
    expect(lastResult(call)).toBe(result);
  });

  it('takes an edge of the same pass when they are done', () => {
    const call = greeted();
    call.caller('x');
    call.model('', 'a', 'look_up');
    expect(call.state.nodeId).toBe('s');
    finished(call);
    expect(call.state.nodeId).toBe('a');
    expect(lastResult(call)).toBe('Found.');
  });

  it('ends a loop of them with words', () => {
    const call = greeted();
    call.caller('x');
    for (let round = 0; round < MAX_TOOL_ROUNDS; round += 1) {
      call.model('', 'look_up');
      finished(call);
    }
    const [noted, ...others] = call.model('', 'look_up');
    expect(noted).toMatchObject({ type: 'calls-refused', refusals: [{ name: 'look_up', result: { text: 'Error: too many rounds of calls; it was not carried out.' } }] });
    expect(others).toEqual([{ type: 'say', text: 'Sorry, I did not get that. Could you say it again?', allowInterrupt: true }]);
    expect(new Set(call.state.conversation.flatMap((entry) => (entry.role === 'tool' ? [entry.toolCallId] : []))).size).toBe(MAX_TOOL_ROUNDS);
  });

  it('runs no more of them at once than a round may have', () => {
    const call = greeted();
    call.caller('x');
    const calls = Array.from({ length: 20 }, (_, index) => ({ id: `c${index}`, name: 'look_up', argumentsJson: '{"order":"5"}' }));
    const [noted, action] = call.send({ type: 'model-finished', text: '', toolCalls: calls });
    expect(noted?.type === 'calls-refused' && noted.refusals).toHaveLength(12);
    expect(action?.type === 'call-tools' && action.calls).toHaveLength(8);
  });

  it('leaves none of them without a word: what comes after an edge, or is none of an end’s, is refused', () => {
    const call = greeted();
    call.caller('x');
    const refusedBy = (actions: ReturnType<WorkflowCall['send']>) =>
      actions.flatMap((action) => (action.type === 'calls-refused' ? action.refusals.map(({ name, result }) => `${name} ${result.text}`) : []));
    expect(refusedBy(call.model('', 'a', 'end'))).toEqual(['end Error: not carried out, because another way was taken.']);
    expect(call.state.nodeId).toBe('a');
    expect(refusedBy(call.model('Here you are.', 'look_up'))).toEqual(['look_up Error: there is no function "look_up" here.']);
    call.hear();
    expect(call.state).toMatchObject({ phase: { name: 'listening' }, tools: { callCount: 0 } });
  });
});

describe('a caller who speaks while a tool runs', () => {
  const interrupted = () => {
    const call = greeted();
    call.caller('Where is it?');
    call.model('One second.', 'look_up');
    call.interrupt('One');
    return call;
  };

  it('is answered together with its result', () => {
    const call = interrupted();
    expect(types(call.caller('And how much?'))).toEqual(['await-tools']);
    finished(call);
    expect(call.pass?.messages.slice(-3)).toMatchObject([{ role: 'user', text: 'And how much?' }, { role: 'assistant' }, { role: 'tool', result: 'Found.' }]);
  });

  it('has nothing else done than was said before', () => {
    const call = interrupted();
    call.caller('No, stop!');
    finished(call, { followUp: { type: 'hang-up', text: 'Goodbye.' } });
    expect(lastResult(call)).toBe('Error: not carried out, because the caller said something else meanwhile.');
    expect(call.state.phase).toMatchObject({ name: 'replying', then: 'listen' });
  });

  it('is told the result where nothing was said after all', () => {
    const call = interrupted();
    expect(finished(call)).toEqual([]);
    expect(types(call.send({ type: 'caller-idle', count: 1 }))).toEqual(['ask-model']);
  });
});

describe('what a tool leads to', () => {
  const calling = () => {
    const call = greeted();
    call.caller('x');
    call.model('', 'look_up');
    return call;
  };

  it('ends the call, with a reason', () => {
    const call = calling();
    expect(finished(call, { followUp: { type: 'hang-up', text: 'Bye.', disposition: 'sold' } })).toEqual([{ type: 'say', text: 'Bye.', allowInterrupt: false }]);
    expect(call.hear()).toEqual([{ type: 'hang-up', reason: 'agent_hangup' }]);
    expect(call.state.variables['call_disposition']).toBe('sold');
  });

  it('transfers, and comes back where nobody answers', () => {
    const call = calling();
    finished(call, { followUp: { type: 'transfer', text: '', transfer: { destination: '+15551234567', mode: 'warm', timeoutSeconds: 20 } } });
    expect(call.queued).toEqual(['One moment, please. I am connecting you.']);
    expect(call.hear()).toEqual([{ type: 'transfer', destination: '+15551234567', mode: 'warm', timeoutSeconds: 20 }]);
    expect(types(call.send({ type: 'transfer-failed', reason: 'busy' }))).toEqual(['ask-model']);
    expect(call.state.nodesVisited).toEqual(['s']);
  });

  it('transfers to no destination that is none', () => {
    const call = calling();
    expect(types(finished(call, { followUp: { type: 'transfer', text: '', transfer: { destination: 'the boss', mode: 'cold', timeoutSeconds: 20 } } }))).toEqual(['ask-model']);
    expect(lastResult(call)).toBe('Error: the destination is not a number or SIP address.');
  });

  it('plays keys, then asks the model on', () => {
    expect(types(finished(calling(), { followUp: { type: 'play-tones', digits: '1,2' } }))).toEqual(['play-tones', 'ask-model']);
  });
});

describe('the tools of a document', () => {
  const nodes = [node('s', 'startCall', { tool_uuids: ['gone', 'a', 'look_up', 'look_up'] }), node('a', 'agentNode')];
  const document = { nodes, edges: [edge('s', 'a', { label: 'A' }, 'way')] };
  const tools = toolsOf(lookUp, callableTool('a'));

  it('must exist and have names of their own to be published, all told at once', () => {
    const result = compileWorkflow(document, { forPublish: true, tools });
    expect(result.ok ? [] : result.problems.map(({ id, field, message }) => `${id} ${field}: ${message}`)).toEqual([
      's data.tool_uuids.0: there is no tool gone',
      's data.tool_uuids.1: the tool becomes the function a, and so does the edge way',
      's data.tool_uuids.3: another tool of this node becomes the function look_up too',
    ]);
  });

  it('are left out of a call where they do not', () => {
    const result = compileWorkflow(document, { tools });
    const start = result.ok ? result.graph.nodes['s'] : undefined;
    expect(start !== undefined && 'tools' in start && start.tools.map(({ name }) => name)).toEqual(['a', 'look_up']);
    expect(result.ok && result.warnings).toHaveLength(3);
  });
});
