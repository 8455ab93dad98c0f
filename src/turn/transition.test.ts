import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultTurnOptions, type TurnOptions } from './options.js';
import { transition } from './transition.js';
import { initialTurnState, type TurnEffect, type TurnEvent, type TurnState, type TurnTimer } from './turn.js';

const options: TurnOptions = defaultTurnOptions;

/** Feeds events and collects the effects of the last one, without timers unless asked. */
function play(events: readonly TurnEvent[], turnOptions = options, from: TurnState = initialTurnState) {
  let state = from;
  let effects: readonly TurnEffect[] = [];
  const all: TurnEffect[] = [];
  for (const event of events) {
    ({ state, effects } = transition(state, event, turnOptions));
    all.push(...effects);
  }
  const named = (list: readonly TurnEffect[]) => list.map((effect) => effect.type).filter((type) => type !== 'cancel-timer');
  return { state, last: named(effects), all, allNames: named(all) };
}

const onset = (atMs: number): TurnEvent => ({ type: 'speech-onset', atMs });
const start = (atMs: number): TurnEvent => ({ type: 'speech-start', atMs });
const pause = (atMs: number): TurnEvent => ({ type: 'speech-pause', atMs, speechEndMs: atMs - 200 });
const final = (text: string, atMs: number): TurnEvent => ({ type: 'transcript-final', text, atMs });
const interim = (text: string, atMs: number): TurnEvent => ({ type: 'transcript-interim', text, atMs });
const settled = (atMs: number): TurnEvent => ({ type: 'transcript-settled', atMs });
const timer = (name: TurnTimer, atMs: number): TurnEvent => ({ type: 'timer-fired', timer: name, atMs });
const requested = (atMs: number, allowInterrupt = true): TurnEvent => ({ type: 'reply-requested', replyId: 'r1', allowInterrupt, atMs });
const started = (atMs: number): TurnEvent => ({ type: 'reply-started', replyId: 'r1', atMs });
const replyEnded = (atMs: number): TurnEvent => ({ type: 'reply-ended', replyId: 'r1', atMs });
const speaking = [requested(0), started(50)];

const turnPause = (atMs: number): TurnEvent => ({ type: 'vendor-turn-pause', atMs });
const turnResumed = (atMs: number): TurnEvent => ({ type: 'vendor-turn-resumed', atMs });
const prepared = (text: string, turnId = 1) => ({ type: 'prepare-reply', turnId, text });

describe('a lull in the caller\'s speech', () => {
  const lull = (atMs: number): TurnEvent => ({ type: 'speech-lull', atMs });
  const resumed = (atMs: number): TurnEvent => ({ type: 'speech-resumed', atMs });
  const early = { ...options, canFinalizeEarly: true };
  const count = (all: readonly TurnEffect[], type: TurnEffect['type']) => all.filter((effect) => effect.type === type).length;
  const prepares = (all: readonly TurnEffect[]) => all.flatMap((effect) => (effect.type === 'prepare-reply' ? [effect.text] : []));
  const ended = [pause(1000), timer('endpointing', 1100)];

  it('asks for the words, begins the reply to them, and moves no end of a turn', () => {
    const { all } = play([start(0), lull(860), final('Are you open?', 905), settled(910), ...ended], early);
    expect(prepares(all)).toEqual(['Are you open?']);
    expect(count(all, 'finalize-transcript')).toBe(1);
    expect(all).toContainEqual({ type: 'set-timer', timer: 'endpointing', delayMs: 100 });
    expect(all).toContainEqual({ type: 'commit-turn', turnId: 1, text: 'Are you open?', startedAtMs: 0, speechEndMs: 800 });
    expect(count(all, 'drop-prepared-reply')).toBe(0);
  });

  it('whose answer comes after the pause is not asked for twice', () => {
    const { all, state } = play([start(0), lull(860), pause(1000), final('Are you open?', 1005), settled(1010)], early);
    expect(count(all, 'finalize-transcript')).toBe(1);
    expect(state.phase).toMatchObject({ name: 'endpointing', isSettled: true });
  });

  it('that brought no words is asked for again at the pause', () => {
    const { all } = play([start(0), lull(860), settled(910), pause(1000), final('Yes.', 1040), settled(1050), timer('endpointing', 1100)], early);
    expect(count(all, 'finalize-transcript')).toBe(2);
    expect(all).toContainEqual(expect.objectContaining({ type: 'commit-turn', text: 'Yes.' }));
  });

  it('that is over before its words came begins nothing, and its answer does not end the pause that follows', () => {
    const going = [start(0), lull(400), resumed(440), pause(1000), final('I would', 1010), settled(1020)];
    const { all, state } = play(going, early);
    expect(prepares(all)).toEqual([]);
    expect(state.phase).toMatchObject({ name: 'endpointing', isSettled: false });
    expect(play([final('like a table.', 1100), settled(1110)], early, state).all).toContainEqual(expect.objectContaining({ text: 'I would like a table.' }));
  });

  it('keeps what was begun until other words come, and its budget for the words that are complete', () => {
    const blip = [start(0), final('Are you open?', 800), lull(860), settled(910), resumed(920), lull(980), settled(1030), ...ended];
    expect(prepares(play(blip, early).all)).toEqual(['Are you open?']);
    const going = [start(0), lull(200), final('I would', 250), settled(260), resumed(300), lull(400), final('book', 450), settled(460), resumed(500)];
    const { all, state } = play(going, early);
    expect(prepares(all)).toEqual(['I would']);
    expect(count(all, 'drop-prepared-reply')).toBe(1);
    expect(prepares(play([lull(600), final('a table.', 650), settled(660)], early, state).all)).toEqual(['I would book a table.']);
  });

  it('begins no reply to words that go on', () => {
    expect(prepares(play([start(0), lull(400), final('My name is', 450), settled(460)], early).all)).toEqual([]);
  });

  it('is nothing to a recogniser that is not to be asked so often', () => {
    expect(count(play([start(0), lull(400)]).all, 'finalize-transcript')).toBe(0);
  });
});

