import { beforeAll, describe, expect, it } from 'vitest';
import { sentenceFrames } from '../../../test/contracts/voice-activity.js';
import { FRAME_BYTES, MULAW_SILENCE } from '../../audio/frame.js';
import type { VoiceActivityEvent } from '../voice-activity.js';
import { createSileroDetector, LATE_ANSWER_MS } from './silero-detector.js';
import { allocateRing, RING_WINDOWS, WindowRing } from './window-ring.js';

const SILENCE = new Uint8Array(FRAME_BYTES).fill(MULAW_SILENCE);

let sentence: readonly Uint8Array[] = [];
beforeAll(async () => {
  sentence = await sentenceFrames('No, wait.');
});

/** A detector whose model is played by the test, in virtual time. */
function setUp() {
  const ring = new WindowRing(allocateRing(1));
  const events: VoiceActivityEvent['type'][] = [];
  let nowMs = 0;
  let isAlive = true;
  let late = 0;
  const open = () =>
    createSileroDetector(
      { ring, slot: 0, nowMs: () => nowMs, isAlive: () => isAlive, onLate: () => (late += 1), onClose: () => undefined },
      { confirmMs: null, pauseMs: 200, onEvent: ({ type }) => events.push(type) },
    );
  const detector = open();
  const feed = (frames: readonly Uint8Array[], score: number | null) => {
    for (const frame of frames) {
      nowMs += 20;
      detector.push(frame);
      if (score !== null) while (ring.answered(0) < ring.asked(0)) ring.answer(0, score);
      detector.takeAnswers();
    }
  };
  return { ring, events, detector, feed, open, die: () => (isAlive = false), late: () => late, asked: () => ring.asked(0) };
}

describe('a detector by Silero', () => {
  it('asks about nothing while the line is silent, and about every 32 ms of what is loud', () => {
    const { feed, asked } = setUp();
    feed(Array.from({ length: 500 }, () => SILENCE), 0);
    expect(asked()).toBe(0);
    feed(sentence, 0.9);
    expect(asked()).toBeGreaterThan(15);
    expect(asked()).toBeLessThan((sentence.length * 20) / 32);
  });

  it('believes the model: what is loud and no voice to it is none', () => {
    const { feed, events, late } = setUp();
    feed(sentence, 0.1);
    expect(events).toEqual([]);
    expect(late()).toBe(0);
  });

  it('asks for a fresh state with every sound, and shows the model what went before it', () => {
    const { ring, feed } = setUp();
    const firsts: number[] = [];
    feed(sentence, null);
    for (let window = 0; window < RING_WINDOWS; window += 1) if (ring.isFirst(0, window)) firsts.push(window);
    expect(firsts).toEqual([0]);
    expect(ring.input(0, 0).every((sample) => Math.abs(sample) < 0.001)).toBe(true);
    expect(ring.input(0, 3).some((sample) => Math.abs(sample) > 0.05)).toBe(true);
  });

  it('whose answers do not come goes on with the energy detector for this sound, and asks again at the next', () => {
    const { feed, events, late, asked } = setUp();
    feed(sentence, null);
    expect(late()).toBe(1);
    // Its first frames were the model's to judge: the voice is confirmed already when energy takes over.
    expect(events).toEqual(['speech-start', 'speech-pause']);
    const askedBefore = asked();
    expect(askedBefore).toBeLessThanOrEqual(Math.ceil(LATE_ANSWER_MS / 32) + 5);
    events.length = 0;
    feed(Array.from({ length: 20 }, () => SILENCE), 0);
    feed(sentence, 0.9);
    expect(asked()).toBeGreaterThan(askedBefore + 10);
    expect(events.slice(0, 2)).toEqual(['speech-onset', 'speech-start']);
  });

  it('whose model dies in the middle of a sentence neither drops the voice nor hears it twice', () => {
    const { feed, events, die, detector } = setUp();
    feed(sentence.slice(0, 65), 0.95);
    expect(events).toEqual(['speech-onset', 'speech-start']);
    die();
    detector.takeAnswers();
    feed(sentence.slice(65), null);
    expect(events.filter((type) => type === 'speech-pause').length).toBe(events.filter((type) => type === 'speech-start').length);
    expect(events.at(-1)).toBe('speech-pause');
  });

  it('in a slot whose last call left windows unanswered takes none of their answers', () => {
    const { ring, feed, events, detector, open } = setUp();
    feed(sentence.slice(0, 54), null);
    const left = ring.asked(0);
    expect(left).toBeGreaterThan(0);
    events.length = 0;
    detector.close();
    const next = open();
    while (ring.answered(0) < left) ring.answer(0, 0.99);
    next.takeAnswers();
    next.push(SILENCE);
    expect(events).toEqual([]);
  });
});
