import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { createFaultBoundary } from './fault-boundary.js';

function setUp() {
  const faults: unknown[] = [];
  return { faults, boundary: createFaultBoundary((error) => faults.push(error)) };
}

describe('the fault boundary', () => {
  it('lets a callback work, and keeps what it throws', () => {
    const { faults, boundary } = setUp();
    const heard: number[] = [];
    const guarded = boundary.guard((value: number) => {
      heard.push(value);
      if (value > 1) throw new Error(`fault ${value}`);
    });
    guarded(1);
    expect(() => guarded(2)).not.toThrow();
    expect(heard).toEqual([1, 2]);
    expect(faults).toEqual([new Error('fault 2')]);
  });

  it('guards every method of an object, and leaves the rest', () => {
    const { faults, boundary } = setUp();
    const callbacks = boundary.guardAll({
      name: 'sink',
      heard: [] as string[],
      onAudio(text: string) {
        this.heard.push(text);
      },
      onClose() {
        throw new Error('broken');
      },
    });
    callbacks.onAudio('a');
    callbacks.onClose();
    expect(callbacks.name).toBe('sink');
    expect(callbacks.heard).toEqual(['a']);
    expect(faults).toEqual([new Error('broken')]);
  });

  it('guards timers, and nothing else of a clock', async () => {
    const { faults, boundary } = setUp();
    const clock = createVirtualClock();
    const guarded = boundary.guardClock(clock);
    guarded.setTimer(10, () => {
      throw new Error('late');
    });
    const cancelled = guarded.setTimer(10, () => faults.push('never'));
    cancelled.cancel();
    await clock.advance(20);
    expect(faults).toEqual([new Error('late')]);
    expect(guarded.nowMs()).toBe(20);
    expect(guarded.wallMs()).toBe(clock.wallMs());
  });
});