describe('a reply that is begun on a pause', () => {
  const preparing = (all: readonly TurnEffect[]) => all.filter(({ type }) => type === 'prepare-reply' || type === 'drop-prepared-reply' || type === 'commit-turn');

  it("answers the words so far, again once they are settled otherwise, and is forgotten at the turn's end", () => {
    const { all, state } = play([start(0), interim('are you', 300), pause(1000), final('Are you open?', 1010), settled(1020), timer('endpointing', 1100)]);
    expect(preparing(all)).toEqual([prepared('are you'), prepared('Are you open?'), expect.objectContaining({ type: 'commit-turn', text: 'Are you open?' })]);
    expect(state.preparation).toEqual({ text: null, count: 0 });
  });

  it('is begun once for the same words', () => {
    const { all } = play([start(0), final('Are you open?', 900), pause(1000), settled(1020)]);
    expect(preparing(all)).toEqual([prepared('Are you open?')]);
  });

  it('is dropped when the caller goes on, and begun so often at most', () => {
    const going = [start(0), final('I', 100), pause(300), start(400), final('would', 500), pause(700), start(800), final('like', 900), pause(1100), start(1200)];
    const { all } = play(going);
    expect(preparing(all)).toEqual([prepared('I'), { type: 'drop-prepared-reply' }, prepared('I would'), { type: 'drop-prepared-reply' }]);
  });

  it('follows a vendor that tells turns', () => {
    const vendor = { ...options, hasVendorTurns: true };
    const { all } = play([start(0), interim('Book a table', 500), turnPause(520), turnResumed(600), turnResumed(610), interim('Book a table for two', 900), turnPause(920)], vendor);
    expect(preparing(all)).toEqual([prepared('Book a table'), { type: 'drop-prepared-reply' }, prepared('Book a table for two')]);
  });

  it('is none where it is off, without words, or while the agent has the floor', () => {
    const off = { ...options, preparation: { isEnabled: false, maxPerTurn: 2 } };
    expect(preparing(play([start(0), final('Hello', 100), pause(300), settled(400)], off).all)).toEqual([]);
    expect(preparing(play([start(0), pause(300)]).all)).toEqual([]);
    const uninterruptible = [requested(0, false), started(50), interim('Hello', 100), turnPause(120)];
    expect(preparing(play(uninterruptible, { ...options, hasVendorTurns: true }).all)).toEqual([]);
  });

  it('is dropped where the agent speaks of its own', () => {
    const { all } = play([start(0), final('Hello', 100), pause(300), requested(310)]);
    expect(preparing(all)).toEqual([prepared('Hello'), { type: 'drop-prepared-reply' }]);
  });
});

