import { describe, expect, it } from 'vitest';
import { expectCleanEnd, heardCharacters, heardFaults } from '../support/virtual/call-invariants.js';
import { afterGreeting, ANSWER, GOODBYE, goodbyePasses, messagesOf, whileAnswering } from '../support/virtual/scenes.js';
import { CHAR_MS } from '../support/virtual/scripted-speech.js';
import { answerVirtualCall, GREETING, type VirtualCall } from '../support/virtual/virtual-call.js';
import { WORD_MS } from '../support/virtual/virtual-carrier.js';

async function sayGoodbye(call: VirtualCall): Promise<void> {
  await call.advance(600);
  call.carrier.says('Thank you, goodbye.');
  await expectCleanEnd(call, 'agent_hangup');
}

describe('an ordinary call', () => {
  it('greets at once, answers a question and says goodbye', async () => {
    const call = await afterGreeting({ passes: [{ text: 'We are open ten to four on Sundays.' }, ...goodbyePasses] });
    expect(call.carrier.mediaSentAtMs[0]).toBeLessThanOrEqual(100);
    call.carrier.says('Are you open on Sunday?');
    const answeredAtMs = (await call.untilEvent('reply-started', 2)).atMs;
    const gapMs = answeredAtMs - call.carrier.voiceEndMs;
    await call.untilEvent('agent-said', 2);
    await call.advance(500);
    call.carrier.says('Thank you, goodbye.');
    const outcome = await expectCleanEnd(call, 'agent_hangup');
    expect(call.transcript()).toEqual([
      `agent: ${GREETING}`,
      'caller: Are you open on Sunday?',
      'agent: We are open ten to four on Sundays.',
      'caller: Thank you, goodbye.',
      `agent: ${GOODBYE}`,
    ]);
    expect(outcome.nodesVisited).toEqual(['start', 'end']);
    expect(outcome.usage).toMatchObject({ callerTurns: 2, agentReplies: 3, interruptions: 0, modelInputTokens: 300 });
    // What the caller waits for: endpointing, first token, first clause (20 ms a word), first byte of the voice; the reply was begun on the pause.
    const parts = { headStartMs: 120, modelFirstTokenMs: 150, firstClauseMs: 160, voiceFirstByteMs: 80, firstFrameMs: 0 };
    expect(outcome.turns[0]).toMatchObject({ turnId: 1, endpointingMs: 300, ...parts });
    expect(Math.abs(gapMs - (300 - 120 + 150 + 160 + 80))).toBeLessThanOrEqual(20);
    expect(Math.abs((outcome.turns[0]?.heardGapMs ?? NaN) - gapMs)).toBeLessThanOrEqual(20);
  });

  it('greets from the cache as it does the first time', async () => {
    const first = await answerVirtualCall();
    await first.untilEvent('agent-said');
    const cached = new Map([[GREETING, Buffer.alloc(24_000, 0x90)]]);
    const phrases = { get: (_voice: string, text: string) => cached.get(text), set: () => undefined };
    const second = await answerVirtualCall({ phrases });
    expect((await second.untilEvent('reply-started')).atMs).toBe(0);
    expect((await second.untilEvent('agent-said')).data).toMatchObject({ text: GREETING, interrupted: false });
    expect(second.tts.spoken).toEqual([]);
    expect(second.events.filter(({ type }) => type !== 'agent-said').map(({ type }) => type)).toEqual(
      first.events.filter(({ type }) => type !== 'agent-said').map(({ type }) => type),
    );
  });

  it('takes a pause within a sentence for one turn', async () => {
    const call = await afterGreeting({ passes: [{ text: 'What?' }, { text: 'For when?' }, ...goodbyePasses] });
    call.carrier.says('I would like');
    call.carrier.pauses(700);
    call.carrier.says('a table for two.');
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('caller-said').map(({ data }) => data['text'])).toEqual(['I would like a table for two.']);
    // The reply to the half sentence was begun, and nobody heard of it.
    expect(call.llm.requests).toHaveLength(2);
    expect(messagesOf(call, 1)).toContain('user: I would like a table for two.');
    expect(call.eventsOf('agent-said').map(({ data }) => data['text'])).toEqual([GREETING, 'For when?']);
    await sayGoodbye(call);
  });
});

