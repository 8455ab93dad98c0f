import { describe, expect, it } from 'vitest';
import { AgentStreamError } from '../../src/base/errors.js';
import { expectCleanEnd, heardCharacters, heardFaults } from '../support/virtual/call-invariants.js';
import { afterGreeting, ANSWER, goodbyePasses, messagesOf, whileAnswering } from '../support/virtual/scenes.js';
import { answerVirtualCall, END_TOOL, GREETING, type VirtualCall } from '../support/virtual/virtual-call.js';

const FILLER = 'One moment, please.';
const APOLOGY = 'Sorry, something went wrong on my side. Could you say that again?';
const FALLBACK = 'Sorry, I did not get that. Could you say it again?';
const LAST_APOLOGY = 'I am sorry, I cannot go on right now. Please call again later. Goodbye.';

/** Longest a caller waits for anything, in whatever trouble the agent is. */
const DEAD_AIR_LIMIT_MS = 10_000;

/** From the end of the caller's voice, the agent is heard or the call is hung up in time, and never falls silent for longer until it is the caller's turn. */
async function expectNoDeadAir(call: VirtualCall): Promise<void> {
  const sinceMs = call.carrier.voiceEndMs;
  await call.until(() => call.carrier.heard.some(({ playAtMs }) => playAtMs >= sinceMs) || call.control.requests.length > 0 || call.outcome !== null);
  expect(call.clock.nowMs() - sinceMs).toBeLessThanOrEqual(DEAD_AIR_LIMIT_MS);
}

async function ask(call: VirtualCall): Promise<void> {
  call.carrier.says('How much is a ticket?');
  await call.untilEvent('caller-said', call.eventsOf('caller-said').length + 1);
}

async function leave(call: VirtualCall): Promise<void> {
  await call.advance(300);
  call.carrier.says('Goodbye.');
  await expectCleanEnd(call, 'agent_hangup');
}

