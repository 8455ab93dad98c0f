import { describe, expect, it } from 'vitest';
import { createWorkflowCall, edge, graphOf, node, type WorkflowCall } from '../../test/support/workflow-call.js';
import type { WorkflowEvent } from './engine.js';
import type { WorkflowGraph } from './graph.js';
import { MAX_SILENCES } from './keys.js';
import { INTER_DIGIT_MS } from './waits.js';

const start = node('s', 'startCall', { greeting: 'Hello.' });
const agent = (id: string, data: Record<string, unknown> = {}) => node(id, 'agentNode', data);

const begun = (graph: WorkflowGraph, variables: Record<string, unknown> = {}): WorkflowCall => {
  const call = createWorkflowCall(graph, variables);
  call.send({ type: 'call-started' });
  return call;
};

/** A call whose first words were heard. */
const greeted = (graph: WorkflowGraph, variables: Record<string, unknown> = {}): WorkflowCall => {
  const call = begun(graph, variables);
  call.hear();
  return call;
};

const types = (actions: readonly { type: string }[]) => actions.map((action) => action.type);
const timer: WorkflowEvent = { type: 'timer-fired' };

/** Presses keys one after the other; returns the actions of the last. */
const press = (call: WorkflowCall, keys: string) => [...keys].map((digit) => call.send({ type: 'dtmf-received', digit })).at(-1) ?? [];

describe('an edge with a condition', () => {
  const graph = graphOf(
    [start, agent('gold'), agent('silver'), node('y', 'say', { text: 'Welcome back.' }), agent('a'), node('e', 'endCall')],
    [
      edge('s', 'y', { when: { expression: 'visits > 1' } }, 'back'),
      edge('s', 'e', { when: { expression: 'blocked' } }, 'blocked'),
      edge('s', 'a', { when: { expression: 'last_digit == "7"' } }, 'seven'),
      edge('s', 'a', { label: 'talk' }, 'talk'),
      edge('y', 'gold', { when: { expression: 'tier == "gold"' } }, 'gold'),
      edge('y', 'silver'),
      edge('a', 'gold', { when: { expression: 'budget >= 1000' } }, 'rich'),
    ],
  );

  it('is taken as the node is entered, the first that holds', () => {
    const call = begun(graph, { visits: '3', blocked: true });
    expect(call.queued).toEqual(['Welcome back.']);
    expect(call.state.nodesVisited).toEqual(['s', 'y', 'silver']);
    expect(begun(graph, { visits: '3', tier: 'gold' }).state.nodesVisited).toEqual(['s', 'y', 'gold']);
    expect(begun(graph, { visits: 1, blocked: 'false' }).queued).toEqual(['Hello.']);
  });

  it('is taken when a key makes it hold', () => {
    const call = greeted(graph);
    expect(types(press(call, '7'))).toEqual(['node-entered', 'ask-model']);
    expect(call.state.nodeId).toBe('a');
  });

  const learnt = (budget: number): WorkflowEvent => ({ type: 'variables-learned', values: { budget } });

  it('is taken after the words in which a variable was learnt', () => {
    const call = greeted(graph);
    call.caller('Hi.');
    call.model('Hello Ada.', 'talk');
    expect(call.send(learnt(1500))).toEqual([]);
    expect(types(call.hear())).toEqual(['node-entered', 'ask-model']);
    expect(call.state.nodeId).toBe('gold');
  });

  it('waits for the caller’s turn where the caller has the floor, and goes before the model', () => {
    for (const next of [(call: WorkflowCall) => call.caller('I am rich.'), (call: WorkflowCall) => call.send({ type: 'caller-idle', count: 1 })]) {
      const call = greeted(graph);
      call.caller('Hi.');
      call.model('Hello Ada.', 'talk');
      call.interrupt('Hel');
      expect(call.send(learnt(1500))).toEqual([]);
      expect(types(next(call))).toEqual(['node-entered', 'ask-model']);
      expect(call.state.nodeId).toBe('gold');
    }
  });

  it('is not taken where it does not hold', () => {
    const call = greeted(graph);
    call.caller('Hi.');
    call.model('Hello Ada.', 'talk');
    call.send(learnt(5));
    expect(call.hear()).toEqual([]);
    expect(call.state).toMatchObject({ nodeId: 'a', phase: { name: 'listening' } });
  });
});

