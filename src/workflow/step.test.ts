import { describe, expect, it } from 'vitest';
import { createWorkflowCall, edge, graphOf, node, testWallMs, type WorkflowCall } from '../../test/support/workflow-call.js';
import { startWorkflow, step } from './step.js';

const start = node('s', 'startCall', { greeting: 'Hello {{name | there}}.' });
const end = node('e', 'endCall');

/** start → a ⇄ b → end, with a transfer, a fixed text and a key on the way. */
const desk = graphOf(
  [
    start,
    node('a', 'agentNode'),
    node('b', 'agentNode', { allow_interrupt: false }),
    end,
    node('hours', 'say', { text: 'We open at nine, {{name | friend}}.' }),
    node('t', 'transferCall', { destination: '{{boss | +15551234567}}', message: 'I will put you through.', timeout_seconds: 20 }),
    node('g', 'globalNode', { prompt: 'Global rules for {{name}}.' }),
  ],
  [
    edge('s', 'a', { label: 'a', transition_speech: 'One moment, {{name | please}}.' }),
    edge('s', 'e', { label: 'end' }),
    edge('s', 'hours', { label: 'hours' }),
    edge('s', 't', { label: 'transfer' }),
    edge('a', 'b', { label: 'b' }),
    edge('b', 'a', { label: 'a' }),
    edge('a', 'e', { label: 'end' }),
    edge('a', 'b', { when: { digits: '5' } }, 'key'),
    edge('hours', 'a', {}),
  ],
);

/** A call whose greeting was heard. */
const greeted = (graph = desk, variables: Record<string, unknown> = {}): WorkflowCall => {
  const call = createWorkflowCall(graph, variables);
  call.send({ type: 'call-started' });
  call.hear();
  return call;
};

/** A call listening at node `a`. */
const atA = (): WorkflowCall => {
  const call = greeted();
  call.caller('a please');
  call.model('Here you are.', 'a');
  call.hear();
  return call;
};

const types = (actions: readonly { type: string }[]) => actions.map((action) => action.type);

describe('the beginning', () => {
  it('greets with the rendered words, then listens', () => {
    const call = createWorkflowCall(desk, { name: 'Ada' });
    expect(call.send({ type: 'call-started' })).toEqual([
      { type: 'node-entered', nodeId: 's', name: 's' },
      { type: 'say', text: 'Hello Ada.', allowInterrupt: true },
    ]);
    call.hear();
    expect(call.state).toMatchObject({ phase: { name: 'listening' }, nodesVisited: ['s'], conversation: [{ role: 'agent', text: 'Hello Ada.' }] });
    expect(call.send({ type: 'call-started' })).toEqual([]);
  });

  it('lets the model greet where there is no greeting', () => {
    const call = createWorkflowCall(graphOf([node('s', 'startCall', { greeting: '{{missing}}' })], []));
    call.send({ type: 'call-started' });
    expect(call.pass).toMatchObject({ tools: [], fallbackText: 'Hello. How can I help you?' });
    expect(call.pass?.messages.at(-1)).toEqual({ role: 'user', text: '[The call was answered. Greet the caller.]' });
    call.modelFails();
    expect(call.queued).toEqual(['Hello. How can I help you?']);
  });
});

describe('the variables of a run', () => {
  it('are a plain copy, none left out however many there are', () => {
    const hostile = JSON.parse('{"__proto__":{"polluted":1},"caller_number":null,"deep":{"constructor":1,"a":1}}') as Record<string, unknown>;
    const { variables } = startWorkflow(desk, { ...Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`v${index}`, 'x'.repeat(100)])), ...hostile });
    expect(Object.getPrototypeOf(variables)).toBeNull();
    expect(Object.keys(variables)).toHaveLength(302);
    expect(JSON.stringify(variables.deep)).toBe('{"a":1}');
    expect(startWorkflow(desk, hostile).variables).toEqual({ caller_number: null, deep: { a: 1 } });
  });
});