describe('a caller turn', () => {
  it('is finalized at the pause and committed when its words are settled and the delay has passed', () => {
    const paused = play([start(100), interim('are you open', 400), pause(1000)]);
    expect(paused.last).toEqual(['finalize-transcript', 'set-timer', 'prepare-reply']);
    const waiting = play([final('Are you open on Sunday?', 1020), settled(1030)], options, paused.state);
    expect(waiting.all).toContainEqual({ type: 'set-timer', timer: 'endpointing', delayMs: 800 + 300 - 1030 });
    const ended = play([timer('endpointing', 1100)], options, waiting.state);
    expect(ended.all).toContainEqual({ type: 'commit-turn', turnId: 1, text: 'Are you open on Sunday?', startedAtMs: 100, speechEndMs: 800 });
  });

  it('ends at once when the words settle after the delay', () => {
    const { last } = play([start(100), pause(1000), final('Yes.', 1150), settled(1160)]);
    expect(last).toContain('commit-turn');
  });

  it('waits longer for words that sound unfinished', () => {
    const { all } = play([start(0), pause(1000), final('My number is', 1010), settled(1020)]);
    expect(all).toContainEqual({ type: 'set-timer', timer: 'endpointing', delayMs: 800 + 1200 - 1020 });
  });

  it('goes on when the caller does, keeping the words', () => {
    const { state, all } = play([start(0), pause(1000), final('I would like', 1010), start(1100), settled(1150), pause(2000), final('a table.', 2010), settled(2200)]);
    expect(all).toContainEqual({ type: 'commit-turn', turnId: 1, text: 'I would like a table.', startedAtMs: 0, speechEndMs: 1800 });
    expect(state.phase.name).toBe('listening');
  });

  it('takes the interim words when the recogniser never settles', () => {
    const { all } = play([start(0), interim('hello there.', 500), pause(1000), timer('transcript', 2500)]);
    expect(all).toContainEqual(expect.objectContaining({ type: 'commit-turn', text: 'hello there.' }));
  });

  it('without words is noted and leads back to listening', () => {
    const { state, all } = play([start(0), pause(600), settled(700)]);
    expect(state.phase.name).toBe('listening');
    expect(all).toContainEqual({ type: 'note-event', event: 'turn-without-words' });
  });

  it('that the call cuts off is kept', () => {
    const { all, state } = play([start(0), interim('wait I', 300), { type: 'call-ended', atMs: 400 }]);
    expect(all).toContainEqual({ type: 'keep-words', turnId: 1, text: 'wait I', startedAtMs: 0, speechEndMs: 400 });
    expect(play([start(500)], options, state).all).toEqual([]);
  });
});

describe('a turn that the recogniser ends', () => {
  const vendor: TurnOptions = { ...options, hasVendorTurns: true };
  const end = (atMs: number): TurnEvent => ({ type: 'vendor-turn-end', atMs });
  const commit = (text: string) => expect.objectContaining({ type: 'commit-turn', text }) as TurnEffect;

  it('is over when the recogniser says so, in speech as in a pause', () => {
    expect(play([start(0), final('Book it', 500), end(520)], vendor).all).toContainEqual(commit('Book it'));
    expect(play([start(0), interim('book', 500), pause(1000), final('Book it', 1300), end(1301)], vendor).all).toContainEqual(commit('Book it'));
  });

  it('is not ended by the pause, whatever the words: nothing is finalized and no delay of endpointing runs', () => {
    const { all, state } = play([start(0), interim('I am done.', 500), pause(1000), final('I am done.', 1100), settled(1200)], vendor);
    expect(state.phase.name).toBe('endpointing');
    expect(all.filter((effect) => effect.type === 'set-timer' && effect.timer === 'endpointing')).toEqual([]);
    expect(all.map((effect) => effect.type)).not.toContain('finalize-transcript');
  });

  it('ends by itself 8 s after the last word where the recogniser forgets it', () => {
    const waiting = play([start(0), interim('hello', 500), pause(1000), interim('hello there', 1200)], vendor);
    expect(waiting.all.at(-1)).toEqual({ type: 'set-timer', timer: 'transcript', delayMs: 8000 });
    expect(play([timer('transcript', 9200)], vendor, waiting.state).all).toContainEqual(commit('hello there'));
  });

  it('is not waited for long after a voice without words', () => {
    const noise = play([start(0), pause(600)], vendor);
    expect(noise.all.at(-1)).toEqual({ type: 'set-timer', timer: 'transcript', delayMs: 1500 });
    expect(play([timer('transcript', 2100)], vendor, noise.state).all).toContainEqual({ type: 'note-event', event: 'turn-without-words' });
  });

  it('resumes the reply where all that was said is a sign of attention', () => {
    const { last } = play([...speaking, onset(1000), start(1100), final('Mm-hm.', 1450), end(1451)], vendor);
    expect(last).toEqual(['note-event', 'resume-playout']);
  });
});