describe('edges by several keys', () => {
  const graph = graphOf(
    [start, agent('one'), agent('twelve'), agent('long')],
    [edge('s', 'one', { when: { digits: '1' } }), edge('s', 'twelve', { when: { digits: '12' } }), edge('s', 'long', { when: { digits: '1299' } })],
  );

  it.each([
    ['1', true, 'one'],
    ['12', true, 'twelve'],
    ['1299', false, 'long'],
    ['129', true, 'twelve'],
    ['15', false, 'one'],
    ['125', false, 'twelve'],
    ['91299', false, 'long'],
  ])('%s, then %s for silence: %s', (keys, isTimed, nodeId) => {
    const call = greeted(graph);
    press(call, keys);
    if (isTimed) {
      expect(call.state.nodeId).toBe('s');
      call.send(timer);
    }
    expect(call.state).toMatchObject({ nodeId, keys: { digits: '' } });
  });

  it('waits for the next key, from each key anew, and drops what fits nothing', () => {
    const call = greeted(graph);
    expect(press(call, '1')).toEqual([{ type: 'set-timer', delayMs: INTER_DIGIT_MS }]);
    expect(press(call, '2')).toEqual([{ type: 'set-timer', delayMs: INTER_DIGIT_MS }]);
    expect(types(call.send(timer))).toEqual(['cancel-timer', 'node-entered', 'ask-model']);
    const other = greeted(graph);
    expect(press(other, '9')).toEqual([]);
    expect(other.send(timer)).toEqual([]);
    expect(other.state.nodeId).toBe('s');
  });
});

describe('an edge by silence', () => {
  const graph = graphOf(
    [start, agent('a'), agent('b')],
    [edge('s', 'a', { label: 'a' }), edge('a', 'a', { when: { timeout_seconds: 4.5 } }), edge('a', 'b', { label: 'b' }), edge('s', 'b', { label: 'b' })],
  );
  const atA = () => {
    const call = greeted(graph);
    call.caller('a');
    return { call, actions: call.model('Here.', 'a') };
  };

  it('asks for a silence of its length, and for the usual one where the call goes on', () => {
    const { call, actions } = atA();
    expect(actions).toEqual([
      { type: 'set-silence-limit', delayMs: 4500 },
      { type: 'node-entered', nodeId: 'a', name: 'a' },
    ]);
    call.hear();
    call.caller('b');
    expect(call.model('There.', 'b')[0]).toEqual({ type: 'set-silence-limit', delayMs: null });
  });

  it('is taken instead of the idle ladder, but not for ever', () => {
    const { call } = atA();
    call.hear();
    for (let count = 1; count <= MAX_SILENCES; count += 1) {
      expect(types(call.send({ type: 'caller-idle', count }))).toEqual(['node-entered', 'ask-model']);
      expect(call.pass?.messages.at(-1)).toMatchObject({ text: expect.stringContaining('[The caller was silent.]') as string });
      call.model('Hello?');
      call.hear();
    }
    expect(call.send({ type: 'caller-idle', count: 6 })).toMatchObject([{ type: 'say', text: graph.idle.goodbye }]);
    expect(call.hear()).toEqual([{ type: 'hang-up', reason: 'idle_timeout' }]);
  });

  it('does not shorten the idle ladder of the next node', () => {
    const waiting = graphOf([start, agent('a')], [edge('s', 'a', { when: { timeout_seconds: 3 } })]);
    const call = greeted(waiting);
    call.send({ type: 'caller-idle', count: 1 });
    call.model('Are you alright?');
    call.hear();
    expect(call.send({ type: 'caller-idle', count: 2 })).toMatchObject([{ type: 'say', text: waiting.idle.checks[0] }]);
    call.hear();
    expect(call.send({ type: 'caller-idle', count: 3 })).toMatchObject([{ type: 'say', text: waiting.idle.goodbye }]);
  });
});