describe('a caller’s turn', () => {
  it('asks the model with global prompt, node prompt, variables and functions', () => {
    const call = greeted(desk, { name: 'Ada' });
    call.caller('Hi there.');
    expect(call.pass?.messages[0]?.role).toBe('system');
    const system = call.pass?.messages[0];
    expect(system && 'text' in system ? system.text : '').toMatch(/^Global rules for Ada\.\n\nPrompt of s\.\n\nYou are talking on the phone\./);
    expect(call.pass?.tools.map((tool) => tool.name)).toEqual(['a', 'end', 'hours', 'transfer']);
    expect(call.pass?.messages.slice(1)).toEqual([
      { role: 'user', text: '[The call begins.]' },
      { role: 'assistant', text: 'Hello Ada.' },
      { role: 'user', text: 'Hi there.' },
    ]);
    call.model('How are you?');
    call.hear();
    expect(call.state.phase).toEqual({ name: 'listening' });
  });

  it('ignores silence taken for a turn', () => {
    const call = greeted();
    expect(call.caller('  ')).toEqual([]);
    expect(call.state.conversation).toHaveLength(1);
  });

  it('ends a reply in progress', () => {
    const call = greeted();
    call.caller('Hi.');
    expect(types(call.caller('Hi again.'))).toEqual(['ask-model']);
    expect(call.pass?.messages.at(-1)).toEqual({ role: 'user', text: 'Hi.\nHi again.' });
  });

  it('keeps what was heard of an interrupted reply, marked', () => {
    const call = greeted();
    call.caller('Tell me a story.');
    call.model('Once upon a time there was a king.');
    call.interrupt('Once upon a');
    expect(call.state.conversation.at(-1)).toEqual({ role: 'agent', text: 'Once upon a', isInterrupted: true });
    call.caller('Stop.');
    expect(call.pass?.messages.at(-2)).toEqual({ role: 'assistant', text: 'Once upon a —' });
  });

  it('leaves no agent entry where nothing was heard', () => {
    const call = greeted();
    call.caller('Hi.');
    call.interrupt('');
    expect(call.state.conversation.at(-1)).toEqual({ role: 'caller', text: 'Hi.', turnId: 1 });
    expect(call.state.phase).toEqual({ name: 'listening' });
    call.caller('Sorry, go on.');
    call.model('Yes.');
    expect(call.queued).toEqual(['Yes.']);
  });
});

describe('a transition', () => {
  it('takes one pass where the model answered', () => {
    const call = greeted();
    call.caller('a');
    expect(call.model('Gladly.', 'a')).toEqual([{ type: 'node-entered', nodeId: 'a', name: 'a' }]);
    call.hear();
    expect(call.state).toMatchObject({ nodeId: 'a', phase: { name: 'listening' }, nodesVisited: ['s', 'a'] });
    expect(call.heard.at(-1)).toBe('Gladly.');
  });

  it.each(['', '  \n'])('says the transition speech and asks the target where the model gave %j', (words) => {
    const call = greeted();
    call.caller('a');
    expect(types(call.model(words, 'a'))).toEqual(['say', 'node-entered', 'ask-model']);
    expect(call.queued).toEqual(['One moment, please.']);
    const system = call.pass?.messages[0];
    expect(system && 'text' in system ? system.text : '').toContain('Prompt of a.');
    expect(call.pass?.messages.at(-2)).toEqual({ role: 'assistant', text: 'One moment, please.' });
    call.model('Hello from a.');
    call.hear();
    expect(call.heard.at(-1)).toBe('One moment, please. Hello from a.');
  });

  it('takes the first of two edges', () => {
    const call = greeted();
    call.caller('a or end');
    call.model('Well.', 'end', 'a');
    expect(call.state.nodesVisited).toEqual(['s', 'e']);
  });

  it.each(['nowhere', '__proto__', 'constructor', 'b'])('ignores the function %s that the node does not have', (name) => {
    const call = greeted();
    call.caller('x');
    const refused = { type: 'calls-refused', refusals: [{ name, result: { isError: true } }] };
    expect(call.model('', name)).toMatchObject([refused, { type: 'say', text: 'Sorry, I did not get that. Could you say it again?', allowInterrupt: true }]);
    call.hear();
    call.caller('x');
    expect(call.model('Fine.', name)).toMatchObject([refused]);
    expect(call.state.nodeId).toBe('s');
  });

  it('takes the known one of several functions, whatever its arguments', () => {
    const call = greeted();
    call.caller('x');
    const calls = [
      { id: '1', name: 'nowhere', argumentsJson: '{}' },
      { id: '2', name: 'hours', argumentsJson: '{"broken' },
    ];
    call.send({ type: 'model-finished', text: '', toolCalls: calls });
    expect(call.state.nodesVisited).toEqual(['s', 'hours', 'a']);
  });

  it('stops a loop of transitions with words', () => {
    const call = atA();
    call.caller('round and round');
    call.model('', 'b');
    call.model('', 'a');
    expect(types(call.model('', 'b'))).toEqual(['node-entered', 'say']);
    call.hear();
    expect(call.state).toMatchObject({ nodeId: 'b', phase: { name: 'listening' } });
    expect(call.heard.at(-1)).toBe('Sorry, I did not get that. Could you say it again?');
  });

  it('speaks fixed words after the model’s and goes on', () => {
    const call = greeted(desk, { name: 'Ada' });
    call.caller('hours?');
    expect(call.model('Sure.', 'hours')).toEqual([
      { type: 'node-entered', nodeId: 'hours', name: 'hours' },
      { type: 'say', text: 'We open at nine, Ada.', allowInterrupt: true },
      { type: 'node-entered', nodeId: 'a', name: 'a' },
    ]);
    call.hear();
    expect(call.heard.at(-1)).toBe('Sure. We open at nine, Ada.');
    expect(call.state).toMatchObject({ nodeId: 'a', phase: { name: 'listening' } });
  });
});