describe('a recogniser that ends the turns', () => {
  it('decides alone: not the silence, nor what the words sound like', async () => {
    const call = await afterGreeting({ stt: { turnEndMs: 2500 }, passes: [{ text: 'For when?' }, ...goodbyePasses] });
    call.carrier.says('I would like a table.');
    call.carrier.pauses(2000);
    call.carrier.says('For two.');
    const answeredAtMs = (await call.untilEvent('reply-started', 2)).atMs;
    expect(call.eventsOf('caller-said').map(({ data }) => data['text'])).toEqual(['I would like a table. For two.']);
    expect(call.stt.finalizes).toBe(0);
    // After the vendor's decision, the model and the voice.
    expect(answeredAtMs - call.carrier.voiceEndMs).toBeGreaterThanOrEqual(2500);
    expect(answeredAtMs - call.carrier.voiceEndMs).toBeLessThanOrEqual(2500 + 150 + 160 + 80 + 20);
    await call.untilEvent('agent-said', 2);
    await sayGoodbye(call);
  });

  it('and forgets one is not waited for forever', async () => {
    const call = await afterGreeting({ stt: { turnEndMs: 60_000 }, passes: [{ text: 'Yes.' }, ...goodbyePasses] });
    call.carrier.says('Are you open?');
    const answeredAtMs = (await call.untilEvent('reply-started', 2)).atMs;
    expect(call.eventsOf('caller-said').map(({ data }) => data['text'])).toEqual(['Are you open?']);
    expect(answeredAtMs - call.carrier.voiceEndMs).toBeGreaterThanOrEqual(8000);
    expect(answeredAtMs - call.carrier.voiceEndMs).toBeLessThanOrEqual(9000);
  });
});

