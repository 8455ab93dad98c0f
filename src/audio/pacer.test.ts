import { describe, expect, it } from 'vitest';
import type { Clock } from '../base/clock.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { createMetronome, type MetronomeParticipant } from './pacer.js';

function recording(): MetronomeParticipant & { readonly times: number[]; readonly faults: unknown[] } {
  const times: number[] = [];
  const faults: unknown[] = [];
  return { times, faults, onDue: (nowMs) => void times.push(nowMs), onFault: (error) => void faults.push(error) };
}

/** A clock whose timers fire late, as under load. */
function lateClock(lateMs: (firing: number) => number) {
  const virtual = createVirtualClock();
  let firings = 0;
  const clock: Clock = { ...virtual, setTimer: (delayMs, callback) => virtual.setTimer(delayMs + lateMs((firings += 1)), callback) };
  return { clock, virtual };
}

describe('createMetronome', () => {
  it('calls every 20 ms from the first due time, a slot late at most', async () => {
    const clock = createVirtualClock();
    const participant = recording();
    createMetronome(clock).add(participant, 7);
    await clock.advance(200);
    expect(participant.times).toEqual([10, 30, 50, 70, 90, 110, 130, 150, 170, 190]);
  });

  it('never drifts, however late each timer is', async () => {
    const { clock, virtual } = lateClock((firing) => (firing % 3) * 2.3);
    const participant = recording();
    createMetronome(clock).add(participant, 0);
    await virtual.advance(3000);
    expect(participant.times).toHaveLength(150);
    participant.times.forEach((timeMs, n) => expect(timeMs - n * 20).toBeLessThan(10));
  });

  it('calls once after a stall, then goes on in its old phase', async () => {
    const { clock, virtual } = lateClock((firing) => (firing === 4 ? 170 : 0));
    const participant = recording();
    createMetronome(clock).add(participant, 5);
    await virtual.advance(320);
    expect(participant.times).toEqual([5, 25, 45, 235, 245, 265, 285, 305]);
  });

  it('runs one timer for all calls, and none without calls', async () => {
    const clock = createVirtualClock();
    const metronome = createMetronome(clock);
    expect(clock.pendingTimers()).toBe(0);
    const participants = Array.from({ length: 60 }, recording);
    const handles = participants.map((participant, n) => metronome.add(participant, n / 3));
    expect(clock.pendingTimers()).toBe(1);
    await clock.advance(1000);
    expect(clock.pendingTimers()).toBe(1);
    for (const { times } of participants) expect(times).toHaveLength(50 + (times[0] === 0 ? 1 : 0));
    for (const handle of handles) handle.cancel();
    expect(clock.pendingTimers()).toBe(0);
    expect(metronome.size()).toBe(0);
  });

  it('paces more than 50 calls in slots of 2 ms', async () => {
    const clock = createVirtualClock();
    const metronome = createMetronome(clock);
    const participants = Array.from({ length: 51 }, recording);
    for (const participant of participants) metronome.add(participant, 3);
    await clock.advance(30);
    expect(participants[50]?.times).toEqual([4, 24]);
  });

  it('lets a participant cancel itself and add another while it is called', async () => {
    const clock = createVirtualClock();
    const metronome = createMetronome(clock);
    const second = recording();
    const first = recording();
    const handle = metronome.add(
      {
        onDue(nowMs) {
          first.onDue(nowMs);
          handle.cancel();
          metronome.add(second, nowMs + 20);
        },
        onFault: first.onFault,
      },
      0,
    );
    await clock.advance(60);
    expect(first.times).toEqual([0]);
    expect(second.times).toEqual([20, 40, 60]);
  });

  it('keeps a fault to the participant that threw', async () => {
    const clock = createVirtualClock();
    const metronome = createMetronome(clock);
    const healthy = recording();
    const faulty = recording();
    const fault = new Error('boom');
    metronome.add({ ...faulty, onDue: () => { throw fault; } }, 0);
    metronome.add(healthy, 0);
    await clock.advance(60);
    expect(faulty.faults).toEqual([fault]);
    expect(healthy.times).toHaveLength(4);
    expect(metronome.size()).toBe(1);
  });

  it('tells how late one of 50 due times was met', async () => {
    const { clock, virtual } = lateClock((firing) => (firing === 100 ? 12 : 0));
    const lateness: number[] = [];
    createMetronome(clock, { onLateness: (latenessMs) => lateness.push(latenessMs) }).add(recording(), 0);
    await virtual.advance(3000);
    expect(lateness).toEqual([0, 12, 0]);
  });
});
