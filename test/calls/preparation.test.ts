import { describe, expect, it } from 'vitest';
import { AgentStreamError } from '../../src/base/errors.js';
import { expectCleanEnd } from '../support/virtual/call-invariants.js';
import { afterGreeting, goodbyePasses, messagesOf } from '../support/virtual/scenes.js';
import { GREETING, type VirtualCall, type VirtualCallOptions } from '../support/virtual/virtual-call.js';

/** The builtin pause window: what is recognised by then may be answered. */
const PAUSE_MS = 200;

const off = { turn: { preemptive_generation: { enabled: false } } };
const patient = { turn: { endpointing: { min_delay_ms: 900, max_delay_ms: 1500 } } };

const agentLines = (call: VirtualCall) => call.transcript().filter((line) => line.startsWith('agent: '));

async function gapOf(options: VirtualCallOptions): Promise<number> {
  const call = await afterGreeting({ passes: [{ text: 'We are open ten to four.' }], ...options });
  call.carrier.says('Are you open on Sunday?');
  return (await call.untilEvent('reply-started', 2)).atMs - call.carrier.voiceEndMs;
}

describe('a reply that is begun on a pause', () => {
  it('is heard earlier by what endpointing waits after the pause', async () => {
    const { turn } = patient;
    const waiting = await gapOf({ settings: { turn: { ...turn, ...off.turn } } });
    const begun = await gapOf({ settings: patient });
    const partsMs = 150 + 6 * 20 + 80;
    expect(Math.abs(waiting - (900 + partsMs))).toBeLessThanOrEqual(20);
    // Model and voice were done before the turn was over: the first frame goes out with its end.
    expect(Math.abs(begun - Math.max(900, PAUSE_MS + partsMs))).toBeLessThanOrEqual(20);
  });

  it('is unheard, and its words are no part of the conversation, where the caller goes on', async () => {
    const call = await afterGreeting({ settings: patient, passes: [{ text: 'A table for how many?' }, { text: 'A table for two, then.' }, ...goodbyePasses] });
    call.carrier.says('I would like a table.');
    call.carrier.pauses(700);
    call.carrier.says('For two please.');
    await call.untilEvent('agent-said', 2);
    expect(call.transcript()).toEqual([`agent: ${GREETING}`, 'caller: I would like a table. For two please.', 'agent: A table for two, then.']);
    expect(messagesOf(call, 1).join(' ')).not.toContain('how many');
    expect(call.eventsOf('prepared-reply-dropped')).toHaveLength(1);
    expect(call.llm.openPasses).toBe(0);
    await call.advance(500);
    call.carrier.says('Thank you, goodbye.');
    const outcome = await expectCleanEnd(call, 'agent_hangup');
    expect(outcome.usage).toMatchObject({ callerTurns: 2, droppedReplies: 1 });
  });

  it('is begun in a lull where the recogniser tells its words early: the same words, the same end, an earlier answer', async () => {
    const play = async (earlyFinalize: boolean) => {
      const call = await afterGreeting({ stt: { earlyFinalize, interimDelayMs: null, finalDelayMs: 50 }, passes: [{ text: 'Eight, then.' }, { text: 'Eight, then.' }] });
      call.carrier.says('We are six');
      call.carrier.pauses(140);
      call.carrier.says('and two children.');
      const started = await call.untilEvent('reply-started', 2);
      const gapMs = started.atMs - call.carrier.voiceEndMs;
      const saidAtMs = call.eventsOf('caller-said')[0]?.atMs ?? NaN;
      await call.untilEvent('agent-said', 2);
      return { gapMs, endMs: saidAtMs - call.carrier.voiceEndMs, lines: call.transcript(), finalizes: call.stt.finalizes, dropped: call.eventsOf('prepared-reply-dropped').length };
    };
    const late = await play(false);
    const early = await play(true);
    expect(early.lines).toEqual(late.lines);
    expect(Math.abs(early.endMs - late.endMs)).toBeLessThanOrEqual(20);
    expect(late.gapMs - early.gapMs).toBeGreaterThanOrEqual(100);
    expect(early.finalizes).toBe(late.finalizes + 1);
    expect([late.dropped, early.dropped]).toEqual([0, 1]);
  });

  it('takes no edge before the turn is over', async () => {
    const call = await afterGreeting({ settings: patient, passes: goodbyePasses });
    call.carrier.says('Thank you, goodbye.');
    await call.untilEvent('reply-prepared');
    // The pass and its function call are long done.
    await call.advance(500);
    expect(call.llm.openPasses).toBe(0);
    expect(call.eventsOf('node-entered')).toHaveLength(1);
    await expectCleanEnd(call, 'agent_hangup');
    expect(call.eventsOf('node-entered').map(({ data }) => data['name'])).toEqual(['start', 'end']);
  });

  it('is begun so often per turn at most', async () => {
    const call = await afterGreeting({ settings: patient });
    for (const words of ['I would', 'like a table', 'for two', 'on Sunday', 'at eight.']) {
      call.carrier.says(words);
      call.carrier.pauses(500);
    }
    await call.untilEvent('caller-said');
    expect(call.eventsOf('reply-prepared')).toHaveLength(2);
    await call.untilEvent('agent-said', 2);
    // Both were dropped, and the whole turn was answered.
    expect(call.llm.requests).toHaveLength(3);
    expect(messagesOf(call, 2)).toContain('user: I would like a table for two on Sunday at eight.');
  });

  it('leaves nothing behind where the call ends first', async () => {
    const call = await afterGreeting({ settings: patient, passes: [{ text: 'Never heard.', hangs: true }] });
    call.carrier.says('Hello?');
    await call.untilEvent('reply-prepared');
    call.carrier.stops();
    await expectCleanEnd(call, 'caller_hangup');
    expect(agentLines(call)).toEqual([`agent: ${GREETING}`]);
    expect(call.llm.openPasses).toBe(0);
  });

  it('that failed is answered for once the turn is over', async () => {
    const error = new AgentStreamError('vendor-failed');
    const call = await afterGreeting({ settings: patient, passes: [{ error }, ...goodbyePasses] });
    call.carrier.says('Are you open on Sunday?');
    await call.untilEvent('reply-prepared');
    await call.advance(400);
    expect(call.eventsOf('vendor-failed')).toEqual([]);
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('vendor-failed')).toHaveLength(1);
    expect(agentLines(call).at(-1)).toMatch(/something went wrong/i);
  });

  it('whose voice failed is apologised for once the turn is over', async () => {
    const broken = { failsAfterMs: 0, error: new AgentStreamError('vendor-unauthorized') };
    const tts = (index: number) => (index === 1 ? broken : {});
    const call = await afterGreeting({ settings: patient, passes: [{ text: 'We are.' }], tts });
    call.carrier.says('Are you open on Sunday?');
    await call.untilEvent('reply-prepared');
    await call.advance(600);
    expect(call.eventsOf('vendor-failed')).toEqual([]);
    await call.untilEvent('agent-said', 2);
    expect(agentLines(call).at(-1)).toMatch(/something went wrong/i);
  });

  it('is not begun where the agent does not want it', async () => {
    const call = await afterGreeting({ settings: off });
    call.carrier.says('Are you open on Sunday?');
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('reply-prepared')).toEqual([]);
  });
});
