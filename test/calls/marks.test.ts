import { describe, expect, it } from 'vitest';
import { serializeMark } from '../../src/simulator/cloudonix-wire.js';
import { expectCleanEnd } from '../support/virtual/call-invariants.js';
import { afterGreeting, ANSWER, GOODBYE, goodbyePasses } from '../support/virtual/scenes.js';
import { CHAR_MS } from '../support/virtual/scripted-speech.js';
import { GREETING, type VirtualCallOptions } from '../support/virtual/virtual-call.js';

/** The call is taken away so long after its last words. */
const MARGIN_MS = 300;

const carriers: readonly (readonly [string, Pick<VirtualCallOptions, 'marks' | 'playoutDelayMs'>])[] = [
  ['never echoes marks', { marks: 'never' }],
  ['echoes them when they were played', { marks: 'played' }],
  ['echoes them as they come', { marks: 'at-once' }],
  ['echoes them late', { marks: { lateMs: 300 } }],
  ['echoes them far too late', { marks: { lateMs: 1500 } }],
  ['plays late and says so', { marks: 'played', playoutDelayMs: 200 }],
];

describe('a carrier that', () => {
  it.each(carriers)('%s gets through a call with an interruption and a goodbye', async (_name, options) => {
    const call = await afterGreeting({ passes: [{ text: ANSWER }, { text: 'Ten euros.' }, ...goodbyePasses], ...options });
    call.carrier.says('How much is a ticket?');
    await call.untilEvent('reply-started', 2);
    await call.advance(1700);
    call.carrier.says('No wait, on Sunday.');
    await call.untilEvent('agent-said', 3);
    await call.advance(600);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
    const heard = String(call.eventsOf('agent-said')[1]?.data['text']);
    expect(ANSWER.startsWith(heard)).toBe(true);
    expect(heard.length * CHAR_MS).toBeGreaterThan(1000);
    expect(call.transcript()).toEqual([
      `agent: ${GREETING}`,
      'caller: How much is a ticket?',
      `agent: ${heard} —`,
      'caller: No wait, on Sunday.',
      'agent: Ten euros.',
      'caller: Goodbye.',
      `agent: ${GOODBYE}`,
    ]);
    // Heard to its end, whatever the marks said, and not waited for without need.
    const lastHeardMs = (call.carrier.heard.at(-1)?.playAtMs ?? 0) + 20;
    const hungUpMs = call.control.requests[0]?.atMs ?? NaN;
    expect(hungUpMs).toBeGreaterThanOrEqual(lastHeardMs - 60);
    expect(hungUpMs).toBeLessThanOrEqual(lastHeardMs + 520 + MARGIN_MS);
  });

  it('echoes marks nobody sent, and each of ours twice, changes nothing', async () => {
    const call = await afterGreeting({ passes: [{ text: ANSWER }, ...goodbyePasses], marks: 'played' });
    call.carrier.says('How much is a ticket?');
    await call.untilEvent('reply-started', 2);
    for (const name of ['m1', 'm1', 'm99', 'other', '']) call.carrier.socket.deliver(serializeMark('ST-1', 1, name));
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('agent-said')[1]?.data).toMatchObject({ text: ANSWER, interrupted: false });
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('echoes the marks of audio that was cleared does not make it heard', async () => {
    const call = await afterGreeting({ passes: [{ text: ANSWER }, { text: 'Ten euros.' }, ...goodbyePasses], marks: { lateMs: 200 } });
    call.carrier.says('How much is a ticket?');
    await call.untilEvent('reply-started', 2);
    await call.advance(950);
    call.carrier.says('No wait, on Sunday.');
    await call.untilEvent('agent-said', 3);
    expect(String(call.eventsOf('agent-said')[1]?.data['text']).length * CHAR_MS).toBeLessThan(1400);
    await call.advance(600);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });
});
