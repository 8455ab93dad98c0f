import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { startCallLimits } from './call-limits.js';

function setUp(options: { maxSeconds?: number; warningSeconds?: number; remainingMs?: number | null; canWarn?: () => boolean } = {}) {
  const clock = createVirtualClock();
  const log: string[] = [];
  const note = (what: string) => log.push(`${clock.nowMs()} ${what}`);
  const limits = startCallLimits({
    clock,
    settings: { max_call_duration: options.maxSeconds ?? 60, max_duration_warning_seconds: options.warningSeconds ?? 10 },
    remainingMs: options.remainingMs ?? null,
    onWarning() {
      const isSaid = options.canWarn?.() ?? true;
      if (isSaid) note('warned');
      return isSaid;
    },
    onReached: (reason) => note(`reached ${reason}`),
    onOverdue: (reason) => note(`overdue ${reason}`),
  });
  return { clock, log, limits };
}

describe('the limits of a call', () => {
  it('warn, then ask for a goodbye, then cut', async () => {
    const { clock, log } = setUp();
    await clock.advance(100_000);
    expect(log).toEqual(['50000 warned', '60000 reached max_duration', '75000 overdue max_duration']);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('warn as soon as the caller can be told, and not once the goodbye is said', async () => {
    let canWarn = false;
    const { clock, log } = setUp({ canWarn: () => canWarn });
    await clock.advance(53_200);
    canWarn = true;
    await clock.advance(300);
    expect(log).toEqual(['53500 warned']);
    const { clock: other, log: never, limits } = setUp({ canWarn: () => false });
    await other.advance(55_000);
    limits.reach('drained');
    await other.advance(30_000);
    expect(never).toEqual(['55000 reached drained', '70000 overdue drained']);
    expect(other.pendingTimers()).toBe(0);
  });

  it('need no warning', async () => {
    const { clock, log } = setUp({ warningSeconds: 0 });
    await clock.advance(60_000);
    expect(log).toEqual(['60000 reached max_duration']);
  });

  it('end at what the quota leaves, where that is less', async () => {
    const { clock, log } = setUp({ remainingMs: 20_000 });
    await clock.advance(100_000);
    expect(log).toEqual(['20000 reached quota_exceeded', '35000 overdue quota_exceeded']);
  });

  it.each([2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER])('are not shortened by a quota of %d ms', (remainingMs) => {
    const { clock } = setUp({ remainingMs });
    // The warning and the maximum: a timer beyond 2^31 ms would fire at once.
    expect(clock.pendingTimers()).toBe(2);
  });

  it('with nothing left end at once', async () => {
    const { clock, log } = setUp({ remainingMs: 0 });
    await clock.advance(0);
    expect(log).toEqual(['0 reached quota_exceeded']);
  });

  it('are reached once, for the first reason', async () => {
    const { clock, log, limits } = setUp();
    limits.reach('vendor_error');
    limits.reach('drained');
    await clock.advance(100_000);
    expect(log).toEqual(['0 reached vendor_error', '15000 overdue vendor_error']);
  });

  it('are over with the call', async () => {
    const { clock, log, limits } = setUp({ remainingMs: 5000 });
    limits.reach('drained');
    limits.cancel();
    limits.reach('drained');
    await clock.advance(100_000);
    expect(log).toEqual(['0 reached drained']);
    expect(clock.pendingTimers()).toBe(0);
  });
});
