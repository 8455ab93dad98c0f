import { describe, expect, it } from 'vitest';
import { alawToMulaw } from '../../src/audio/g711.js';
import { expectCleanEnd, heardFaults } from '../support/virtual/call-invariants.js';
import { amplitudeAt, lineSound, mix, music, noise, softened, talker, tone } from '../support/virtual/line-sounds.js';
import { afterGreeting, ANSWER, goodbyePasses, whileAnswering } from '../support/virtual/scenes.js';
import type { VirtualCall } from '../support/virtual/virtual-call.js';
import type { LineSound } from '../support/virtual/virtual-carrier.js';

/**
 * What a line may carry besides the caller's words. Rendered here, the same in every run; heard by the real detector. The recogniser is
 * scripted: it has words for the caller's own frames, and none for these sounds.
 */
type Sound = () => LineSound | Promise<LineSound>;

const gossip = ['I told him that it would be much too late for that.', 'Have you seen where I put the keys?'];
const dispute = ['They will not come before nine this evening.', 'No, nobody has called today, as far as I know.'];

/** Steady sounds: the detector tells them from a voice. */
const steady: readonly (readonly [string, Sound])[] = [
  ['digital silence', () => () => null],
  ['a direct current', () => lineSound(() => 4000)],
  ['a direct current close to full scale', () => lineSound(() => 30_000)],
  ['a tone', () => lineSound(tone(440, amplitudeAt(-20)))],
  ['mains hum', () => lineSound(mix(tone(50, amplitudeAt(-12)), tone(150, amplitudeAt(-24))))],
  ['noise', () => lineSound(noise(amplitudeAt(-40)))],
  ['loud noise', () => lineSound(noise(amplitudeAt(-20)))],
];

/** Steady sounds over which a voice does not rise. */
const deafening: readonly (readonly [string, Sound])[] = [
  ['a loud tone', () => lineSound(tone(1000, amplitudeAt(-10)))],
  ['a tone that clips', () => lineSound(tone(440, amplitudeAt(15)))],
  ['noise that clips', () => lineSound(noise(amplitudeAt(20)))],
];

/** Voices, and what rises and falls as a voice does: a detector of energy cannot tell them from the caller. */
const voiceLike: readonly (readonly [string, Sound])[] = [
  ['music', () => lineSound(music(amplitudeAt(-10)))],
  ['soft music', () => lineSound(music(amplitudeAt(-25)))],
  ['another voice in the room', async () => lineSound(await talker(50, amplitudeAt(-6), gossip))],
  ['two voices at once', async () => lineSound(mix(await talker(80, amplitudeAt(-6), gossip), await talker(30, amplitudeAt(-8), dispute)))],
  ['a voice that clips', async () => lineSound(await talker(50, amplitudeAt(20), gossip))],
  [
    'A-law that is taken for mu-law',
    async () => {
      const sound = lineSound(await talker(50, amplitudeAt(-6), gossip));
      return (atMs) => alawToMulaw(sound(atMs) ?? new Uint8Array(0));
    },
  ],
  [
    'samples whose order is swapped in pairs',
    async () => {
      const sound = lineSound(await talker(50, amplitudeAt(-6), gossip));
      return (atMs) => Buffer.from(sound(atMs) ?? []).swap16();
    },
  ],
];

/** The sound for so long from now. */
async function play(call: VirtualCall, sound: Sound, forMs: number): Promise<number> {
  const fromMs = call.clock.nowMs();
  const background = await sound();
  call.carrier.setBackground((atMs) => (atMs < fromMs + forMs ? background(atMs) : null));
  return fromMs;
}

/** The answer was heard to its end, each word of it, but for silences while the caller was listened to. */
function expectAnswerHeard(call: VirtualCall): void {
  expect(call.eventsOf('agent-said')[1]?.data).toMatchObject({ text: ANSWER, interrupted: false });
  const { missing, repeated } = heardFaults(call, 1);
  expect(missing).toBe(0);
  // Where the agent goes on, the frame that was cut may be heard again.
  expect(repeated).toBeLessThanOrEqual(call.carrier.controlsAt('clear').length);
  expect(call.eventsOf('interruption-confirmed')).toEqual([]);
  expect(call.eventsOf('caller-said')).toHaveLength(1);
}

