import { describe, expect, it } from 'vitest';
import { expectCleanEnd, heardFaults } from '../support/virtual/call-invariants.js';
import { afterGreeting, ANSWER, goodbyePasses, messagesOf, whileAnswering, whileSayingGoodbye } from '../support/virtual/scenes.js';
import { answerVirtualCall, GREETING, type VirtualCall, type VirtualCallOptions } from '../support/virtual/virtual-call.js';
import { edge, node } from '../support/workflow-call.js';

const DESTINATION = '+12125550123';
const ANNOUNCEMENT = 'I am connecting you.';

/** A document whose model can hand the caller over. */
function transferDocument(mode: 'cold' | 'warm', transfer: Record<string, unknown> = {}): VirtualCallOptions {
  return {
    nodes: [
      node('start', 'startCall', { greeting: GREETING }),
      node('transfer', 'transferCall', { destination: DESTINATION, mode, message: ANNOUNCEMENT, ...transfer }),
      node('end', 'endCall'),
    ],
    edges: [edge('start', 'transfer'), edge('start', 'end')],
    passes: [{ tools: ['go_to_transfer'] }, { text: 'Nobody could take your call.' }, ...goodbyePasses],
  };
}

/** A call whose caller has asked for somebody and was told to wait. */
async function whileTransferring(mode: 'cold' | 'warm', options: VirtualCallOptions = {}, transfer: Record<string, unknown> = {}): Promise<VirtualCall> {
  const call = await afterGreeting({ ...transferDocument(mode, transfer), ...options });
  call.carrier.says('Can I talk to somebody?');
  await call.untilEvent('transfer-started');
  return call;
}

/** The provider posts about the destination's leg, with the secret it was given. */
function post(call: VirtualCall, progress: Parameters<VirtualCall['desk']['deliver']>[2]): boolean {
  const url = call.callbackUrls.at(-1) ?? '';
  const [transferId = '', secret = ''] = url.split('/').slice(-2);
  return call.desk.deliver(transferId, secret, progress);
}