describe('the end', () => {
  it('asks for closing words without functions and hangs up once they were heard', () => {
    const call = greeted();
    call.caller('Bye.');
    expect(types(call.model('', 'end'))).toEqual(['node-entered', 'ask-model']);
    expect(call.pass).toMatchObject({ tools: [], allowInterrupt: false, fallbackText: 'Goodbye.' });
    expect(types(call.model('Goodbye then.', 'end'))).toEqual(['calls-refused']);
    expect(call.hear()).toEqual([{ type: 'hang-up', reason: 'agent_hangup' }]);
    expect(call.state.phase).toEqual({ name: 'ended', reason: 'agent_hangup' });
    expect(call.caller('Hello?')).toEqual([]);
  });

  it('shows the model what it said when it chose to end', () => {
    const call = greeted();
    call.caller('Bye.');
    call.model('You are welcome.', 'end');
    expect(call.pass?.messages.slice(-2)).toEqual([
      { role: 'assistant', text: 'You are welcome.' },
      { role: 'user', text: '[Say your closing words now.]' },
    ]);
  });

  it.each([
    ['fails', (call: WorkflowCall) => call.modelFails()],
    ['is empty', (call: WorkflowCall) => call.model(' ')],
  ])('says goodbye itself where the closing pass %s', (_, closing) => {
    const call = greeted();
    call.caller('Bye.');
    call.model('', 'end');
    closing(call);
    expect(call.queued).toEqual(['Goodbye.']);
    expect(call.hear()).toEqual([{ type: 'hang-up', reason: 'agent_hangup' }]);
  });

  it('says a last goodbye where the caller cut the words before it', () => {
    const call = greeted();
    call.caller('Bye.');
    call.model('It was a pleasure.', 'end');
    expect(call.interrupt('It was')).toEqual([{ type: 'say', text: 'Goodbye.', allowInterrupt: false }]);
    expect(call.interrupt('')).toEqual([{ type: 'hang-up', reason: 'agent_hangup' }]);
  });

  it('keeps the caller’s words while the goodbye is spoken', () => {
    const call = greeted();
    call.caller('Bye.');
    call.model('', 'end');
    call.model('Goodbye.');
    expect(call.caller('One more thing.')).toEqual([]);
    expect(call.state.conversation.at(-1)).toMatchObject({ role: 'caller', text: 'One more thing.' });
    expect(call.hear()).toEqual([{ type: 'hang-up', reason: 'agent_hangup' }]);
  });

  it.each(['max_duration', 'quota_exceeded', 'drained', 'operator_hangup'] as const)('says goodbye before %s', (reason) => {
    for (const call of [createWorkflowCall(desk), greeted(), atA()]) {
      const [goodbye, ...others] = call.send({ type: 'end-requested', reason });
      expect(goodbye).toMatchObject({ type: 'say', text: desk.texts[reason], allowInterrupt: false });
      expect(others).toEqual([]);
      expect(call.send({ type: 'end-requested', reason: 'drained' })).toEqual([]);
      expect(call.interrupt('I am')).toEqual([{ type: 'hang-up', reason }]);
    }
  });
});