describe('an interruption', () => {
  it('holds at the onset, clears at the confirmed voice and takes the turn with the first words', () => {
    const held = play([...speaking, onset(1000)]);
    expect(held.last).toEqual(['hold-playout']);
    const cleared = play([start(1100)], options, held.state);
    expect(cleared.last).toEqual(['clear-playout', 'set-timer']);
    const taken = play([interim('no wait', 1500)], options, cleared.state);
    expect(taken.last).toEqual(['discard-reply', 'note-event', 'set-timer']);
    expect(taken.state.phase).toMatchObject({ name: 'caller-speaking', words: { interim: 'no wait' } });
  });

  it('that was only a sound resumes the reply', () => {
    expect(play([...speaking, onset(1000), { type: 'speech-dropped', atMs: 1060 }]).last).toEqual(['resume-playout']);
  });

  it('without words resumes when the words are settled or the time-out passes', () => {
    const noise = [...speaking, onset(1000), start(1100), pause(1500)];
    const cleared = play(noise);
    expect(cleared.last).toEqual(['finalize-transcript', 'set-timer']);
    expect(play([settled(1600)], options, cleared.state).last).toEqual(['note-event', 'resume-playout']);
    expect(play([timer('false-interruption', 3000)], options, cleared.state).state.phase.name).toBe('agent-speaking');
  });

  it('in vain, twice, makes words necessary, until the caller has had a turn', () => {
    const inVain = (atMs: number) => [onset(atMs), start(atMs + 100), pause(atMs + 400), settled(atMs + 500)];
    const twice = play([...speaking, ...inVain(1000), ...inVain(2000)]);
    expect(twice.allNames.filter((name) => name === 'clear-playout')).toHaveLength(2);
    const third = play(inVain(3000), options, twice.state);
    expect(third.allNames).toEqual(['finalize-transcript']);
    const taken = play([onset(4000), start(4100), interim('stop that', 4400), pause(4900), final('Stop that.', 5000), settled(5100), timer('endpointing', 5200)], options, third.state);
    expect(taken.allNames).toContain('clear-playout');
    expect(taken.all).toContainEqual(expect.objectContaining({ type: 'commit-turn', text: 'Stop that.' }));
    expect(play([requested(6000), started(6050), onset(7000)], options, taken.state).last).toEqual(['hold-playout']);
  });

  it('of acknowledging words resumes the reply', () => {
    const { last, all } = play([...speaking, onset(1000), start(1100), pause(1400), final('Mm-hm, okay.', 1450), settled(1460)]);
    expect(last).toEqual(['note-event', 'resume-playout']);
    expect(all).toContainEqual({ type: 'note-event', event: 'acknowledgement-heard' });
  });

  it('is impossible where the reply does not allow it, and its words become the next turn', () => {
    const { all, allNames } = play([requested(0, false), started(50), onset(100), start(200), pause(900), final('I want a refund.', 950), replyEnded(4000)]);
    expect(allNames).not.toContain('clear-playout');
    expect(all).toContainEqual(expect.objectContaining({ type: 'commit-turn', text: 'I want a refund.' }));
  });

  it('waits for words where a minimum is set', () => {
    const strict = { ...options, interruption: { ...options.interruption, minWords: 2 } };
    const talked = play([...speaking, onset(100), start(200), interim('stop', 400)], strict);
    expect(talked.allNames).not.toContain('clear-playout');
    expect(play([interim('stop please', 500)], strict, talked.state).last).toEqual(['clear-playout', 'discard-reply', 'note-event', 'set-timer']);
  });

  it('before the reply is heard holds it, and a cough lets it come', () => {
    const coughed = play([requested(0), start(100), pause(400), settled(500)]);
    expect(coughed.allNames).toEqual(['hold-playout', 'set-timer', 'finalize-transcript', 'set-timer', 'note-event', 'resume-playout']);
  });

  it('before the reply is heard cancels it when the caller goes on', () => {
    const { last } = play([requested(0), start(100), final('and also the price', 700)]);
    expect(last).toEqual(['discard-reply', 'note-event', 'set-timer']);
  });

  it('ends a reply that may not resume', () => {
    const once = { ...options, interruption: { ...options.interruption, canResume: false } };
    const { last, state } = play([...speaking, onset(1000), start(1100), pause(1500), settled(1600)], once);
    expect(last).toContain('discard-reply');
    expect(state.phase.name).toBe('listening');
  });
});