describe('an interruption', () => {
  it('holds at the onset, clears when the voice is confirmed, and the agent knows what was heard', async () => {
    const call = await whileAnswering({ passes: [{ text: ANSWER }, { text: 'All right.' }, ...goodbyePasses] });
    const spokeAtMs = call.clock.nowMs();
    call.carrier.says('No wait, for Sunday.');
    await call.untilEvent('interruption-confirmed');
    const [clearAtMs] = call.carrier.controlsAt('clear');
    // The confirm window is 160 ms, whole frames of it; the first one may take a frame's time to come.
    expect(clearAtMs).toBeGreaterThanOrEqual(spokeAtMs + 160 - 20);
    expect(clearAtMs).toBeLessThanOrEqual(spokeAtMs + 160 + 40);
    const sentWhileHeld = call.carrier.mediaSentAtMs.filter((atMs) => atMs > spokeAtMs + 40 && atMs < call.clock.nowMs());
    expect(sentWhileHeld).toEqual([]);

    await call.untilEvent('agent-said', 3);
    const said = call.eventsOf('agent-said')[1]?.data;
    expect(said).toMatchObject({ interrupted: true });
    const heard = String(said?.['text']);
    expect(ANSWER.startsWith(heard)).toBe(true);
    // About 1.5 s and the confirm window were heard: to the word.
    expect(heard.length * CHAR_MS).toBeGreaterThan(1000);
    expect(heard.length * CHAR_MS).toBeLessThan(2000);
    expect(messagesOf(call, 1)).toContain(`assistant: ${heard} —`);
    expect(messagesOf(call, 1).join(' ')).not.toContain('children');
    expect(call.transcript()).toEqual([
      `agent: ${GREETING}`,
      'caller: How much is a ticket?',
      `agent: ${heard} —`,
      'caller: No wait, for Sunday.',
      'agent: All right.',
    ]);
    expect(heardCharacters(call)).not.toContain('children');
    await sayGoodbye(call);
  });

  it('that was only a sound resumes where the caller stopped hearing, to the frame', async () => {
    const call = await whileAnswering();
    call.carrier.coughs(320);
    await call.untilEvent('interruption-false');
    expect(call.carrier.controlsAt('clear')).toHaveLength(1);
    await call.untilEvent('agent-said', 2);
    const { frames, missing, repeated } = heardFaults(call, 1);
    expect(missing).toBe(0);
    expect(repeated).toBeLessThanOrEqual(1);
    expect(frames).toBeGreaterThanOrEqual((ANSWER.length * CHAR_MS) / 20);
    expect(call.eventsOf('agent-said')[1]?.data).toMatchObject({ text: ANSWER, interrupted: false });
    expect(call.llm.requests).toHaveLength(1);
    await sayGoodbye(call);
  });

  it('too short to be confirmed only holds the playout', async () => {
    const call = await whileAnswering();
    call.carrier.coughs(80);
    await call.untilEvent('agent-said', 2);
    expect(call.carrier.controlsAt('clear')).toEqual([]);
    expect(heardFaults(call, 1)).toMatchObject({ missing: 0, repeated: 0 });
    await sayGoodbye(call);
  });

  it('of an acknowledging word lets the agent go on', async () => {
    const call = await whileAnswering();
    call.carrier.says('mm-hm');
    await call.untilEvent('acknowledgement-heard');
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('agent-said')[1]?.data).toMatchObject({ text: ANSWER, interrupted: false });
    const { missing, repeated } = heardFaults(call, 1);
    expect(missing).toBe(0);
    expect(repeated).toBeLessThanOrEqual(1);
    expect(call.eventsOf('caller-said')).toHaveLength(1);
    await sayGoodbye(call);
  });

  it('of an acknowledging word at the very end is the answer to a question', async () => {
    const question = 'Shall I book the table for two at eight?';
    const call = await afterGreeting({ passes: [{ text: question }, { text: 'It is booked.' }, ...goodbyePasses] });
    call.carrier.says('I need a table.');
    const started = await call.untilEvent('reply-started', 2);
    await call.until(() => call.clock.nowMs() >= started.atMs + question.length * CHAR_MS - 400);
    call.carrier.says('Yes.');
    await call.untilEvent('caller-said', 2);
    expect(call.eventsOf('agent-said')[1]?.data).toMatchObject({ text: question });
    expect(call.eventsOf('caller-said')[1]?.data).toMatchObject({ text: 'Yes.' });
    await call.untilEvent('agent-said', 3);
    await sayGoodbye(call);
  });

  it('counts for nothing where it is switched off: the words are the next turn', async () => {
    const call = await whileAnswering({
      passes: [{ text: ANSWER }, { text: 'All right.' }, ...goodbyePasses],
      settings: { turn: { interruption: { enabled: false } } },
    });
    call.carrier.says('And what about parking?');
    await call.untilEvent('agent-said', 2);
    expect(call.carrier.controlsAt('clear')).toEqual([]);
    expect(call.eventsOf('agent-said')[1]?.data).toMatchObject({ text: ANSWER, interrupted: false });
    await call.untilEvent('caller-said', 2);
    expect(call.eventsOf('caller-said')[1]?.data).toMatchObject({ text: 'And what about parking?' });
    expect(heardFaults(call, 1)).toMatchObject({ missing: 0, repeated: 0 });
    await call.untilEvent('agent-said', 3);
    // The model knows who spoke first.
    expect(messagesOf(call, 1).slice(-2)).toEqual([`assistant: ${ANSWER}`, 'user: And what about parking?']);
    await sayGoodbye(call);
  });

  it('switched off, a caller who is still speaking when the agent ends is heard out', async () => {
    const call = await afterGreeting({ passes: [{ text: 'It is twelve euros.' }, ...goodbyePasses], settings: { turn: { interruption: { enabled: false } } } });
    call.carrier.says('How much is a ticket?');
    await call.untilEvent('reply-started', 2);
    call.carrier.says('I also want to know where I can park my car on Sunday.');
    await call.untilEvent('caller-said', 2);
    expect(call.eventsOf('caller-said')[1]?.data).toMatchObject({ text: 'I also want to know where I can park my car on Sunday.' });
    await expectCleanEnd(call, 'agent_hangup');
    expect(call.eventsOf('caller-said')).toHaveLength(2);
  });

  it('needs as many words as are asked for', async () => {
    const call = await whileAnswering({
      passes: [{ text: ANSWER }, { text: 'All right.' }, ...goodbyePasses],
      settings: { turn: { interruption: { min_words: 3 } } },
    });
    call.carrier.says('Hey there');
    await call.advance(2000);
    expect(call.carrier.controlsAt('clear')).toEqual([]);
    call.carrier.says('stop talking please');
    await call.untilEvent('interruption-confirmed');
    await call.untilEvent('caller-said', 2);
    expect(call.eventsOf('caller-said')[1]?.data).toMatchObject({ text: 'Hey there stop talking please' });
    await call.untilEvent('agent-said', 3);
    await sayGoodbye(call);
  });

  it('of the goodbye does not stop it', async () => {
    const call = await afterGreeting({ settings: { max_call_duration: 20, max_duration_warning_seconds: 0 } });
    await call.untilEvent('end-requested');
    await call.untilEvent('reply-started', 3);
    call.carrier.says('But I have another question.');
    await expectCleanEnd(call, 'max_duration');
    expect(call.eventsOf('agent-said').at(-1)?.data).toMatchObject({ interrupted: false });
    expect(call.transcript().at(-1)).toBe('caller: But I have another question.');
  });
});

