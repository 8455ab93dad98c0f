import { describe, expect, it } from 'vitest';
import { expectCleanEnd } from '../support/virtual/call-invariants.js';
import { goodbyePasses } from '../support/virtual/scenes.js';
import { answerVirtualCall, GREETING, type VirtualCall } from '../support/virtual/virtual-call.js';
import { edge, node } from '../support/workflow-call.js';

/** Ten keys of a telephone, then what no telephone has: wrong in type, length or value. */
const KEYS = ['1', '0', '*', '#', 'A', 'B', 'C', 'd', '9', '5'];
const NO_KEYS = ['', ' ', 'E', 'x', '12', '１', '\u0000', '1\r\n'];

/** A call whose agent is handing the caller over; a key would lead to the sales desk, were anybody listening. */
async function whileTransferring(mode: 'cold' | 'warm', answerMs: number): Promise<VirtualCall> {
  const call = await answerVirtualCall({
    nodes: [
      node('start', 'startCall', { greeting: GREETING }),
      node('transfer', 'transferCall', { destination: '+12125550123', mode, message: 'I am connecting you.' }),
      node('sales', 'agentNode', { prompt: 'Sell.' }),
      node('end', 'endCall'),
    ],
    edges: [edge('start', 'transfer'), edge('start', 'sales', { condition: undefined, when: { digits: '1' } }), edge('start', 'end'), edge('sales', 'end')],
    passes: [{ tools: ['go_to_transfer'] }, { text: 'Nobody could take your call.' }, { text: 'This is sales.' }, ...goodbyePasses],
    control: { answerMs, stopAfterMs: answerMs + 20 },
  });
  await call.untilEvent('agent-said');
  await call.advance(500);
  call.carrier.says('Can I talk to somebody?');
  await call.untilEvent('transfer-started');
  return call;
}

function post(call: VirtualCall, progress: Parameters<VirtualCall['desk']['deliver']>[2]): void {
  const [transferId = '', secret = ''] = (call.callbackUrls.at(-1) ?? '').split('/').slice(-2);
  expect(call.desk.deliver(transferId, secret, progress)).toBe(true);
}

const digitsOf = (call: VirtualCall) => call.eventsOf('dtmf-received').map(({ data }) => data['digit']);

const nodesOf = (call: VirtualCall) => call.eventsOf('node-entered').map(({ data }) => data['node_id']);

/** Keys are noted, and change nothing: no edge is taken, nothing is said or asked, and nothing is cleared. */
function expectNothingDone(call: VirtualCall, requests: number, said: number): void {
  expect(call.llm.requests).toHaveLength(requests);
  expect(call.eventsOf('agent-said')).toHaveLength(said);
  expect(nodesOf(call)).toEqual(['start', 'transfer']);
  expect(call.carrier.controlsAt('clear')).toEqual([]);
}

describe('keys that are pressed while the caller is handed over', () => {
  it.each(['cold', 'warm'] as const)('are noted, those of a telephone alone; a %s transfer goes on', async (mode) => {
    const call = await whileTransferring(mode, 2500);
    for (const digit of [...KEYS, ...NO_KEYS]) {
      call.carrier.presses(digit);
      await call.advance(100);
    }
    expect(digitsOf(call)).toEqual(KEYS.map((digit) => digit.toUpperCase()));
    expect(call.eventsOf('message-malformed').length).toBeGreaterThan(0);
    expectNothingDone(call, 1, 2);
    if (mode === 'warm') {
      await call.advance(1000);
      post(call, { type: 'answered' });
    }
    await expectCleanEnd(call, 'transferred');
    expect(call.eventsOf('transfer-completed')).toHaveLength(1);
    expect(call.eventsOf('transfer-started')).toHaveLength(1);
  });

  it('fifty a second, are limited as in any call; the transfer goes on', async () => {
    const call = await whileTransferring('warm', 50);
    for (let pressed = 0; pressed < 250; pressed += 1) {
      call.carrier.presses('1');
      await call.advance(20);
    }
    // Ten a second, and twice as many at once.
    expect(digitsOf(call).length).toBeGreaterThanOrEqual(50);
    expect(digitsOf(call).length).toBeLessThanOrEqual(20 + 5 * 10 + 1);
    expect(call.eventsOf('dtmf-limited').length).toBeGreaterThan(0);
    expectNothingDone(call, 1, 2);
    post(call, { type: 'answered' });
    await expectCleanEnd(call, 'transferred');
  });

  it('are forgotten where it fails: the agent says so, and the next key counts', async () => {
    const call = await whileTransferring('warm', 50);
    await call.advance(1000);
    for (const digit of KEYS) call.carrier.presses(digit);
    post(call, { type: 'failed', reason: 'busy' });
    await call.untilEvent('agent-said', 3);
    expect(call.transcript().at(-1)).toBe('agent: Nobody could take your call.');
    expect(nodesOf(call)).not.toContain('sales');
    call.carrier.presses('1');
    await call.untilEvent('agent-said', 4);
    expect(nodesOf(call).at(-1)).toBe('sales');
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });
});