async function sayGoodbye(call: VirtualCall): Promise<void> {
  call.carrier.setBackground(null);
  await call.advance(1000);
  call.carrier.says('Thank you, goodbye.');
  await expectCleanEnd(call, 'agent_hangup');
}

describe('a steady sound on the line is no voice', () => {
  it.each([...steady, ...deafening])('%s: the answer is heard without a break beyond the second it takes to know it', async (_name, sound) => {
    const call = await whileAnswering();
    const fromMs = await play(call, sound, 8000);
    await call.untilEvent('agent-said', 2);
    expectAnswerHeard(call);
    expect(call.carrier.controlsAt('clear')).toEqual([]);
    expect(call.carrier.longestSilenceMs(fromMs, call.clock.nowMs())).toBeLessThan(1000);
    expect(call.eventsOf('turn-without-words')).toEqual([]);
    await sayGoodbye(call);
  });

  it.each([...steady, ...deafening])('%s: without end, it neither keeps the call alive nor ends it early', async (_name, sound) => {
    const call = await whileAnswering();
    await play(call, sound, Infinity);
    await call.untilEvent('caller-idle', 2);
    expectAnswerHeard(call);
    // Two waits of ten seconds, and what is said between them.
    const outcome = await expectCleanEnd(call, 'idle_timeout');
    expect(outcome.durationMs).toBeLessThan(45_000);
  });

  it.each(steady)('%s: the caller is understood over it, and answered as soon as on a silent line', async (_name, sound) => {
    const call = await afterGreeting({ passes: [{ text: ANSWER }, ...goodbyePasses] });
    await play(call, sound, Infinity);
    await call.advance(1500);
    call.carrier.says('How much is a ticket?');
    const { atMs } = await call.untilEvent('caller-said');
    expect(call.eventsOf('caller-said')[0]?.data).toMatchObject({ text: 'How much is a ticket?' });
    expect(atMs - call.carrier.voiceEndMs).toBeLessThan(1000);
    await call.untilEvent('agent-said', 2);
    expectAnswerHeard(call);
    await sayGoodbye(call);
  });

  it.each(deafening)('%s: as loud as the voice, the caller’s words are no less answered, perhaps as two turns', async (_name, sound) => {
    const call = await afterGreeting({ passes: Array.from({ length: 6 }, () => ({ text: ANSWER })) });
    await play(call, sound, 10_000);
    await call.advance(1500);
    call.carrier.says('How much is a ticket?');
    await call.untilEvent('agent-said', 2);
    await call.advance(6000);
    expect(call.eventsOf('caller-said').map(({ data }) => data['text']).join(' ')).toBe('How much is a ticket?');
    expect(call.eventsOf('caller-said').length).toBeLessThanOrEqual(2);
    expect(call.transcript().at(-1)).toBe(`agent: ${ANSWER}`);
    call.carrier.stops();
    await expectCleanEnd(call, 'caller_hangup');
  });
});

