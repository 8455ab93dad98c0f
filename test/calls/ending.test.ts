import { describe, expect, it } from 'vitest';
import { expectCleanEnd, heardCharacters } from '../support/virtual/call-invariants.js';
import { afterGreeting, ANSWER, GOODBYE, whileAnswering, whileSayingGoodbye } from '../support/virtual/scenes.js';
import { CHAR_MS } from '../support/virtual/scripted-speech.js';
import { answerVirtualCall, GREETING, type VirtualCall } from '../support/virtual/virtual-call.js';

/** When the last frame of the agent had played. */
function agentHeardUntilMs(call: VirtualCall): number {
  return (call.carrier.heard.at(-1)?.playAtMs ?? 0) + 20;
}

describe('hanging up', () => {
  it('comes when the goodbye was heard: provider first, then the stream’s own end, then close 1000', async () => {
    const call = await whileSayingGoodbye();
    const outcome = await expectCleanEnd(call, 'agent_hangup');
    const [request] = call.control.requests;
    expect(call.control.requests.map(({ type }) => type)).toEqual(['hang-up']);
    // A margin for a carrier that plays later than our clock says, and no more.
    expect(request?.atMs).toBeGreaterThanOrEqual(agentHeardUntilMs(call) + 200);
    expect(request?.atMs).toBeLessThanOrEqual(agentHeardUntilMs(call) + 400);
    expect(call.eventsOf('hangup-confirmed')).toHaveLength(1);
    expect(call.transcript().at(-1)).toBe(`agent: ${GOODBYE}`);
    expect(outcome.ending.close).toEqual({ code: 1000, reason: 'Call ended' });
    expect(call.carrier.controls.at(-1)).toMatchObject({ type: 'close', code: 1000 });
    // The stream stopped 70 ms after the request, and nobody waited any longer.
    expect(call.carrier.controlsAt('close')[0]).toBe((request?.atMs ?? 0) + 70);
  });

  it('waits 2 s at most for the stream to stop', async () => {
    const call = await whileSayingGoodbye({ control: { hangUp: 'ok-without-stop' } });
    await expectCleanEnd(call, 'agent_hangup');
    const [request] = call.control.requests;
    expect(call.carrier.controlsAt('close')[0]).toBe((request?.atMs ?? 0) + 50 + 2000);
  });

  it.each([
    ['refused', 'fails', 50],
    ['not answered', 'hangs', 10_000],
  ] as const)('%s by the provider still ends the call', async (_name, hangUp, afterMs) => {
    const call = await whileSayingGoodbye({ control: { hangUp } });
    await expectCleanEnd(call, 'agent_hangup');
    expect(call.eventsOf('hangup-failed')).toHaveLength(1);
    expect(call.carrier.controlsAt('close')[0]).toBe((call.control.requests[0]?.atMs ?? 0) + afterMs);
  });

  it('waits for a goodbye that the carrier plays late', async () => {
    const call = await whileSayingGoodbye({ playoutDelayMs: 240, marks: 'played' });
    await expectCleanEnd(call, 'agent_hangup');
    expect(call.control.requests[0]?.atMs).toBeGreaterThanOrEqual(agentHeardUntilMs(call));
  });

  it('clips no goodbye where the carrier plays late and never tells', async () => {
    const call = await whileSayingGoodbye({ playoutDelayMs: 240, marks: 'never' });
    await expectCleanEnd(call, 'agent_hangup');
    expect(call.control.requests[0]?.atMs).toBeGreaterThanOrEqual(agentHeardUntilMs(call));
  });

  it('closes a socket whose peer does not answer', async () => {
    const call = await whileSayingGoodbye({ control: { hangUp: 'ok-without-stop' } });
    call.carrier.socket.isUnresponsive = true;
    await expectCleanEnd(call, 'agent_hangup');
    expect(call.carrier.controls.slice(-2).map(({ type }) => type)).toEqual(['close', 'terminate']);
  });
});

