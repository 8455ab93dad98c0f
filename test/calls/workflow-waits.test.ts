import { describe, expect, it } from 'vitest';
import { expectCleanEnd } from '../support/virtual/call-invariants.js';
import { goodbyePasses, messagesOf } from '../support/virtual/scenes.js';
import { answerVirtualCall, GREETING, type VirtualCall, type VirtualCallOptions } from '../support/virtual/virtual-call.js';
import { edge, node } from '../support/workflow-call.js';

const PROMPT = 'Please enter your number, and then press the hash key.';
const end = node('end', 'endCall');

/** A document that asks for keys after its greeting, at once. */
function keysDocument(collect: Record<string, unknown> = {}): VirtualCallOptions {
  return {
    nodes: [
      node('start', 'startCall'),
      node('keys', 'collectDigits', { prompt: PROMPT, min_digits: 2, max_digits: 6, timeout_ms: 3000, retries: 1, variable: 'pin', ...collect }),
      node('after', 'agentNode'),
      node('sorry', 'say', { text: 'That did not work.' }),
      end,
    ],
    edges: [
      edge('start', 'keys', { when: { expression: 'not exists pin' } }),
      edge('keys', 'after'),
      edge('keys', 'sorry', { when: { failure: true } }),
      edge('sorry', 'after'),
      edge('after', 'end'),
    ],
    passes: [{ text: 'Thank you.' }, ...goodbyePasses],
  };
}

const nodesOf = (call: VirtualCall) => call.eventsOf('node-entered').map(({ data }) => data['node_id']);

async function endCall(call: VirtualCall) {
  call.carrier.says('Goodbye.');
  return expectCleanEnd(call, 'agent_hangup');
}

describe('collected keys', () => {
  it('stop the prompt at once, and are a variable of the run', async () => {
    const call = await answerVirtualCall(keysDocument());
    await call.untilEvent('reply-started');
    await call.advance(1000);
    const pressedAtMs = call.clock.nowMs();
    call.carrier.presses('4');
    await call.advance(20);
    expect(call.carrier.controlsAt('clear')).toEqual([pressedAtMs]);
    await call.advance(2000);
    for (const digit of ['2', '#']) call.carrier.presses(digit);
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('agent-said')[0]?.data).toMatchObject({ interrupted: true });
    expect(messagesOf(call, 0).join(' ')).toContain('[The caller entered 42 on the keypad.]');
    expect((await endCall(call)).variables).toEqual({ pin: '42' });
  });

  it('end by silence; the idle ladder stands back', async () => {
    const call = await answerVirtualCall({ ...keysDocument({ timeout_ms: 25_000 }), settings: { max_user_idle_timeout: 3 }, passes: goodbyePasses });
    await call.untilEvent('agent-said');
    const heardAtMs = call.clock.nowMs();
    await call.untilEvent('wait-ended', 1, 40_000);
    expect(call.clock.nowMs() - heardAtMs).toBeGreaterThanOrEqual(24_900);
    expect(call.clock.nowMs() - heardAtMs).toBeLessThan(25_200);
    await call.untilEvent('agent-said', 2);
    for (const digit of ['1', '#']) call.carrier.presses(digit);
    await call.untilEvent('agent-said', 3);
    expect(call.eventsOf('caller-idle')).toEqual([]);
    expect(nodesOf(call)).toEqual(['start', 'keys', 'sorry', 'after']);
    expect(call.transcript()).toEqual([`agent: ${PROMPT}`, `agent: ${PROMPT}`, 'agent: That did not work.']);
    await endCall(call);
  });

  it('that are sensitive are in no event, no request to the model and no outcome', async () => {
    const call = await answerVirtualCall(keysDocument({ sensitive: true, max_digits: 4 }));
    await call.untilEvent('agent-said');
    for (const digit of '9731') call.carrier.presses(digit);
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('dtmf-received').map(({ data }) => data)).toEqual(Array.from({ length: 4 }, () => ({ is_private: true })));
    const outcome = await endCall(call);
    expect(outcome.variables).toEqual({});
    const shown = JSON.stringify([call.events.map(({ data }) => data['digit'] ?? data['text'] ?? null), call.llm.requests.map(({ messages }) => messages), outcome.variables]);
    expect(shown).not.toMatch(/9731|pressed [0-9]/);
  });
});