describe('a voice', () => {
  it('without words is taken for noise after a while: the transcript decides', () => {
    const noisy = play([start(100), timer('wordless-voice', 4100)]);
    expect(noisy.state.phase.name).toBe('endpointing');
    const quiet = play([settled(4200)], options, noisy.state);
    expect(quiet.last).toContain('note-event');
    expect(quiet.state).toMatchObject({ phase: { name: 'listening' }, voice: { isOn: false } });
  });

  it('that goes on has its words answered when no new ones come', () => {
    const { all } = play([start(100), interim('how much is it', 900), timer('wordless-voice', 4900), final('How much is it?', 5000), settled(5010), timer('endpointing', 5200)]);
    expect(all).toContainEqual(expect.objectContaining({ type: 'commit-turn', text: 'How much is it?' }));
  });

  it('that goes on with more words is heard out', () => {
    const { state } = play([start(100), interim('how', 900), timer('wordless-voice', 4900), interim('how much', 5000)]);
    expect(state.phase).toMatchObject({ name: 'caller-speaking', words: { interim: 'how much' }, startedAtMs: 100 });
  });

  it('into which no reply may speak is heard out after the reply', () => {
    const talking = play([requested(0, false), started(50), start(100), interim('I want', 900), replyEnded(1000)]);
    expect(talking.state.phase).toMatchObject({ name: 'caller-speaking', words: { interim: 'I want' }, startedAtMs: 100 });
    expect(talking.allNames).not.toContain('commit-turn');
  });

  it('without words, cleared for, lets the reply resume although it goes on', () => {
    const { last, state } = play([...speaking, onset(1000), start(1100), timer('false-interruption', 5100)]);
    expect(last).toEqual(['note-event', 'resume-playout']);
    expect(state.voice.isOn).toBe(true);
  });

  it('that paused is not waited for when late words take the turn', () => {
    const { state } = play([...speaking, onset(1000), start(1100), pause(1500), timer('false-interruption', 2800), final('Stop please.', 3000)]);
    expect(state.phase).toMatchObject({ name: 'endpointing', words: { final: 'Stop please.' }, startedAtMs: 1100 });
  });

  it('whose reply comes to nothing while it interrupts leaves the floor to the caller, who may have paused', () => {
    const speakingOn = play([requested(0), start(100), replyEnded(300)]);
    expect(speakingOn.state.phase.name).toBe('caller-speaking');
    const paused = play([requested(0), start(100), pause(500), replyEnded(600)]);
    expect(paused.state.phase.name).toBe('listening');
  });
});

describe('an acknowledging word', () => {
  const said = [onset(1000), start(1100), pause(1400), final('Yes.', 1450), settled(1460)];
  it('at the end of the reply is its answer', () => {
    const { all } = play([...speaking, ...said, replyEnded(2000)]);
    expect(all).toContainEqual(expect.objectContaining({ type: 'commit-turn', text: 'Yes.', startedAtMs: 1100, speechEndMs: 1200 }));
  });
  it('long before it is none', () => {
    const { allNames, state } = play([...speaking, ...said, replyEnded(3100)]);
    expect(allNames).not.toContain('commit-turn');
    expect(state.phase.name).toBe('listening');
  });
});

describe('words that settle late', () => {
  const committed = play([start(0), interim('how much is', 800), pause(1000), timer('transcript', 2500)]);
  it('are no second turn', () => {
    const { allNames, state } = play([requested(2500), final('How much is', 2900), started(3000), replyEnded(5000)], options, committed.state);
    expect(allNames).not.toContain('commit-turn');
    expect(state.phase.name).toBe('listening');
  });
  it('and go on count for what is new', () => {
    const { all } = play([requested(2500), started(2600), final('How much is a ticket?', 2900)], options, committed.state);
    expect(all).toContainEqual({ type: 'discard-reply', replyId: 'r1' });
    const { all: later } = play([requested(2500), final('How much is a ticket?', 2900), replyEnded(3000)], options, committed.state);
    expect(later).toContainEqual(expect.objectContaining({ type: 'commit-turn', text: 'a ticket?' }));
  });
});