describe('the idle ladder', () => {
  it('asks, says goodbye and hangs up', async () => {
    const call = await answerVirtualCall();
    const outcome = await expectCleanEnd(call, 'idle_timeout');
    expect(call.transcript()).toEqual([
      `agent: ${GREETING}`,
      'agent: Are you still there?',
      'agent: I cannot hear you, so I will end the call now. Goodbye.',
    ]);
    const greeted = call.eventsOf('agent-said')[0]?.atMs ?? 0;
    const [first, second] = call.eventsOf('caller-idle');
    expect(first).toMatchObject({ atMs: greeted + 10_000, data: { count: 1 } });
    expect(second?.atMs).toBe((call.eventsOf('agent-said')[1]?.atMs ?? 0) + 10_000);
    expect(call.control.requests.map(({ type }) => type)).toEqual(['hang-up']);
    expect(outcome.usage.callerTurns).toBe(0);
  });

  it('begins anew when the caller answers', async () => {
    const call = await afterGreeting({ passes: [{ text: 'Good.' }] });
    await call.untilEvent('caller-idle');
    await call.untilEvent('agent-said', 2);
    call.carrier.says('I am here.');
    await call.untilEvent('agent-said', 3);
    expect((await call.untilEvent('caller-idle', 2)).data).toEqual({ count: 1 });
    await expectCleanEnd(call, 'idle_timeout');
  });

  it('is not climbed by a caller who presses keys', async () => {
    const call = await afterGreeting();
    for (let key = 0; key < 5; key += 1) {
      await call.advance(8000);
      call.carrier.presses('5');
    }
    expect(call.eventsOf('caller-idle')).toEqual([]);
    expect(call.eventsOf('dtmf-received')).toHaveLength(5);
    await expectCleanEnd(call, 'idle_timeout');
  });
});

describe('the maximum duration', () => {
  const settings = { max_call_duration: 30, max_duration_warning_seconds: 10, max_user_idle_timeout: 60 };

  it('is announced, then said goodbye at, and the goodbye is heard', async () => {
    const call = await afterGreeting({ settings });
    await call.until(() => call.clock.nowMs() >= 20_000);
    await expectCleanEnd(call, 'max_duration');
    expect(call.transcript().slice(1)).toEqual([
      'agent: We have only a few seconds left on this call.',
      'agent: I am sorry, we have reached the end of the time for this call. Goodbye.',
    ]);
    const [warning, goodbye] = call.eventsOf('reply-started').slice(1);
    expect(warning?.atMs).toBeGreaterThanOrEqual(20_000);
    expect(warning?.atMs).toBeLessThan(20_200);
    expect(goodbye?.atMs).toBeGreaterThanOrEqual(30_000);
    expect(call.control.requests[0]?.atMs).toBeGreaterThanOrEqual(agentHeardUntilMs(call));
  });

  it('is announced as soon as nobody speaks', async () => {
    const call = await afterGreeting({ settings, passes: [{ text: ANSWER }] });
    await call.until(() => call.clock.nowMs() >= 18_000);
    call.carrier.says('How much is a ticket?');
    await call.untilEvent('agent-said', 2);
    const answeredAtMs = call.clock.nowMs();
    expect(answeredAtMs).toBeGreaterThan(21_000);
    await call.untilEvent('agent-said', 3);
    expect(call.transcript().at(-1)).toBe('agent: We have only a few seconds left on this call.');
    expect(call.eventsOf('agent-said')[2]?.data['start_ms']).toBeLessThanOrEqual(answeredAtMs + 700);
    await expectCleanEnd(call, 'max_duration');
  });

  it('breaks into an answer: what was heard of it stays in the transcript', async () => {
    const call = await afterGreeting({ settings: { ...settings, max_duration_warning_seconds: 0 }, passes: [{ text: ANSWER }] });
    await call.until(() => call.clock.nowMs() >= 25_500);
    call.carrier.says('How much is a ticket?');
    await expectCleanEnd(call, 'max_duration');
    const said = call.eventsOf('agent-said')[1]?.data;
    expect(said).toMatchObject({ interrupted: true });
    expect(ANSWER.startsWith(String(said?.['text']))).toBe(true);
  });

  it('cuts a goodbye that never ends', async () => {
    const call = await afterGreeting({
      settings: { ...settings, max_duration_warning_seconds: 0, texts: { max_duration: 'Goodbye. '.repeat(50).trim() } },
    });
    await expectCleanEnd(call, 'max_duration');
    expect(call.control.requests[0]?.atMs).toBe(30_000 + 15_000);
    expect(call.eventsOf('agent-said').at(-1)?.data).toMatchObject({ interrupted: true });
  });

  it('holds while the caller never stops talking', async () => {
    const call = await afterGreeting({ settings });
    call.carrier.says('and '.repeat(250).trim());
    await expectCleanEnd(call, 'max_duration');
    expect(call.control.requests[0]?.atMs).toBeLessThan(45_100);
    expect(call.transcript()).toContainEqual(expect.stringContaining('caller: and and and'));
  });
});