describe('a silence', () => {
  it('takes its edge after its own time', async () => {
    const call = await answerVirtualCall({
      nodes: [node('start', 'startCall', { greeting: GREETING }), node('help', 'agentNode'), end],
      edges: [edge('start', 'help', { when: { timeout_seconds: 4 } }), edge('start', 'end'), edge('help', 'end')],
      passes: [{ text: 'Do you need more time?' }, ...goodbyePasses],
      settings: { max_user_idle_timeout: 20 },
    });
    const greeted = await call.untilEvent('agent-said');
    const idle = await call.untilEvent('caller-idle');
    expect(idle.atMs - greeted.atMs).toBeGreaterThanOrEqual(3900);
    expect(idle.atMs - greeted.atMs).toBeLessThan(4200);
    const helped = await call.untilEvent('agent-said', 2);
    const next = await call.untilEvent('caller-idle', 2, 40_000);
    expect(next.atMs - helped.atMs).toBeGreaterThanOrEqual(19_900);
    await call.untilEvent('agent-said', 3);
    await endCall(call);
  });
});

describe('a delayed start', () => {
  const document: VirtualCallOptions = {
    nodes: [node('start', 'startCall', { greeting: GREETING, delayed_start: true, delayed_start_duration: 3 }), end],
    edges: [edge('start', 'end')],
  };

  it('greets when the time is up', async () => {
    const call = await answerVirtualCall({ ...document, passes: goodbyePasses });
    const started = await call.untilEvent('reply-started');
    expect(started.atMs).toBeGreaterThanOrEqual(3000);
    expect(started.atMs).toBeLessThan(3600);
    await call.untilEvent('agent-said');
    await endCall(call);
  });

  it('answers a caller who speaks first', async () => {
    const call = await answerVirtualCall({ ...document, passes: [{ text: 'Yes, we are open.' }, ...goodbyePasses] });
    call.carrier.says('Are you open?');
    await call.untilEvent('agent-said');
    expect(call.transcript()).toEqual(['caller: Are you open?', `agent: ${GREETING} Yes, we are open.`]);
    expect(call.eventsOf('wait-ended')).toEqual([]);
    await endCall(call);
  });
});

describe('a key during a warm transfer', () => {
  it('brings the caller back, and the destination is no longer dialled', async () => {
    const call = await answerVirtualCall({
      nodes: [
        node('start', 'startCall', { greeting: GREETING }),
        node('transfer', 'transferCall', { destination: '+12125550123', mode: 'warm', message: 'I am connecting you.' }),
        node('back', 'agentNode'),
        end,
      ],
      edges: [edge('start', 'transfer'), edge('transfer', 'back', { when: { digits: '*' } }), edge('back', 'end')],
      passes: [{ tools: ['go_to_transfer'] }, { text: 'Welcome back.' }, ...goodbyePasses],
    });
    await call.untilEvent('agent-said');
    call.carrier.says('Can I talk to somebody?');
    await call.untilEvent('transfer-started');
    await call.advance(2000);
    call.carrier.presses('*');
    await call.untilEvent('agent-said', 3);
    expect(call.transcript().at(-1)).toBe('agent: Welcome back.');
    expect(call.eventsOf('transfer-cancelled')).toHaveLength(1);
    expect(call.eventsOf('transfer-failed')).toEqual([]);
    expect(call.control.requests.map(({ type }) => type)).toEqual(['dial', 'cancel-destination']);
    await endCall(call);
  });
});