describe('a key', () => {
  it('is an event, and the model is told', async () => {
    const call = await afterGreeting({ passes: [{ text: 'Thank you.' }, ...goodbyePasses] });
    for (const digit of ['4', '2', '#']) call.carrier.presses(digit);
    call.carrier.says('That was my number.');
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('dtmf-received').map(({ data }) => data['digit'])).toEqual(['4', '2', '#']);
    expect(messagesOf(call, 0).join(' ')).toContain('[The caller pressed 4.]');
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  const digitDocument: VirtualCallOptions = {
    nodes: [node('start', 'startCall', { greeting: ANSWER }), node('sales', 'agentNode', { prompt: 'Sell.' }), node('end', 'endCall')],
    edges: [edge('start', 'sales', { condition: undefined, when: { digits: '1' } }), edge('sales', 'end')],
    passes: [{ text: 'This is sales.' }, ...goodbyePasses],
  };

  it('takes its edge at once, in the middle of the agent’s words', async () => {
    const call = await afterGreetingBegun(digitDocument);
    call.carrier.presses('1');
    const pressedAtMs = call.clock.nowMs();
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('node-entered').map(({ data }) => data['node_id'])).toEqual(['start', 'sales']);
    expect(call.carrier.controlsAt('clear')).toEqual([pressedAtMs]);
    const [greeting, sales] = call.eventsOf('agent-said');
    expect(greeting?.data).toMatchObject({ interrupted: true });
    expect(sales?.data).toMatchObject({ text: 'This is sales.', interrupted: false });
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('takes its edge while the model is being asked: the former pass is forgotten', async () => {
    const call = await afterGreeting({ ...digitDocument, passes: [{ text: 'Never heard.', firstTokenMs: 2000 }, { text: 'This is sales.' }, ...goodbyePasses] });
    call.carrier.says('Hello there.');
    await call.untilEvent('caller-said');
    await call.advance(400);
    call.carrier.presses('1');
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual(['agent: This is sales.']);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('does nothing while the goodbye is said', async () => {
    const call = await whileSayingGoodbye();
    call.carrier.presses('1');
    await expectCleanEnd(call, 'agent_hangup');
    expect(call.eventsOf('dtmf-received')).toHaveLength(1);
  });

  async function afterGreetingBegun(options: VirtualCallOptions): Promise<VirtualCall> {
    const call = await answerVirtualCall(options);
    await call.untilEvent('reply-started');
    await call.advance(1000);
    return call;
  }
});

describe('an operator', () => {
  it('hangs up: what was heard stays, and the caller is gone', async () => {
    const call = await whileAnswering();
    await call.session.command({ type: 'hangup' });
    const outcome = await expectCleanEnd(call, 'operator_hangup');
    expect(call.eventsOf('control-received')).toMatchObject([{ data: { command: 'hangup' } }]);
    expect(call.eventsOf('agent-said')[1]?.data).toMatchObject({ interrupted: true });
    expect(outcome.ending.close.code).toBe(1000);
    await expect(call.session.command({ type: 'say', text: 'Hello?' })).rejects.toMatchObject({ code: 'run-not-live' });
  });

  it('says something: it takes the place of what the agent says', async () => {
    const call = await whileAnswering();
    await call.session.command({ type: 'say', text: 'The museum closes in ten minutes.' });
    await call.untilEvent('agent-said', 3);
    expect(call.transcript().slice(-2)).toEqual([
      expect.stringMatching(/^agent: A ticket .* —$/) as string,
      'agent: The museum closes in ten minutes.',
    ]);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('says something while nobody speaks, and may be interrupted', async () => {
    const call = await afterGreeting({ passes: [{ text: 'I do.' }, ...goodbyePasses] });
    await call.session.command({ type: 'say', text: 'The museum closes in ten minutes, please come to the exit.' });
    await call.untilEvent('reply-started', 2);
    await call.advance(800);
    call.carrier.says('Do you hear me?');
    await call.untilEvent('agent-said', 3);
    expect(call.eventsOf('agent-said')[1]?.data).toMatchObject({ interrupted: true });
    expect(call.eventsOf('caller-said')).toHaveLength(1);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('may not talk over the goodbye', async () => {
    const call = await whileSayingGoodbye();
    await expect(call.session.command({ type: 'say', text: 'Wait!' })).rejects.toMatchObject({ code: 'run-not-live' });
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('transfers the caller', async () => {
    const call = await whileAnswering();
    const transferring = call.session.command({ type: 'transfer', destination: 'sip:desk@example.com' });
    await expectCleanEnd(call, 'transferred');
    await transferring;
    expect(call.control.requests).toMatchObject([{ type: 'transfer-cold', destination: 'sip:desk@example.com' }]);
    expect(call.eventsOf('transfer-completed')).toHaveLength(1);
  });

  it.each([
    ['to nowhere', 'not a number', {}, 'transfer-invalid-destination'],
    ['that the provider refuses', DESTINATION, { transferCold: 'fails' }, 'provider-rejected'],
  ] as const)('transfers the caller %s: the call goes on', async (_name, destination, control, code) => {
    const call = await whileAnswering({ control });
    const transferring = call.session.command({ type: 'transfer', destination });
    const refused = expect(transferring).rejects.toMatchObject({ code });
    await call.untilEvent('transfer-failed');
    await refused;
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('agent-said')[1]?.data).toMatchObject({ text: ANSWER, interrupted: false });
    expect(heardFaults(call, 1)).toMatchObject({ missing: 0, repeated: 0 });
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('may not transfer a caller who is being transferred', async () => {
    const call = await whileTransferring('warm');
    await expect(call.session.command({ type: 'transfer', destination: DESTINATION })).rejects.toMatchObject({ code: 'conflict' });
    post(call, { type: 'answered' });
    await expectCleanEnd(call, 'transferred');
    expect(call.eventsOf('transfer-started')).toHaveLength(1);
  });
});

describe('a cold transfer', () => {
  it('begins when the announcement was heard, and ends the call as transferred', async () => {
    const call = await whileTransferring('cold');
    const announced = call.carrier.heard.at(-1)?.playAtMs ?? Infinity;
    expect(call.control.requests[0]?.atMs).toBeGreaterThanOrEqual(announced + 20);
    const outcome = await expectCleanEnd(call, 'transferred');
    expect(call.control.requests).toMatchObject([{ type: 'transfer-cold', destination: DESTINATION }]);
    expect(call.eventsOf('transfer-completed')).toHaveLength(1);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${ANNOUNCEMENT}`]);
    expect(outcome.ending.close.code).toBe(1000);
  });

  it.each([
    ['before the provider’s answer', { answerMs: 300, stopAfterMs: 20 }],
    ['after it', { answerMs: 20, stopAfterMs: 300 }],
  ])('takes the stream’s end %s for the transfer', async (_name, control) => {
    const call = await whileTransferring('cold', { control });
    await expectCleanEnd(call, 'transferred');
    expect(call.eventsOf('transfer-completed')).toHaveLength(1);
    expect(call.eventsOf('transfer-failed')).toEqual([]);
    expect(call.control.requests.map(({ type }) => type)).toEqual(['transfer-cold']);
  });

  it('waits 2 s at most for a stream that does not stop', async () => {
    const call = await whileTransferring('cold', { control: { transferCold: 'ok-without-stop' } });
    await expectCleanEnd(call, 'transferred');
    expect(call.carrier.controlsAt('close')[0]).toBe((call.control.requests[0]?.atMs ?? 0) + 50 + 2000);
  });

  it('that the provider refuses leaves the caller with the agent, who says so', async () => {
    const call = await whileTransferring('cold', { control: { transferCold: 'fails' } });
    await call.untilEvent('agent-said', 3);
    expect(call.transcript().slice(-2)).toEqual([`agent: ${ANNOUNCEMENT}`, 'agent: Nobody could take your call.']);
    expect(messagesOf(call, 1).join(' ')).toContain('The transfer failed');
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('that the provider does not answer, and whose caller leaves meanwhile, ends as the caller’s hang-up', async () => {
    const call = await whileTransferring('cold', { control: { transferCold: 'hangs' } });
    await call.advance(2000);
    call.carrier.stops();
    await expectCleanEnd(call, 'caller_hangup');
    expect(call.eventsOf('transfer-completed')).toEqual([]);
  });

  it('is not hung up by what happens while the provider works on it', async () => {
    const call = await whileTransferring('cold', { control: { answerMs: 1000, stopAfterMs: 900 } });
    await call.advance(200);
    call.stt.fail();
    call.session.requestEnd('quota_exceeded');
    call.session.abandon('drained');
    await expectCleanEnd(call, 'transferred');
    expect(call.control.requests.map(({ type }) => type)).toEqual(['transfer-cold']);
  });

  it('that fails after the call was given up ends as what gave it up', async () => {
    const call = await whileTransferring('cold', { control: { transferCold: 'fails', answerMs: 1000 } });
    await call.advance(200);
    call.session.abandon('drained');
    await expectCleanEnd(call, 'drained');
    expect(call.control.requests.map(({ type }) => type)).toEqual(['transfer-cold', 'hang-up']);
  });
});

describe('a warm transfer', () => {
  it('moves the caller once the destination answers', async () => {
    const call = await whileTransferring('warm');
    await call.advance(4000);
    expect(post(call, null)).toBe(true);
    expect(post(call, { type: 'answered' })).toBe(true);
    await expectCleanEnd(call, 'transferred');
    expect(call.control.requests.map(({ type }) => type)).toEqual(['dial', 'move-caller']);
    post(call, { type: 'answered' });
    await call.advance(2000);
    expect(call.control.requests.map(({ type }) => type)).toEqual(['dial', 'move-caller']);
  });

  it('survives an end of the stream that comes before the provider’s answer: the destination is not hung up', async () => {
    const call = await whileTransferring('warm', { control: { answerMs: 300, stopAfterMs: 20 } });
    await call.advance(1000);
    post(call, { type: 'answered' });
    await expectCleanEnd(call, 'transferred');
    expect(call.control.requests.map(({ type }) => type)).toEqual(['dial', 'move-caller']);
  });

  it('does not lose an answer that is faster than the dial’s', async () => {
    const call = await whileTransferring('warm');
    expect(call.control.openRequests).toBe(1);
    post(call, { type: 'answered' });
    await expectCleanEnd(call, 'transferred');
  });

  it('takes no word from who does not know the secret', async () => {
    const call = await whileTransferring('warm');
    const [transferId = '', secret = ''] = (call.callbackUrls.at(-1) ?? '').split('/').slice(-2);
    expect(call.desk.deliver(transferId, `${secret.slice(1)}x`, { type: 'answered' })).toBe(false);
    expect(call.desk.deliver(transferId, '', { type: 'answered' })).toBe(false);
    expect(call.desk.deliver('other', secret, { type: 'answered' })).toBe(false);
    await call.advance(2000);
    expect(call.control.requests.map(({ type }) => type)).toEqual(['dial']);
    post(call, { type: 'failed', reason: 'busy' });
    await call.untilEvent('agent-said', 3);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('to a busy destination leaves the caller with the agent, who says so', async () => {
    const call = await whileTransferring('warm');
    await call.advance(3000);
    post(call, { type: 'failed', reason: 'busy' });
    await call.untilEvent('agent-said', 3);
    expect(call.eventsOf('transfer-failed')[0]?.data['message']).toBe('The destination did not answer: busy');
    expect(messagesOf(call, 1).join(' ')).toContain('The destination did not answer: busy');
    expect(call.transcript().slice(-1)).toEqual(['agent: Nobody could take your call.']);
    expect(call.control.requests.map(({ type }) => type)).toEqual(['dial', 'cancel-destination']);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('that rings for too long is given up; the caller hears of it meanwhile', async () => {
    const call = await whileTransferring('warm', {}, { timeout_seconds: 25 });
    const startedAtMs = call.clock.nowMs();
    const failed = await call.untilEvent('transfer-failed');
    expect(failed.atMs).toBe((call.eventsOf('transfer-started')[0]?.atMs ?? 0) + 25_000);
    expect(call.carrier.longestSilenceMs(startedAtMs, failed.atMs)).toBeLessThanOrEqual(10_200);
    expect(call.transcript().filter((line) => line === 'agent: One moment, please. I am connecting you.')).toHaveLength(2);
    expect(call.eventsOf('agent-said').map(({ data }) => data['text'])).not.toContain('Are you still there?');
    expect(call.control.requests.map(({ type }) => type)).toEqual(['dial', 'cancel-destination']);
    await call.untilEvent('agent-said', 5);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('whose caller leaves while it rings cancels the destination', async () => {
    const call = await whileTransferring('warm');
    await call.advance(3000);
    call.carrier.stops();
    await expectCleanEnd(call, 'caller_hangup');
    post(call, { type: 'answered' });
    await call.advance(2000);
    expect(call.control.requests.map(({ type }) => type)).toEqual(['dial', 'cancel-destination']);
  });

  it('whose caller leaves before the dial is answered cancels the destination all the same', async () => {
    const call = await whileTransferring('warm', { control: { answerMs: 1000 } });
    await call.advance(200);
    call.carrier.stops();
    await expectCleanEnd(call, 'caller_hangup');
    expect(call.control.requests.map(({ type }) => type)).toEqual(['dial', 'cancel-destination']);
  });

  it.each([
    ['dialled', { dial: 'fails' }, ['dial']],
    ['bridged', { moveCaller: 'fails' }, ['dial', 'move-caller', 'cancel-destination']],
  ] as const)('whose destination cannot be %s leaves the caller with the agent', async (_name, control, requests) => {
    const call = await whileTransferring('warm', { control });
    await call.advance(1000);
    if (requests.length > 1) post(call, { type: 'answered' });
    await call.untilEvent('agent-said', 3);
    expect(call.transcript().slice(-1)).toEqual(['agent: Nobody could take your call.']);
    expect(call.control.requests.map(({ type }) => type)).toEqual(requests);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('is not begun twice by a call that is being hung up: the destination that answers then is cancelled', async () => {
    const call = await whileTransferring('warm', { control: { hangUp: 'ok-without-stop' } });
    await call.advance(1000);
    call.session.abandon('drained');
    post(call, { type: 'answered' });
    await expectCleanEnd(call, 'drained');
    expect(call.control.requests.map(({ type }) => type)).toEqual(['dial', 'hang-up', 'cancel-destination']);
  });

  it('outlives the recogniser, which nobody needs any more', async () => {
    const call = await whileTransferring('warm');
    call.stt.fail();
    await call.advance(5000);
    expect(call.outcome).toBeNull();
    post(call, { type: 'answered' });
    await expectCleanEnd(call, 'transferred');
  });

  it('that fails leaves nobody with an agent who cannot hear', async () => {
    const call = await whileTransferring('warm');
    call.stt.fail();
    await call.advance(2000);
    post(call, { type: 'failed', reason: 'busy' });
    await expectCleanEnd(call, 'vendor_error');
    expect(call.transcript().at(-1)).toContain('I cannot go on right now');
  });
});

describe('the end of the call’s time', () => {
  it('comes before a transfer that is only being announced', async () => {
    const call = await afterGreeting({
      ...transferDocument('cold', { message: 'I am connecting you to a colleague of mine who knows all about that, one moment please.' }),
      remainingMs: 6000,
    });
    call.carrier.says('Can I talk to somebody?');
    await expectCleanEnd(call, 'quota_exceeded');
    expect(call.control.requests.map(({ type }) => type)).toEqual(['hang-up']);
    expect(call.transcript().at(-1)).toContain('Goodbye.');
  });

  it('comes before a transfer that was announced a moment ago', async () => {
    const call = await afterGreeting(transferDocument('cold'));
    call.carrier.says('Can I talk to somebody?');
    await call.untilEvent('agent-said', 2);
    call.session.requestEnd('quota_exceeded');
    await expectCleanEnd(call, 'quota_exceeded');
    expect(call.eventsOf('transfer-started')).toEqual([]);
    expect(call.control.requests.map(({ type }) => type)).toEqual(['hang-up']);
  });
});
