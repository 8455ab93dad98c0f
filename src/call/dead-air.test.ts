import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { createDeadAirWatch, isTimeLeft } from './dead-air.js';

function setUp(waitingSinceMs = 0) {
  const clock = createVirtualClock();
  const deadAtMs: number[] = [];
  const watch = createDeadAirWatch({ clock, waitingSinceMs, onDeadAir: () => deadAtMs.push(clock.nowMs()) });
  return { clock, watch, deadAtMs };
}

describe('the dead-air watch', () => {
  it('gives a model 7 s and a voice 4 s', async () => {
    const model = setUp();
    model.watch.expect('llm');
    await model.clock.advance(20_000);
    expect(model.deadAtMs).toEqual([7000]);
    const voice = setUp();
    voice.watch.expect('tts');
    await voice.clock.advance(20_000);
    expect(voice.deadAtMs).toEqual([4000]);
  });

  it('gives all attempts together 8.5 s until the first audio', async () => {
    const { clock, watch, deadAtMs } = setUp();
    watch.expect('llm');
    await clock.advance(7000);
    watch.expect('tts');
    await clock.advance(20_000);
    expect(deadAtMs).toEqual([7000, 8500]);
  });

  it('counts from when the caller began to wait', async () => {
    const { clock, watch, deadAtMs } = setUp(-7000);
    expect(isTimeLeft(clock, -7000)).toBe(true);
    watch.expect('llm');
    await clock.advance(20_000);
    expect(deadAtMs).toEqual([1500]);
    expect(isTimeLeft(clock, -7000)).toBe(false);
  });

  it('waits while audio plays, however much there is, and then as long as for its leg', async () => {
    const { clock, watch, deadAtMs } = setUp();
    watch.expect('tts');
    await clock.advance(1000);
    watch.noteAudio(3000);
    await clock.advance(1000);
    watch.noteAudio(5000);
    await clock.advance(60_000);
    // 8 s of audio from 1,000 ms on, then 4 s.
    expect(deadAtMs).toEqual([1000 + 8000 + 4000]);
  });

  it('starts anew with audio that comes after a pause', async () => {
    const { clock, watch, deadAtMs } = setUp();
    watch.expect('tts');
    watch.noteAudio(100);
    await clock.advance(3000);
    watch.noteAudio(100);
    await clock.advance(20_000);
    expect(deadAtMs).toEqual([3000 + 100 + 4000]);
  });

  it('is quiet once cancelled, and before anything is expected', async () => {
    const { clock, watch, deadAtMs } = setUp();
    await clock.advance(20_000);
    watch.expect('llm');
    watch.cancel();
    await clock.advance(20_000);
    expect(deadAtMs).toEqual([]);
    expect(clock.pendingTimers()).toBe(0);
  });
});
