import { describe, expect, it } from 'vitest';
import { expectCleanEnd } from '../support/virtual/call-invariants.js';
import { amplitudeAt, lineSound, music, talker, tone } from '../support/virtual/line-sounds.js';
import { edge, node } from '../support/workflow-call.js';
import { answerVirtualCall, type VirtualCall, type VirtualCallOptions } from '../support/virtual/virtual-call.js';

const MESSAGE = 'This is the clinic. Please call us back.';
const beep = lineSound(tone(1000, amplitudeAt(-12)));

const watching = (change: Record<string, unknown> = {}) => ({ voicemail_detection: { enabled: true, ...change } });
const leaving = watching({ action: 'leave_message', message: MESSAGE });

/** A call that a voicemail system may have answered: the agent greets, as it does everybody. */
const answered = (options: VirtualCallOptions = {}) => answerVirtualCall({ settings: watching(), passes: [{ text: 'Who is calling?' }, { text: 'I see.' }, { text: 'Fine.' }], ...options });

const withVariables = (variables: Record<string, unknown>): VirtualCallOptions => ({
  adjust: (options) => ({ ...options, workflowState: { ...options.workflowState, variables: { ...options.workflowState.variables, ...variables } } }),
});

async function beeps(call: VirtualCall, ms = 400): Promise<void> {
  call.carrier.setBackground(beep);
  await call.advance(ms);
  call.carrier.setBackground(null);
}

const evidence = (call: VirtualCall) => call.eventsOf('voicemail-detected').map(({ data }) => data['by']);

describe('a voicemail system', () => {
  it('is known by its greeting, and hung up', async () => {
    const call = await answered();
    call.carrier.says('You have reached Bob. Please leave a message after the tone.');
    await expectCleanEnd(call, 'voicemail');
    expect(call.eventsOf('voicemail-detected')[0]?.data).toEqual({ by: 'greeting', phrase: 'leave a message', action: 'hang_up' });
  });

  it('is left a message after the beep, and no answer before', async () => {
    const call = await answered({ settings: leaving });
    call.carrier.says('Please leave a message after the tone.');
    await call.untilEvent('voicemail-detected');
    call.carrier.pauses(400);
    await call.advance(4000 - 2500);
    await beeps(call);
    const begun = await call.untilEvent('voicemail-message-begun');
    await expectCleanEnd(call, 'voicemail');
    expect(call.transcript().at(-1)).toBe(`agent: ${MESSAGE}`);
    expect(call.transcript().filter((line) => line.startsWith('agent: ') && !line.endsWith('—'))).toEqual([`agent: ${MESSAGE}`]);
    expect(begun.atMs).toBeGreaterThan(call.eventsOf('voicemail-detected')[0]?.atMs ?? 0);
    expect(call.llm.openPasses).toBe(0);
  });

  it('that does not beep is left the message after a silence', async () => {
    const call = await answered({ settings: leaving });
    call.carrier.says('Please leave a message.');
    const { atMs } = await call.untilEvent('voicemail-message-begun');
    expect(atMs - call.carrier.voiceEndMs).toBeLessThan(3500);
    await expectCleanEnd(call, 'voicemail');
  });

  it('hears nothing while the beep is waited for: no greeting, check or answer, whatever comes', async () => {
    const call = await answered({
      settings: { ...leaving, max_user_idle_timeout: 3 },
      nodes: [
        node('start', 'startCall', { greeting: 'Hello.', delayed_start: true, delayed_start_duration: 5 }),
        node('keys', 'collectDigits', { prompt: 'Your number?' }),
        node('end', 'endCall'),
      ],
      edges: [edge('start', 'keys', { when: { digits: '1' } }), edge('keys', 'end')],
      passes: [],
    });
    call.carrier.says('Please leave a message after the tone.');
    await call.untilEvent('voicemail-detected');
    // A greeting that goes on for as long as the wait for the caller, and for idle checks.
    call.carrier.says('We are away for the whole of this week and back on Monday at nine as we always are');
    await call.advance(1000);
    call.carrier.presses('1');
    await expect(call.session.command({ type: 'say', text: 'Hello?' })).rejects.toMatchObject({ code: 'run-not-live' });
    await call.untilEvent('voicemail-message-begun');
    expect(call.clock.nowMs()).toBeGreaterThan(6000);
    await expectCleanEnd(call, 'voicemail');
    expect(call.transcript().filter((line) => line.startsWith('agent: '))).toEqual([`agent: ${MESSAGE}`]);
    expect(call.llm.requests).toEqual([]);
    expect(call.eventsOf('caller-idle')).toEqual([]);
  });

  it('is not said goodbye to when the server drains before the beep', async () => {
    const call = await answered({ settings: leaving });
    call.carrier.says('Please leave a message after the tone.');
    await call.untilEvent('voicemail-detected');
    call.session.requestEnd('drained');
    await expectCleanEnd(call, 'drained');
    expect(call.transcript().filter((line) => line.startsWith('agent: ') && !line.endsWith('—'))).toEqual([]);
  });

  it('that never ends its greeting is hung up without a message', async () => {
    const call = await answered({ settings: watching({ action: 'leave_message', message: MESSAGE, max_wait_seconds: 10 }) });
    const words = 'Please leave a message if you would like to hear about our offers of this week ';
    call.carrier.says(words.repeat(8));
    await expectCleanEnd(call, 'voicemail');
    expect(call.eventsOf('voicemail-message-begun')).toEqual([]);
  });

  it('is known by speech that goes on and on', async () => {
    const call = await answered();
    call.carrier.says('Hello this is the home of the Okafor family we are not at home just now because we are all out and about today and so nobody is there to answer you');
    await expectCleanEnd(call, 'voicemail');
    expect(evidence(call)).toEqual(['long-speech']);
  });

  it('is known by a beep after words', async () => {
    const call = await answered({ settings: leaving });
    call.carrier.says('This is Bob.');
    await call.advance(1100);
    await beeps(call);
    await expectCleanEnd(call, 'voicemail');
    expect(evidence(call)).toEqual(['beep']);
    expect(call.transcript().at(-1)).toBe(`agent: ${MESSAGE}`);
  });

  it.each([
    ['machine_start', 'hang_up', []],
    ['fax', 'hang_up', []],
    ['machine_end_beep', 'leave_message', [`agent: ${MESSAGE}`]],
  ] as const)('is known by the carrier’s word: %s', async (value, action, lines) => {
    const call = await answered({ settings: watching({ action, message: MESSAGE }), ...withVariables({ AnsweredBy: value }) });
    await expectCleanEnd(call, 'voicemail');
    expect(evidence(call)).toEqual(['carrier']);
    expect(call.transcript()).toEqual(lines);
  });
});