describe('before the reply is heard', () => {
  it('a cough lets it come', async () => {
    const call = await afterGreeting({ passes: [{ text: 'It is twelve euros.', firstTokenMs: 1200 }, ...goodbyePasses] });
    call.carrier.says('How much is a ticket?');
    await call.untilEvent('caller-said');
    await call.advance(200);
    call.carrier.coughs(320);
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('interruption-false')).toHaveLength(1);
    expect(call.llm.requests).toHaveLength(1);
    expect(heardFaults(call, 1)).toMatchObject({ missing: 0, repeated: 0 });
    await sayGoodbye(call);
  });

  it('a caller who goes on is answered as a whole', async () => {
    const call = await afterGreeting({ passes: [{ text: 'Which day?', firstTokenMs: 1500 }, { text: 'For how many?' }, ...goodbyePasses] });
    call.carrier.says('I want a table.');
    await call.untilEvent('caller-said');
    await call.advance(300);
    call.carrier.says('For tomorrow evening.');
    await call.untilEvent('agent-said', 2);
    expect(call.transcript()).toEqual([
      `agent: ${GREETING}`,
      'caller: I want a table.',
      'caller: For tomorrow evening.',
      'agent: For how many?',
    ]);
    expect(messagesOf(call, 1)).toContain('user: I want a table.\nFor tomorrow evening.');
    expect(heardCharacters(call)).not.toContain('Which');
    // The voice was never asked for the reply that nobody needs any more.
    expect(call.tts.spoken).toEqual([GREETING, 'For how many? ']);
    await sayGoodbye(call);
  });

  it('a caller who goes on while the voice is being asked leaves no utterance behind', async () => {
    const call = await afterGreeting({
      passes: [{ text: 'Which day?' }, { text: 'For how many?' }, ...goodbyePasses],
      tts: (index) => ({ firstByteMs: index === 1 ? 2000 : 80 }),
    });
    call.carrier.says('I want a table.');
    await call.until(() => call.tts.spoken.length === 2);
    await call.advance(200);
    call.carrier.says('For tomorrow evening.');
    await call.untilEvent('agent-said', 2);
    expect(call.tts.spoken).toEqual([GREETING, 'Which day? ', 'For how many? ']);
    await sayGoodbye(call);
  });
});