describe('a key during a transfer', () => {
  const graph = graphOf(
    [start, node('t', 'transferCall', { destination: '+15551234567', mode: 'warm', message: 'One moment.' }), agent('back')],
    [edge('s', 't', { label: 't' }), edge('t', 'back', { when: { digits: '*' } })],
  );
  const announcing = () => {
    const call = greeted(graph);
    call.caller('The boss.');
    call.model('', 't');
    return call;
  };

  it('leaves it: the other side is no longer dialled', () => {
    const call = announcing();
    expect(types(call.hear())).toEqual(['transfer']);
    expect(press(call, '5')).toEqual([]);
    expect(types(press(call, '*'))).toEqual(['cancel-transfer', 'node-entered', 'ask-model']);
    expect(call.send({ type: 'transfer-failed', reason: 'busy' })).toEqual([]);
    expect(call.state.nodeId).toBe('back');
  });

  it('leaves it before it began', () => {
    const call = announcing();
    expect(types(press(call, '*'))).toEqual(['node-entered', 'ask-model']);
  });
});

describe('collected digits', () => {
  const collect = (data: Record<string, unknown> = {}, edges: readonly unknown[] = [], variables: Record<string, unknown> = {}) => {
    const graph = graphOf(
      [
        start,
        node('c', 'collectDigits', { prompt: 'Your number, {{name | please}}?', min_digits: 2, max_digits: 4, timeout_ms: 3000, retries: 1, variable: 'number', ...data }),
        agent('next'),
        agent('failed'),
        agent('vip'),
      ],
      [edge('s', 'c', { label: 'c' }), ...(edges.length > 0 ? edges : [edge('c', 'next'), edge('c', 'failed', { when: { failure: true } })]), edge('s', 'vip'), edge('s', 'next'), edge('s', 'failed')],
    );
    const call = greeted(graph, variables);
    call.caller('c');
    call.model('', 'c');
    return call;
  };

  it('are asked for; a key stops the prompt, silence or length ends them', () => {
    const call = collect();
    expect(call.queued).toEqual(['Your number, please?']);
    expect(call.actions.at(-1)).toEqual({ type: 'say', text: 'Your number, please?', allowInterrupt: false });
    expect(press(call, '4')).toEqual([{ type: 'stop-speech' }]);
    expect(call.interrupt('Your')).toEqual([{ type: 'set-timer', delayMs: 3000 }]);
    expect(press(call, '2')).toEqual([{ type: 'set-timer', delayMs: 3000 }]);
    expect(types(call.send(timer))).toEqual(['cancel-timer', 'set-silence-limit', 'node-entered', 'ask-model']);
    expect(call.state).toMatchObject({ nodeId: 'next', variables: { number: '42' } });
    expect(call.pass?.messages.at(-1)).toMatchObject({ text: expect.stringContaining('[The caller entered 42 on the keypad.]') as string });
  });

  it.each([
    ['1234', '1234'],
    ['12#', '12'],
    ['1*3#', '1*3'],
    ['0A0#', '00'],
  ])('%s are %s, without waiting', (keys, number) => {
    const call = collect();
    call.hear();
    press(call, keys);
    expect(call.state).toMatchObject({ nodeId: 'next', variables: { number } });
    expect(call.state.variables.last_digit).toBeUndefined();
  });

  it('are asked for again where they are too few, then fail', () => {
    const call = collect();
    expect(call.hear()).toEqual([{ type: 'set-timer', delayMs: 3000 }]);
    expect(types(call.send(timer))).toEqual(['cancel-timer', 'say']);
    call.hear();
    expect(types(press(call, '1#'))).toEqual(['cancel-timer', 'set-silence-limit', 'node-entered', 'ask-model']);
    expect(call.state).toMatchObject({ nodeId: 'failed' });
    expect(call.state.variables.number).toBeUndefined();
  });

  it('go on along the one edge where there is none for failure', () => {
    const call = collect({ retries: 0 }, [edge('c', 'next')]);
    call.hear();
    call.send(timer);
    expect(call.state.nodeId).toBe('next');
    expect(call.pass?.messages.at(-1)).toMatchObject({ text: expect.stringContaining('[The caller entered no valid keys.]') as string });
  });

  it('choose an edge by themselves, then by a condition, and are refused where they choose none', () => {
    const edges = [
      edge('c', 'vip', { when: { digits: '99' } }),
      edge('c', 'next', { when: { expression: 'number > 50 and number != 60' } }, 'above'),
      edge('c', 'failed', { when: { failure: true } }),
    ];
    const at = (keys: string) => {
      const call = collect({ max_digits: 2 }, edges);
      call.hear();
      press(call, keys);
      return call;
    };
    expect(at('99').state.nodeId).toBe('vip');
    expect(at('70').state.nodeId).toBe('next');
    const call = at('60');
    expect(call.queued).toEqual(['Your number, please?']);
    call.hear();
    press(call, '60');
    expect(call.state.nodeId).toBe('failed');
  });

  it('that are sensitive are in no entry of the conversation and in no request', () => {
    const call = collect({ sensitive: true });
    press(call, '9');
    call.interrupt('Your');
    press(call, '876');
    expect(call.state).toMatchObject({ nodeId: 'next', variables: { number: '9876' } });
    expect(JSON.stringify([call.state.conversation, call.actions])).not.toMatch(/9876|pressed/);
    expect(call.pass?.messages.at(-1)).toMatchObject({ text: expect.stringContaining('kept private') as string });
  });

  it('are not answered by the model: what the caller says meanwhile is kept', () => {
    const call = collect();
    call.hear();
    expect(call.caller('Forty-two.')).toEqual([]);
    expect(call.state.conversation.at(-1)).toMatchObject({ role: 'caller', text: 'Forty-two.' });
    call.send({ type: 'end-requested', reason: 'drained' });
    expect(press(call, '12')).toEqual([]);
    expect(call.hear()).toEqual([{ type: 'hang-up', reason: 'drained' }]);
  });

  it('are not asked of nobody for ever', () => {
    const graph = graphOf([start, node('c', 'collectDigits', { prompt: 'Key?', retries: 0 }), agent('a')], [edge('s', 'c', { label: 'c' }), edge('c', 'c', { when: { failure: true } }), edge('c', 'a')]);
    const call = greeted(graph);
    call.caller('c');
    call.model('', 'c');
    for (let count = 0; call.state.phase.name !== 'ended'; count += 1) {
      expect(count).toBeLessThan(10);
      call.hear();
      if (call.state.phase.name === 'listening') call.send(timer);
    }
    expect(call.state.phase).toEqual({ name: 'ended', reason: 'idle_timeout' });
  });
});