describe('a failing model', () => {
  it('apologises, and says goodbye after three failures in a row', () => {
    const call = greeted();
    for (const turn of [1, 2]) {
      call.caller(`Turn ${turn}.`);
      call.modelFails();
      expect(call.queued).toEqual([desk.texts.apology]);
      call.hear();
      expect(call.state.phase).toEqual({ name: 'listening' });
    }
    call.caller('Turn 3.');
    call.modelFails();
    expect(call.queued).toEqual([desk.texts.vendor_error]);
    expect(call.hear()).toEqual([{ type: 'hang-up', reason: 'vendor_error' }]);
  });

  it('counts anew after a good pass', () => {
    const call = greeted();
    for (const isGood of [false, false, true, false, false]) {
      call.caller('Hi.');
      if (isGood) call.model('Hello.');
      else call.modelFails();
      call.hear();
    }
    expect(call.state).toMatchObject({ phase: { name: 'listening' }, failedPasses: 2 });
  });

  it('does not hear of passes that are over', () => {
    const call = greeted();
    expect(call.send({ type: 'model-finished', text: 'Late.', toolCalls: [{ id: '1', name: 'end', argumentsJson: '{}' }] })).toEqual([]);
    expect(call.send({ type: 'model-failed' })).toEqual([]);
    expect(call.state).toMatchObject({ nodeId: 's', phase: { name: 'listening' } });
  });
});

describe('silence', () => {
  it('checks, then says goodbye and hangs up', () => {
    const call = greeted();
    expect(call.send({ type: 'caller-idle', count: 1 })).toEqual([{ type: 'say', text: 'Are you still there?', allowInterrupt: true }]);
    call.hear();
    expect(call.send({ type: 'caller-idle', count: 2 })).toMatchObject([{ type: 'say', text: desk.idle.goodbye, allowInterrupt: false }]);
    expect(call.hear()).toEqual([{ type: 'hang-up', reason: 'idle_timeout' }]);
  });

  it('takes a reply whose end was never reported for heard', () => {
    const call = greeted();
    call.caller('Hi.');
    expect(call.send({ type: 'caller-idle', count: 1 })).toEqual([]);
    call.model('Hello.');
    expect(call.send({ type: 'caller-idle', count: 1 })).toMatchObject([{ type: 'say', text: 'Are you still there?' }]);
    call.send({ type: 'end-requested', reason: 'drained' });
    expect(call.send({ type: 'caller-idle', count: 1 })).toEqual([{ type: 'hang-up', reason: 'drained' }]);
  });
});

describe('keys', () => {
  it('are told to the model and kept as a variable', () => {
    const call = greeted();
    expect(call.send({ type: 'dtmf-received', digit: '5' })).toEqual([]);
    expect(call.state.variables.last_digit).toBe('5');
    call.caller('What did I press?');
    expect(call.pass?.messages.at(-1)).toEqual({ role: 'user', text: '[The caller pressed 5.]\nWhat did I press?' });
    expect(call.send({ type: 'dtmf-received', digit: 'evil' })).toEqual([]);
    expect(call.state.variables.last_digit).toBe('5');
  });

  it('take an edge without a pass of the model choosing it', () => {
    const call = atA();
    expect(types(call.send({ type: 'dtmf-received', digit: '5' }))).toEqual(['node-entered', 'ask-model']);
    expect(call.pass?.allowInterrupt).toBe(false);
    call.model('Hello from b.');
    call.hear();
    expect(call.state.nodeId).toBe('b');
  });
});