describe('what the recogniser does', () => {
  it('late: words that come settled after the turn are no second turn', async () => {
    const call = await afterGreeting({ passes: [{ text: ANSWER }, ...goodbyePasses], stt: { finalDelayMs: 2600 } });
    call.carrier.says('How much is a ticket?');
    await call.untilEvent('agent-said', 2);
    await call.advance(2000);
    expect(call.eventsOf('caller-said').map(({ data }) => data['text'])).toEqual(['How much is a ticket?']);
    expect(call.carrier.controlsAt('clear')).toEqual([]);
    await sayGoodbye(call);
  });

  it('without interim texts: the turn is what the final text says', async () => {
    const call = await afterGreeting({ passes: [{ text: ANSWER }, ...goodbyePasses], stt: { interimDelayMs: null } });
    call.carrier.says('How much is a ticket?');
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('caller-said').map(({ data }) => data['text'])).toEqual(['How much is a ticket?']);
    await sayGoodbye(call);
  });

  it('nothing: a caller who is not understood is asked whether they are there', async () => {
    const call = await afterGreeting({ stt: { isMute: true, interimDelayMs: null } });
    call.carrier.says('How much is a ticket?');
    await call.untilEvent('turn-without-words');
    await expectCleanEnd(call, 'idle_timeout');
    expect(call.transcript()[1]).toBe('agent: Are you still there?');
  });

  it('words for a voice that was too quiet to be detected: they are a turn', async () => {
    const call = await afterGreeting({ passes: [{ text: 'Four.' }, ...goodbyePasses] });
    call.stt.emit({ type: 'transcript-interim', text: 'until when' });
    await call.advance(100);
    call.stt.emit({ type: 'transcript-final', text: 'Until when?' });
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('caller-said').map(({ data }) => data['text'])).toEqual(['Until when?']);
    await sayGoodbye(call);
  });
});

describe('a difficult line', () => {
  it('loses half a second of a sentence: what was heard is a turn', async () => {
    const call = await afterGreeting({ passes: [{ text: ANSWER }, ...goodbyePasses] });
    call.carrier.says('How much is a ticket?');
    await call.advance(2 * WORD_MS + 200);
    call.carrier.setMedia('lost');
    await call.advance(500);
    call.carrier.setMedia('flowing');
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('media-gap')).toHaveLength(1);
    expect(call.eventsOf('caller-said').map(({ data }) => data['text'])).toEqual(['How much ticket?']);
    await sayGoodbye(call);
  });

  it('falls silent in the middle of a word: the turn ends without waiting for media', async () => {
    const call = await afterGreeting({ passes: [{ text: ANSWER }, ...goodbyePasses] });
    call.carrier.says('How much is a ticket?');
    await call.advance(3 * WORD_MS + 100);
    call.carrier.setMedia('silent');
    const fellSilentAtMs = call.clock.nowMs();
    const answered = await call.untilEvent('reply-started', 2);
    expect(answered.atMs - fellSilentAtMs).toBeLessThan(3000);
    await call.untilEvent('media-stalled', 1, 20_000);
    call.carrier.fallsSilent();
    call.carrier.setMedia('flowing');
    await call.untilEvent('media-resumed');
    await sayGoodbye(call);
  });

  it('falls silent at the first sign of a voice: the agent goes on', async () => {
    const call = await whileAnswering();
    call.carrier.coughs(60);
    await call.advance(60);
    call.carrier.setMedia('silent');
    await call.untilEvent('agent-said', 2);
    expect(heardFaults(call, 1)).toMatchObject({ missing: 0 });
    call.carrier.setMedia('flowing');
    await sayGoodbye(call);
  });

  it('that never falls silent neither mutes the agent nor keeps the call alive', async () => {
    const call = await whileAnswering();
    call.carrier.coughs(60_000);
    const noisyFromMs = call.clock.nowMs();
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('agent-said')[1]?.data).toMatchObject({ text: ANSWER, interrupted: false });
    expect(call.carrier.longestSilenceMs(noisyFromMs, call.clock.nowMs())).toBeLessThan(5000);
    await expectCleanEnd(call, 'idle_timeout');
  });

  it('that never falls silent still has its words answered', async () => {
    const call = await afterGreeting({ passes: [{ text: ANSWER }, ...goodbyePasses] });
    call.carrier.says('How much is a ticket?');
    call.carrier.coughs(20_000);
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('caller-said').map(({ data }) => data['text'])).toEqual(['How much is a ticket?']);
    call.carrier.fallsSilent();
    await sayGoodbye(call);
  });
});