describe('a key', () => {
  it('is a sign of life', () => {
    const idle = play([requested(0), started(10), replyEnded(500), timer('idle', 10_500)]);
    const { all, state } = play([{ type: 'key-pressed', atMs: 12_000 }], options, idle.state);
    expect(all).toEqual([{ type: 'set-timer', timer: 'idle', delayMs: 10_000 }]);
    expect(state.idleCount).toBe(0);
  });
});

describe('silence', () => {
  it('is reported each time it lasts, and counted until the caller speaks', () => {
    const idle = play([requested(0), started(10), replyEnded(500), timer('idle', 10_500), timer('idle', 20_500)]);
    expect(idle.all.filter((effect) => effect.type === 'report-idle')).toEqual([
      { type: 'report-idle', count: 1 },
      { type: 'report-idle', count: 2 },
    ]);
    const spoke = play([start(21_000), pause(22_000), final('Hello?', 22_050), settled(22_500)], options, idle.state);
    expect(spoke.state.idleCount).toBe(0);
  });
});

describe('any sequence of events', () => {
  const text = fc.constantFrom('', 'yes', 'mm-hm', 'I want a table', 'the', 'stop.');
  const event: fc.Arbitrary<TurnEvent> = fc.oneof(
    fc.constantFrom('speech-onset', 'speech-start', 'speech-dropped', 'transcript-settled', 'vendor-turn-end', 'key-pressed').map((type) => ({ type, atMs: 0 })),
    fc.constant<TurnEvent>({ type: 'speech-pause', atMs: 0, speechEndMs: 0 }),
    text.map((value): TurnEvent => ({ type: 'transcript-interim', atMs: 0, text: value })),
    text.map((value): TurnEvent => ({ type: 'transcript-final', atMs: 0, text: value })),
    fc.record({ type: fc.constant('reply-requested' as const), replyId: fc.constantFrom('a', 'b'), allowInterrupt: fc.boolean(), atMs: fc.constant(0) }),
    fc.record({ type: fc.constantFrom('reply-started' as const, 'reply-ended' as const), replyId: fc.constantFrom('a', 'b'), atMs: fc.constant(0) }),
    fc.record({ type: fc.constant('timer-fired' as const), timer: fc.constantFrom('idle' as const, 'endpointing' as const, 'transcript' as const, 'false-interruption' as const, 'wordless-voice' as const), atMs: fc.constant(0) }),
  );

  it('never leaves the floor stuck: whoever falls silent, a timer or a reply is pending', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        let state = initialTurnState;
        const running = new Set<string>();
        let committed = 0;
        events.forEach((each, index) => {
          if (each.type === 'timer-fired') {
            if (!running.delete(each.timer)) return;
          }
          const before = state;
          const result = transition(state, { ...each, atMs: index * 10 }, options);
          state = result.state;
          for (const effect of result.effects) {
            if (effect.type === 'set-timer') running.add(effect.timer);
            if (effect.type === 'cancel-timer') running.delete(effect.timer);
            if (effect.type === 'commit-turn') {
              expect(effect.text.trim()).not.toBe('');
              expect(effect.turnId).toBe(before.turnId + 1);
              committed += 1;
            }
          }
          const { phase } = state;
          if (phase.name === 'endpointing') expect([...running]).toEqual(expect.arrayContaining([phase.isSettled ? 'endpointing' : 'transcript']));
          if (phase.name === 'interrupted') expect(running.has('false-interruption')).toBe(true);
          if (phase.name === 'caller-speaking') expect(running.has('wordless-voice')).toBe(true);
          if (phase.name === 'listening' && index > 0 && before.phase.name !== 'listening') expect(running.has('idle')).toBe(true);
        });
        expect(state.turnId).toBe(committed);
        for (const effect of transition(state, { type: 'call-ended', atMs: 1000 }, options).effects) if (effect.type === 'cancel-timer') running.delete(effect.timer);
        expect([...running]).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });
});