describe('a limit from outside', () => {
  it('ends a call whose quota runs out, with a goodbye', async () => {
    const call = await afterGreeting({ remainingMs: 6000 });
    await expectCleanEnd(call, 'quota_exceeded');
    expect(call.eventsOf('end-requested')).toMatchObject([{ atMs: 6000, data: { reason: 'quota_exceeded' } }]);
    expect(call.transcript().at(-1)).toBe('agent: I am sorry, I have to end the call here. Goodbye.');
  });

  it('of a quota of months is no limit', async () => {
    const call = await afterGreeting({ remainingMs: 2 ** 33 });
    await call.advance(5000);
    expect(call.eventsOf('end-requested')).toEqual([]);
    await expectCleanEnd(call, 'idle_timeout');
  });

  it('asks a call to end while the node drains: goodbye, then close 1001', async () => {
    const call = await whileAnswering();
    call.session.requestEnd('drained');
    call.session.requestEnd('quota_exceeded');
    const outcome = await expectCleanEnd(call, 'drained');
    expect(outcome.ending.close.code).toBe(1001);
    expect(call.transcript().at(-1)).toContain('Please call again. Goodbye.');
  });

  it('abandons a call at once', async () => {
    const call = await whileAnswering();
    const atMs = call.clock.nowMs();
    call.session.abandon('drained');
    await expectCleanEnd(call, 'drained');
    expect(call.control.requests[0]?.atMs).toBe(atMs);
    expect(call.eventsOf('agent-said')[1]?.data).toMatchObject({ interrupted: true });
  });

  it('takes the run away: the call is hung up as lost', async () => {
    const call = await whileAnswering();
    call.session.loseRun();
    const outcome = await expectCleanEnd(call, 'node_lost');
    expect(outcome.ending.close.code).toBe(1011);
  });
});

/** A call brought into each of the phases of turn-taking, and into its goodbye. */
const phases: readonly (readonly [string, () => Promise<VirtualCall>])[] = [
  ['before the first audio', () => answerVirtualCall({ tts: () => ({ firstByteMs: 2000 }) })],
  ['listening', () => afterGreeting()],
  [
    'caller speaking',
    async () => {
      const call = await afterGreeting();
      call.carrier.says('How much is');
      await call.advance(800);
      return call;
    },
  ],
  [
    'endpointing',
    async () => {
      const call = await afterGreeting();
      call.carrier.says('How much is');
      await call.until(() => call.stt.finalizes === 1);
      return call;
    },
  ],
  [
    'thinking, while the model is asked',
    async () => {
      const call = await afterGreeting({ passes: [{ text: ANSWER, firstTokenMs: 3000 }] });
      call.carrier.says('How much is a ticket?');
      await call.untilEvent('caller-said');
      await call.advance(500);
      return call;
    },
  ],
  [
    'thinking, while the voice is asked',
    async () => {
      const call = await afterGreeting({ passes: [{ text: ANSWER }], tts: () => ({ firstByteMs: 3000 }) });
      call.carrier.says('How much is a ticket?');
      await call.until(() => call.tts.openUtterances === 1);
      await call.advance(500);
      return call;
    },
  ],
  ['agent speaking', () => whileAnswering()],
  [
    'held',
    async () => {
      const call = await whileAnswering();
      call.carrier.says('No.');
      await call.advance(80);
      return call;
    },
  ],
  [
    'interrupted',
    async () => {
      const call = await whileAnswering();
      call.carrier.says('No.');
      await call.untilEvent('playout-cleared');
      return call;
    },
  ],
  ['saying goodbye', () => whileSayingGoodbye()],
  [
    'hanging up',
    async () => {
      const call = await whileSayingGoodbye({ control: { hangUp: 'ok-without-stop' } });
      await call.untilEvent('hangup-confirmed');
      return call;
    },
  ],
];