describe('a recogniser', () => {
  it('that fails ends the call, with an apology', async () => {
    const call = await whileAnswering();
    call.stt.fail();
    const outcome = await expectCleanEnd(call, 'vendor_error');
    expect(call.eventsOf('vendor-failed')).toMatchObject([{ data: { leg: 'stt', code: 'vendor-unreachable' } }]);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${LAST_APOLOGY}`]);
    expect(call.control.requests.map(({ type }) => type)).toEqual(['hang-up']);
    expect(outcome.ending.close.code).toBe(1011);
  });

  it('that failed before the call was answered ends it likewise', async () => {
    const call = await answerVirtualCall({ stt: { failsAtMs: 0 } });
    await expectCleanEnd(call, 'vendor_error');
    expect(call.transcript().slice(-1)).toEqual([`agent: ${LAST_APOLOGY}`]);
  });

  it('that fails while the caller speaks loses none of the words it gave', async () => {
    const call = await afterGreeting();
    call.carrier.says('I want to change my reservation');
    await call.advance(1500);
    call.stt.fail();
    await expectCleanEnd(call, 'vendor_error');
    expect(call.transcript()).toContainEqual(expect.stringMatching(/^caller: I want to change/));
  });

  it('that fails with the voice ends the call without words', async () => {
    const call = await answerVirtualCall({ tts: () => ({ failsAfterMs: 0 }), stt: { failsAtMs: 0 } });
    await expectCleanEnd(call, 'vendor_error');
    expect(call.clock.nowMs()).toBeLessThan(DEAD_AIR_LIMIT_MS + 60_500);
    expect(call.transcript()).toEqual([]);
  });
});

describe('a model', () => {
  it.each([
    ['gives no first token', { hangs: true }, 'vendor-unreachable', `${FILLER} ${APOLOGY}`],
    ['fails at once', { error: new AgentStreamError('vendor-rate-limited') }, 'vendor-rate-limited', APOLOGY],
    ['throws something of its own', { error: new TypeError('undefined is not a function') }, 'vendor-failed', APOLOGY],
  ] as const)('that %s is apologised for, and the call goes on', async (_name, pass, code, heard) => {
    const call = await afterGreeting({ passes: [pass, { text: ANSWER }, ...goodbyePasses] });
    await ask(call);
    await expectNoDeadAir(call);
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${heard}`]);
    expect(call.eventsOf('vendor-failed')).toMatchObject([{ data: { leg: 'llm', code } }]);
    await ask(call);
    await call.untilEvent('agent-said', 3);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${ANSWER}`]);
    await leave(call);
  });

  it('that ignores its abort is left behind', async () => {
    const call = await afterGreeting({
      compose: () => ({
        llm: {
          vendor: 'deaf',
          model: 'deaf',
          stream: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) }),
        },
      }),
    });
    await ask(call);
    await expectNoDeadAir(call);
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${FILLER} ${APOLOGY}`]);
    call.carrier.stops();
    await expectCleanEnd(call, 'caller_hangup');
  });

  it('whose answer breaks off is heard as far as it went', async () => {
    const call = await afterGreeting({
      passes: [{ text: 'It is twelve euros. Children under', error: new AgentStreamError('vendor-unreachable') }, ...goodbyePasses],
    });
    await ask(call);
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual(['agent: It is twelve euros. Children under']);
    expect(call.eventsOf('vendor-failed')).toMatchObject([{ data: { leg: 'llm', code: 'vendor-unreachable' } }]);
    await leave(call);
  });

  it('that falls silent in the middle of its answer is heard as far as it went, and the caller is not left waiting', async () => {
    const call = await afterGreeting({ passes: [{ text: 'It is twelve euros. Children under', hangs: true }, ...goodbyePasses] });
    await ask(call);
    const askedAtMs = call.carrier.voiceEndMs;
    await call.untilEvent('agent-said', 2);
    expect(call.carrier.longestSilenceMs(askedAtMs, call.clock.nowMs())).toBeLessThan(DEAD_AIR_LIMIT_MS);
    expect(call.transcript().slice(-1)).toEqual(['agent: It is twelve euros. Children under']);
    await leave(call);
  });

  it('that gives nothing is covered by a fixed sentence; after three of them the agent says goodbye', async () => {
    const call = await afterGreeting({ passes: [{}, {}, {}] });
    for (let turn = 1; turn <= 2; turn += 1) {
      await ask(call);
      await call.untilEvent('agent-said', turn + 1);
      expect(call.transcript().slice(-1)).toEqual([`agent: ${FALLBACK}`]);
    }
    await ask(call);
    const outcome = await expectCleanEnd(call, 'vendor_error');
    expect(call.transcript().slice(-1)).toEqual([`agent: ${LAST_APOLOGY}`]);
    expect(outcome.ending.close.code).toBe(1011);
  });

  it('that keeps failing is given up with a goodbye', async () => {
    const failure = { error: new AgentStreamError('vendor-unauthorized') };
    const call = await afterGreeting({ passes: [failure, failure, failure] });
    for (let turn = 1; turn <= 3; turn += 1) {
      await ask(call);
      await call.untilEvent('agent-said', turn + 1);
    }
    await expectCleanEnd(call, 'vendor_error');
    expect(call.eventsOf('vendor-failed')).toHaveLength(3);
  });

  it('that calls a function nobody offered is bounded', async () => {
    const loop = { tools: ['book_flight', 'book_flight'] };
    const call = await afterGreeting({ passes: [loop, loop, loop, loop, loop] });
    await ask(call);
    await expectNoDeadAir(call);
    await call.untilEvent('agent-said', 2);
    expect(call.llm.requests.length).toBeLessThanOrEqual(3);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${FALLBACK}`]);
    call.carrier.stops();
    await expectCleanEnd(call, 'caller_hangup');
  });

  it.each(['{"reason": ', '', '[1,2]', 'null', '{"__proto__": {"polluted": true}}'])('whose arguments are %j takes the edge all the same', async (argumentsJson) => {
    const call = await afterGreeting({ passes: [{ tools: [END_TOOL], argumentsJson }, { text: 'Goodbye then.' }] });
    await ask(call);
    await expectCleanEnd(call, 'agent_hangup');
    expect(call.transcript().slice(-1)).toEqual(['agent: Goodbye then.']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('that never ends is cut', async () => {
    const call = await afterGreeting({ passes: [{ text: 'and this and that.', isEndless: true, perWordMs: 5 }, ...goodbyePasses] });
    await ask(call);
    const said = await call.untilEvent('agent-said', 2, 200_000);
    expect(call.llm.openPasses).toBe(0);
    expect(String(said.data['text']).length).toBeLessThan(1700);
    expect(call.eventsOf('playout-overflow')).toEqual([]);
    expect(heardFaults(call, 1)).toMatchObject({ missing: 0, repeated: 0 });
    await leave(call);
  });

  it('that never ends is stopped by the caller', async () => {
    const call = await afterGreeting({ passes: [{ text: 'and this and that.', isEndless: true }, { text: 'Sorry.' }, ...goodbyePasses] });
    await ask(call);
    await call.untilEvent('reply-started', 2);
    await call.advance(1000);
    call.carrier.says('Stop it please.');
    await call.untilEvent('interruption-confirmed');
    expect(call.llm.openPasses).toBe(0);
    expect(call.tts.openUtterances).toBe(0);
    await call.untilEvent('agent-said', 3);
    await leave(call);
  });
});

describe('a voice', () => {
  it('that fails once before it is heard is asked again: the caller notices nothing', async () => {
    const call = await afterGreeting({
      passes: [{ text: ANSWER }, ...goodbyePasses],
      tts: (index) => (index === 1 ? { failsAfterMs: 0 } : {}),
    });
    await ask(call);
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('vendor-failed')).toEqual([]);
    expect(call.eventsOf('agent-said')[1]?.data).toMatchObject({ text: ANSWER, interrupted: false });
    await leave(call);
  });

  it('that fails before it is heard is apologised for', async () => {
    const call = await afterGreeting({
      passes: [{ text: ANSWER }, { text: ANSWER }, ...goodbyePasses],
      tts: (index) => (index === 1 || index === 2 ? { failsAfterMs: 0 } : {}),
    });
    await ask(call);
    await expectNoDeadAir(call);
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${APOLOGY}`]);
    expect(call.eventsOf('vendor-failed')).toMatchObject([{ data: { leg: 'tts' } }]);
    await ask(call);
    await call.untilEvent('agent-said', 3);
    // What nobody heard is not in the conversation.
    expect(messagesOf(call, 1).join(' ')).not.toContain('twelve');
    await leave(call);
  });

  it.each([
    ['fails', { failsAfterMs: 0 }],
    ['refuses the key', { failsAfterMs: 0, error: new AgentStreamError('vendor-unauthorized') }],
    ['stays silent', { stallsAfterMs: 0 }],
    ['gives no audio', { isEmpty: true }],
  ])('that %s again and again is given up', async (_name, script) => {
    const call = await afterGreeting({ passes: [{ text: ANSWER }], tts: (index) => (index === 0 ? {} : script) });
    await ask(call);
    await expectNoDeadAir(call);
    await expectCleanEnd(call, 'vendor_error');
    expect(call.transcript()).toEqual([`agent: ${GREETING}`, 'caller: How much is a ticket?']);
    expect(call.eventsOf('vendor-failed').every(({ data }) => data['leg'] === 'tts')).toBe(true);
  });

  it('that fails at the greeting is given up in time', async () => {
    const call = await answerVirtualCall({ tts: () => ({ stallsAfterMs: 0 }) });
    await expectCleanEnd(call, 'vendor_error');
    expect(call.control.requests[0]?.atMs).toBeLessThanOrEqual(DEAD_AIR_LIMIT_MS);
  });

  it.each([
    ['fails', { failsAfterMs: 1500 }],
    ['falls silent', { stallsAfterMs: 1500 }],
  ])('that %s in the middle of a sentence is heard as far as it went, then apologises', async (_name, script) => {
    const call = await afterGreeting({
      passes: [{ text: ANSWER }, { text: 'Twelve euros.' }, ...goodbyePasses],
      tts: (index) => (index === 1 ? script : {}),
    });
    await ask(call);
    const askedAtMs = call.carrier.voiceEndMs;
    await call.untilEvent('agent-said', 3);
    expect(call.carrier.longestSilenceMs(askedAtMs, call.clock.nowMs())).toBeLessThan(DEAD_AIR_LIMIT_MS);
    const [cut, apology] = call.eventsOf('agent-said').slice(1);
    const text = String(cut?.data['text']);
    expect(ANSWER.startsWith(text) && text !== '' && text !== ANSWER).toBe(true);
    // Nobody interrupted: the voice did.
    expect(cut?.data).toMatchObject({ interrupted: false });
    expect(apology?.data).toMatchObject({ text: APOLOGY });
    expect(heardFaults(call, 1)).toMatchObject({ missing: 0, repeated: 0 });
    await ask(call);
    await call.untilEvent('agent-said', 4);
    expect(messagesOf(call, 1).join(' ')).not.toContain('parents');
    await leave(call);
  });

  it('that always breaks off in the middle is given up', async () => {
    const call = await afterGreeting({
      passes: [{ text: ANSWER }, { text: ANSWER }],
      tts: (index) => (index === 0 ? {} : { failsAfterMs: 1000 }),
    });
    await ask(call);
    await expectCleanEnd(call, 'vendor_error');
    expect(call.eventsOf('vendor-failed')).toHaveLength(2);
  });

  it('that fails in the goodbye does not keep the call', async () => {
    const call = await afterGreeting({ passes: goodbyePasses, tts: (index) => (index === 0 ? {} : { failsAfterMs: 300 }) });
    call.carrier.says('Goodbye.');
    await call.until(() => call.outcome !== null);
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('that fails while a caller coughs does not leave the agent mute', async () => {
    const call = await afterGreeting({
      passes: [{ text: ANSWER }, { text: 'Twelve euros.' }, ...goodbyePasses],
      tts: (index) => (index === 1 || index === 2 ? { failsAfterMs: 0, firstByteMs: 700 } : {}),
    });
    await ask(call);
    await call.advance(200);
    call.carrier.coughs(260);
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${APOLOGY}`]);
    await ask(call);
    await call.untilEvent('agent-said', 3);
    await leave(call);
  });

  it('whose reply is cut before it is heard is not asked again for it', async () => {
    const call = await afterGreeting({
      passes: [{ text: 'Never heard.' }, { text: ANSWER }, ...goodbyePasses],
      tts: (index) => ({ firstByteMs: index === 1 ? 3000 : 80 }),
    });
    await ask(call);
    await call.until(() => call.tts.openUtterances === 1);
    call.carrier.says('Wait, one more thing.');
    await call.untilEvent('agent-said', 2);
    expect(call.tts.spoken).toEqual([GREETING, 'Never heard. ', `${ANSWER} `]);
    expect(heardCharacters(call)).not.toContain('Never');
    await leave(call);
  });
});
