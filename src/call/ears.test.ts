import { describe, expect, it } from 'vitest';
import { voicedFrame } from '../../test/support/virtual/tagged-audio.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { energyVoiceActivity } from '../speech/energy-voice-activity.js';
import type { TurnEvent } from '../turn/turn.js';
import { createEars } from './ears.js';

const SILENCE = new Uint8Array(160).fill(0xff);

function setUp(hasVendorTurns = false, isEcho: () => boolean = () => false) {
  const clock = createVirtualClock();
  const events: TurnEvent[] = [];
  let pushed = 0;
  const ears = createEars({
    clock,
    nowMs: () => clock.nowMs(),
    voiceActivity: energyVoiceActivity,
    confirmMs: 160,
    echoGuard: { isEcho },
    recogniser: { push: () => (pushed += 1), finalize: () => undefined, close: () => undefined },
    pauseWindowMs: 200,
    hasVendorTurns,
    onTurnEvent: (event) => events.push(event),
  });
  /** Frames of `frameOf` for so long, in real time. */
  const feed = async (ms: number, frameOf: (index: number) => Uint8Array) => {
    for (let at = 0; at < ms; at += 20) {
      await clock.advance(20);
      ears.hear(frameOf(at / 20), clock.nowMs());
    }
  };
  return { clock, ears, events, feed, pushed: () => pushed };
}

describe('the ears', () => {
  it('tell when a voice begins, is confirmed and pauses, and since when it was silent', async () => {
    const { events, feed, pushed, clock } = setUp();
    await feed(200, () => SILENCE);
    await feed(600, (index) => voicedFrame(index));
    await feed(400, () => SILENCE);
    expect(events.map(({ type }) => type)).toEqual(['speech-onset', 'speech-start', 'speech-pause']);
    const [onset, start, pause] = events;
    expect(onset?.atMs).toBe(220);
    expect(start?.atMs).toBe(220 + 140);
    expect(pause).toMatchObject({ atMs: 1020, speechEndMs: 1020 - 200 + 20 });
    expect(pushed()).toBe(60);
    await clock.advance(5000);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('take no echo for a voice, and still show it to the recogniser', async () => {
    const { events, feed, pushed } = setUp(false, () => true);
    await feed(200, () => SILENCE);
    await feed(600, (index) => voicedFrame(index));
    expect(events).toEqual([]);
    expect(pushed()).toBe(40);
  });

  it('take a voice whose frames stop coming for silent', async () => {
    const { clock, events, feed, pushed } = setUp();
    await feed(200, () => SILENCE);
    await feed(600, (index) => voicedFrame(index));
    await clock.advance(1000);
    expect(events.map(({ type }) => type)).toEqual(['speech-onset', 'speech-start', 'speech-pause']);
    expect(events[2]?.atMs).toBeLessThanOrEqual(800 + 800);
    expect(pushed()).toBe(40);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('drop an onset whose frames stop coming', async () => {
    const { clock, events, feed } = setUp();
    await feed(200, () => SILENCE);
    await feed(60, (index) => voicedFrame(index));
    await clock.advance(1000);
    expect(events.map(({ type }) => type)).toEqual(['speech-onset', 'speech-dropped']);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('keep listening while frames come slowly', async () => {
    const { clock, ears, events, feed } = setUp();
    await feed(200, () => SILENCE);
    await feed(400, (index) => voicedFrame(index));
    for (let burst = 0; burst < 5; burst += 1) {
      await clock.advance(300);
      for (let index = 0; index < 15; index += 1) ears.hear(voicedFrame(index + 15 * burst), clock.nowMs());
    }
    expect(events.map(({ type }) => type)).toEqual(['speech-onset', 'speech-start']);
  });

  it('stop with the call', async () => {
    const { clock, ears, feed } = setUp();
    await feed(200, () => SILENCE);
    await feed(200, (index) => voicedFrame(index));
    expect(clock.pendingTimers()).toBe(1);
    ears.close();
    expect(clock.pendingTimers()).toBe(0);
  });

  it('pass on what the recogniser says, and its turns only where they are trusted', () => {
    const doubtful = setUp();
    const trusted = setUp(true);
    for (const { ears } of [doubtful, trusted]) {
      ears.onTranscript({ type: 'stt-ready' }, 1);
      ears.onTranscript({ type: 'speech-start' }, 2);
      ears.onTranscript({ type: 'transcript-interim', text: 'he' }, 3);
      ears.onTranscript({ type: 'transcript-final', text: 'hello' }, 4);
      ears.onTranscript({ type: 'finalized' }, 5);
      ears.onTranscript({ type: 'turn-end' }, 6);
    }
    const heard: TurnEvent[] = [
      { type: 'transcript-interim', atMs: 3, text: 'he' },
      { type: 'transcript-final', atMs: 4, text: 'hello' },
      { type: 'transcript-settled', atMs: 5 },
    ];
    expect(doubtful.events).toEqual(heard);
    expect(trusted.events).toEqual([...heard, { type: 'vendor-turn-end', atMs: 6 }]);
  });
});