describe('a delayed start', () => {
  const graph = graphOf([node('s', 'startCall', { greeting: 'Hello.', delayed_start: true, delayed_start_duration: 1.5 }), node('e', 'endCall'), agent('a')], [
    edge('s', 'e', { label: 'e' }),
    edge('s', 'a', { when: { digits: '1' } }),
  ]);

  it('greets when the time is up', () => {
    const call = createWorkflowCall(graph);
    expect(call.send({ type: 'call-started' })).toEqual([
      { type: 'set-timer', delayMs: 1500 },
      { type: 'node-entered', nodeId: 's', name: 's' },
    ]);
    expect(call.send(timer)).toEqual([{ type: 'cancel-timer' }, { type: 'say', text: 'Hello.', allowInterrupt: true }]);
    call.hear();
    expect(call.state.phase).toEqual({ name: 'listening' });
    expect(call.send(timer)).toEqual([]);
  });

  it('greets a caller who speaks first, and answers in the same breath', () => {
    const call = begun(graph);
    expect(types(call.caller('Is this the museum?'))).toEqual(['cancel-timer', 'say', 'ask-model']);
    call.model('Yes, it is.');
    call.hear();
    expect(call.heard).toEqual(['Hello. Yes, it is.']);
  });

  it('is left by a key, and by whatever ends the call', () => {
    const call = begun(graph);
    expect(types(press(call, '1'))).toEqual(['cancel-timer', 'node-entered', 'ask-model']);
    const ended = begun(graph);
    expect(types(ended.send({ type: 'end-requested', reason: 'drained' }))).toEqual(['cancel-timer', 'say']);
    expect(ended.hear()).toEqual([{ type: 'hang-up', reason: 'drained' }]);
  });
});