describe('a caller who leaves', () => {
  const reasonIn = (phase: string) => (phase === 'hanging up' ? 'agent_hangup' : 'caller_hangup');

  it.each(phases)('with a stop, %s', async (phase, begin) => {
    const call = await begin();
    const leftAtMs = call.clock.nowMs();
    call.carrier.stops();
    const outcome = await expectCleanEnd(call, reasonIn(phase));
    expect(outcome.durationMs - leftAtMs).toBeLessThanOrEqual(20);
    expect(outcome.ending.close.code).toBe(1000);
    // Nobody is left at the provider to hang up on.
    expect(call.control.requests.length).toBe(phase === 'hanging up' ? 1 : 0);
    expectLastWords(call);
  });

  it.each(phases)('without a stop, %s', async (phase, begin) => {
    const call = await begin();
    const leftAtMs = call.clock.nowMs();
    call.carrier.closes(1006);
    const outcome = await expectCleanEnd(call, reasonIn(phase));
    expect(outcome.durationMs - leftAtMs).toBeLessThanOrEqual(20);
    if (phase !== 'hanging up') expect(outcome.ending.close.code).toBe(1006);
    expect(call.carrier.controlsAt('close')).toEqual([]);
    expectLastWords(call);
  });

  it.each(phases)('with a stop whose socket stays open, %s', async (phase, begin) => {
    const call = await begin();
    call.carrier.stops({ isClosing: false });
    await expectCleanEnd(call, reasonIn(phase));
    expect(call.carrier.controls.at(-1)).toMatchObject({ type: 'close', code: 1000 });
  });

  it('before the call was answered', async () => {
    const call = await answerVirtualCall({ beforeAnswer: (carrier) => carrier.closes() });
    const outcome = await expectCleanEnd(call, 'caller_hangup');
    expect(outcome.durationMs).toBe(0);
    expect(call.tts.spoken).toEqual([]);
  });

  it('with a stop before the call was answered', async () => {
    const call = await answerVirtualCall({ beforeAnswer: (carrier) => carrier.stops({ isClosing: false }) });
    await expectCleanEnd(call, 'caller_hangup');
    expect(call.tts.spoken).toEqual([]);
  });

  it('while words were spoken into an answer that nothing interrupts: they are kept, and not answered', async () => {
    const call = await whileAnswering({ settings: { turn: { interruption: { enabled: false } } } });
    call.carrier.says('I have heard enough.');
    await call.advance(1800);
    call.carrier.stops();
    await expectCleanEnd(call, 'caller_hangup');
    expect(call.transcript().slice(-1)).toEqual(['caller: I have heard enough.']);
    expect(call.llm.requests).toHaveLength(1);
  });

  /** The last words of both sides are in the transcript, also those that were never settled. */
  function expectLastWords(call: VirtualCall): void {
    const last = call.stt.reported.at(-1)?.text;
    const callerSaid = call.eventsOf('caller-said').map(({ data }) => String(data['text'])).join(' ');
    if (last !== undefined) expect(callerSaid).toContain(last);
    const heardWords = heardCharacters(call).trim().split(/\s+/).filter((word) => word !== '');
    const agentWords = call.eventsOf('agent-said').flatMap(({ data }) => String(data['text']).split(' '));
    // A word that was only begun does not count.
    expect(heardWords.length - agentWords.length).toBeLessThanOrEqual(1);
  }
});

describe('a peer that vanishes', () => {
  it('is given up after 29 s without a sign of life', async () => {
    const call = await whileAnswering({ settings: { idle_ladder: { checks: ['Hello?', 'Hello?', 'Hello?', 'Hello?'] } } });
    call.carrier.setMedia('silent');
    call.carrier.socket.isUnresponsive = true;
    const lastSignMs = call.clock.nowMs();
    const outcome = await expectCleanEnd(call, 'provider_error');
    expect(outcome.durationMs - lastSignMs).toBeLessThanOrEqual(30_000);
    expect(outcome.ending.close.code).toBe(1006);
  });
});

describe('the agent’s words at the end', () => {
  it('are cut at a word where the caller leaves in the middle', async () => {
    const call = await whileAnswering({}, 1000);
    call.carrier.stops();
    await expectCleanEnd(call, 'caller_hangup');
    const text = String(call.eventsOf('agent-said')[1]?.data['text']);
    expect(ANSWER.startsWith(`${text} `)).toBe(true);
    expect(Math.abs(text.length * CHAR_MS - 1000)).toBeLessThan(8 * CHAR_MS);
  });
});