describe('a transfer', () => {
  const transferring = (variables: Record<string, unknown> = {}) => {
    const call = greeted(desk, variables);
    call.caller('The boss, please.');
    call.model('', 'transfer');
    return call;
  };

  it('comes after its message was heard', () => {
    const call = transferring({ boss: 'sip:boss@pbx.example' });
    expect(call.queued).toEqual(['I will put you through.']);
    expect(call.hear()).toEqual([{ type: 'transfer', destination: 'sip:boss@pbx.example', mode: 'cold', timeoutSeconds: 20 }]);
    expect(call.state.phase.name).toBe('transferring');
  });

  it('returns to the model where it fails', () => {
    const call = transferring();
    call.hear();
    expect(types(call.send({ type: 'transfer-failed', reason: 'busy' }))).toEqual(['node-entered', 'ask-model']);
    expect(call.pass?.messages.at(-1)).toMatchObject({ role: 'user', text: expect.stringContaining('[The transfer failed: busy.') as string });
    call.model('Nobody is there.');
    call.hear();
    expect(call.state).toMatchObject({ nodeId: 's', phase: { name: 'listening' }, nodesVisited: ['s', 't', 's'] });
  });

  it('is not tried for ever without a turn of the caller', () => {
    const call = transferring();
    for (const isLast of [false, false, true]) {
      call.hear();
      call.send({ type: 'transfer-failed', reason: 'busy' });
      if (!isLast) call.model('', 'transfer');
    }
    expect(call.queued).toEqual([desk.texts.transfer_failed]);
    call.hear();
    expect(call.state).toMatchObject({ nodeId: 's', phase: { name: 'listening' } });
  });

  it('takes the edge for failure', () => {
    const graph = graphOf(
      [start, node('t', 'transferCall', { destination: '+15551234567' }), node('sorry', 'say', { text: 'Nobody is there.' }), end],
      [edge('s', 't', { label: 'transfer' }), edge('t', 'sorry', { when: { failure: true }, condition: undefined }), edge('sorry', 'e')],
    );
    const call = greeted(graph);
    call.caller('The boss.');
    call.model('', 'transfer');
    expect(call.queued).toEqual([graph.texts.transfer]);
    call.hear();
    expect(types(call.send({ type: 'transfer-failed', reason: 'busy' }))).toEqual(['node-entered', 'say', 'node-entered', 'ask-model']);
    call.model('Goodbye.');
    expect(call.hear()).toEqual([{ type: 'hang-up', reason: 'agent_hangup' }]);
  });

  it('fails at once where the destination is none', () => {
    const call = transferring({ boss: 'file:///etc/passwd' });
    expect(call.actions.some((action) => action.type === 'transfer')).toBe(false);
    expect(call.pass?.messages.at(-1)).toMatchObject({ text: expect.stringContaining('the destination is not a number') as string });
    call.model('', 'transfer');
    call.model('', 'transfer');
    expect(call.queued).toEqual([desk.texts.transfer_failed]);
    call.hear();
    expect(call.state).toMatchObject({ nodeId: 's', phase: { name: 'listening' } });
  });

  it('is ended by a request, with a goodbye', () => {
    const call = transferring();
    call.hear();
    call.send({ type: 'end-requested', reason: 'max_duration' });
    expect(call.send({ type: 'transfer-failed', reason: 'busy' })).toEqual([]);
    expect(call.hear()).toEqual([{ type: 'hang-up', reason: 'max_duration' }]);
  });
});

describe('the step', () => {
  it('takes well under a millisecond on 200 nodes', () => {
    const nodes = [start, ...Array.from({ length: 199 }, (_, index) => node(`a${index}`, 'agentNode', { prompt: `{{name}} at {{current_time_Europe/London}} ${'word '.repeat(200)}` }))];
    const ids = nodes.map((entry) => entry.id);
    const edges = ids.flatMap((id, from) => [1, 2, 3].map((hop) => edge(id, ids[1 + ((from + hop) % 199)]!, { label: `go ${hop}` }, `${id}-${hop}`)));
    const graph = graphOf(nodes, edges);
    let state = startWorkflow(graph, { name: 'Ada' });
    const costsMs: number[] = [];
    const run = (event: Parameters<typeof step>[2]) => {
      const fromMs = performance.now();
      state = step(graph, state, event, { wallMs: testWallMs }).state;
      costsMs.push(performance.now() - fromMs);
    };
    run({ type: 'call-started' });
    for (let turnId = 1; turnId <= 1000; turnId += 1) {
      run({ type: 'reply-heard', heardText: 'Some words that were heard.', isInterrupted: turnId % 5 === 0 });
      run({ type: 'caller-turn', text: 'Some words of the caller.', turnId });
      run({ type: 'model-finished', text: turnId % 2 === 0 ? 'Fine.' : '', toolCalls: [{ id: '1', name: 'go_2', argumentsJson: '{}' }] });
      if (turnId % 2 === 1) run({ type: 'model-finished', text: 'Here.', toolCalls: [] });
    }
    costsMs.sort((a, b) => a - b);
    const at = (share: number) => (costsMs[Math.floor(costsMs.length * share)] ?? 0).toFixed(3);
    process.stdout.write(`step on 200 nodes: ${costsMs.length} steps, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(0.9999)} ms\n`);
    expect(state.phase).toMatchObject({ name: 'replying' });
    expect(state.nodesVisited.length).toBe(1000);
  });
});