describe('a sound like a voice, which energy alone cannot tell from the caller', () => {
  it.each(voiceLike)('%s: holds the agent for seconds at most, who then says the whole answer', async (_name, sound) => {
    const call = await whileAnswering();
    const fromMs = await play(call, sound, 8000);
    await call.untilEvent('agent-said', 2);
    expectAnswerHeard(call);
    expect(call.carrier.controlsAt('clear').length).toBeLessThanOrEqual(4);
    expect(call.eventsOf('interruption-false').length).toBe(call.carrier.controlsAt('clear').length);
    expect(call.carrier.longestSilenceMs(fromMs, call.clock.nowMs())).toBeLessThan(5000);
    await call.until(() => call.clock.nowMs() >= fromMs + 8000);
    await sayGoodbye(call);
  });

  it.each(voiceLike)('%s: without end, the call still ends, at the latest when its time is over', async (_name, sound) => {
    const call = await whileAnswering({ settings: { max_call_duration: 120 } });
    await play(call, sound, Infinity);
    await call.until(() => call.outcome !== null, 140_000);
    expectAnswerHeard(call);
    const endReason = String(call.outcome?.ending.endReason);
    expect(['idle_timeout', 'max_duration']).toContain(endReason);
    await expectCleanEnd(call, endReason);
  });

  it.each(voiceLike)('%s: the caller is understood over it, and answered within seconds', async (_name, sound) => {
    const call = await afterGreeting({ passes: [{ text: ANSWER }, ...goodbyePasses] });
    await play(call, sound, 20_000);
    await call.advance(1500);
    call.carrier.says('How much is a ticket?');
    const { atMs } = await call.untilEvent('caller-said');
    expect(call.eventsOf('caller-said')[0]?.data).toMatchObject({ text: 'How much is a ticket?' });
    expect(atMs - call.carrier.voiceEndMs).toBeLessThan(6000);
    await call.untilEvent('agent-said', 2);
    expectAnswerHeard(call);
    await sayGoodbye(call);
  });
});

describe('the echo of the agent’s own words', () => {
  /** The agent's voice is close to full scale here, some 12 dB louder than a voice should be. */
  const echo = (call: VirtualCall, db: number): LineSound => (atMs) => {
    const frame = call.carrier.frameHeardAt(atMs - 120);
    return frame === null ? null : softened(frame, db);
  };

  it('at -40 dB is below the quietest voice: it stops nobody', async () => {
    const call = await whileAnswering();
    await play(call, () => echo(call, -40), Infinity);
    await call.untilEvent('agent-said', 2);
    expectAnswerHeard(call);
    expect(call.carrier.controlsAt('clear')).toEqual([]);
    await sayGoodbye(call);
  });

  it.each([
    [-15, 1],
    [-25, 0],
    [-35, 0],
  ])('that begins at %i dB in the middle of a call makes the agent falter %i times', async (db, times) => {
    const call = await whileAnswering();
    await play(call, () => echo(call, db), Infinity);
    await call.untilEvent('agent-said', 2);
    expectAnswerHeard(call);
    expect(call.carrier.controlsAt('clear').length).toBeLessThanOrEqual(times);
    expect(call.eventsOf('interruption-false').length).toBeLessThanOrEqual(times);
    await sayGoodbye(call);
  });

  it('does not keep the caller from interrupting', async () => {
    const call = await whileAnswering();
    await play(call, () => echo(call, -25), Infinity);
    await call.advance(1000);
    const fromMs = call.clock.nowMs();
    call.carrier.says('Stop it please');
    const { atMs } = await call.untilEvent('interruption-confirmed');
    expect(call.carrier.controlsAt('clear')[0]).toBeLessThan(fromMs + 220);
    expect(atMs - fromMs).toBeLessThan(1500);
  });
});

describe('ten minutes of silence', () => {
  it('are no turn: the caller is asked in between, and answered at once after them', async () => {
    const settings = { max_call_duration: 1000, max_user_idle_timeout: 300 };
    const call = await afterGreeting({ passes: [{ text: ANSWER }, ...goodbyePasses], settings });
    const fromMs = call.clock.nowMs();
    await call.until(() => call.clock.nowMs() >= fromMs + 600_000 - 5000, 600_000);
    expect(call.eventsOf('caller-idle')).toHaveLength(1);
    expect(call.events.filter(({ type }) => /interruption|turn-without-words|caller-said|media-/.test(type))).toEqual([]);
    expect(call.llm.requests).toEqual([]);
    call.carrier.says('How much is a ticket?');
    const { atMs } = await call.untilEvent('caller-said');
    expect(atMs - call.carrier.voiceEndMs).toBeLessThan(1000);
    await call.untilEvent('agent-said', 3);
    expect(call.transcript().slice(-2)).toEqual(['caller: How much is a ticket?', `agent: ${ANSWER}`]);
    await sayGoodbye(call);
  });
});