describe('a person', () => {
  const stays = async (call: VirtualCall, ms = 15_000) => {
    await call.advance(ms);
    expect(evidence(call)).toEqual([]);
    expect(call.outcome).toBeNull();
  };

  it('who says hello is answered', async () => {
    const call = await answered();
    call.carrier.says('Hello?');
    await call.advance(6000);
    expect(call.transcript().at(-1)).toBe('agent: Who is calling?');
    await stays(call, 0);
  });

  it('who opens at length is answered', async () => {
    const call = await answered();
    call.carrier.says('Oh hello yes good that you call because I have been waiting to hear from you all morning');
    await stays(call, 9000);
    expect(call.transcript().at(-1)).toBe('agent: Who is calling?');
  });

  it('may speak of voicemail, beep and talk on once a turn was answered', async () => {
    const call = await answered({ settings: watching({ long_speech_seconds: 3 }) });
    call.carrier.says('Hello?');
    await call.untilEvent('agent-said', 2);
    call.carrier.says('Should I leave a message after the tone or what would you like me to do now please tell me');
    await call.untilEvent('agent-said', 3);
    await beeps(call);
    await stays(call, 500);
  });

  it('whom the carrier knows is not doubted', async () => {
    const call = await answered(withVariables({ AnsweredBy: 'human' }));
    call.carrier.says('Leave a message after the tone, ha ha.');
    await stays(call, 5000);
  });

  it('behind music, a fax’s tone or a voice without words is none', async () => {
    const chatter = await talker(55, 9000, ['Somebody speaks in the room next door, and goes on speaking for a good while.']);
    for (const sound of [music(9000), tone(1100, amplitudeAt(-12)), chatter]) {
      const call = await answered({ settings: { ...watching(), max_user_idle_timeout: 60 } });
      call.carrier.setBackground(lineSound(sound));
      await call.advance(9000);
      call.carrier.setBackground(null);
      expect(evidence(call)).toEqual([]);
    }
  });

  it('hears nothing of it where it is not asked for', async () => {
    const call = await answered({ settings: {} });
    call.carrier.says('Please leave a message after the tone.');
    await stays(call, 7000);
  });
});
