import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { createRateLimiter } from './rate-limiter.js';

function open() {
  const clock = createVirtualClock();
  const limiter = createRateLimiter(clock, { limit: { requests: 10, windowMs: 10_000 } });
  const admitted: string[] = [];
  const refused: unknown[] = [];
  const ask = (name: string, priority: 'urgent' | 'normal' = 'normal', signal = new AbortController().signal) =>
    limiter.acquire(priority, signal).then(
      () => void admitted.push(name),
      (error: unknown) => void refused.push(error),
    );
  return { clock, limiter, ask, admitted, refused };
}

describe('createRateLimiter', () => {
  it('admits ten at once, then one a second', async () => {
    const { clock, ask, admitted } = open();
    for (let n = 0; n < 13; n += 1) void ask(String(n));
    await clock.advance(0);
    expect(admitted).toHaveLength(10);
    await clock.advance(999);
    expect(admitted).toHaveLength(10);
    await clock.advance(2001);
    expect(admitted).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12']);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('lets hang-ups go first', async () => {
    const { clock, ask, admitted } = open();
    for (let n = 0; n < 10; n += 1) void ask('early');
    void ask('look-up');
    void ask('hang-up', 'urgent');
    await clock.advance(1000);
    expect(admitted.at(-1)).toBe('hang-up');
    await clock.advance(1000);
    expect(admitted.at(-1)).toBe('look-up');
  });

  it('sends nothing for as long as the provider asked for after a 429', async () => {
    const { clock, limiter, ask, admitted } = open();
    limiter.pause(5000);
    void ask('a');
    void ask('b');
    await clock.advance(4999);
    expect(admitted).toEqual([]);
    await clock.advance(1);
    expect(admitted).toEqual(['a']);
    await clock.advance(1000);
    expect(admitted).toEqual(['a', 'b']);
  });

  it('lets a burst through until the provider objects, then keeps to its limit for a minute', async () => {
    const clock = createVirtualClock();
    const limiter = createRateLimiter(clock, { limit: { requests: 10, windowMs: 10_000 }, unlessLimited: { requests: 50, windowMs: 1000 } });
    let admitted = 0;
    const ask = (count: number) => {
      for (let n = 0; n < count; n += 1) void limiter.acquire('normal', new AbortController().signal).then(() => void (admitted += 1));
    };
    ask(50);
    await clock.advance(0);
    expect(admitted).toBe(50);
    limiter.pause(2000);
    ask(5);
    await clock.advance(1999);
    expect(admitted).toBe(50);
    await clock.advance(2001);
    expect(admitted).toBe(53);
    await clock.advance(70_000);
    admitted = 0;
    ask(30);
    await clock.advance(0);
    expect(admitted).toBe(30);
  });

  it('forgets who gave up, and holds no timer for them', async () => {
    const { clock, limiter, ask, admitted, refused } = open();
    limiter.pause(5000);
    const controller = new AbortController();
    void ask('a', 'normal', controller.signal);
    await clock.advance(10);
    expect(clock.pendingTimers()).toBe(1);
    const reason = new Error('gone');
    controller.abort(reason);
    await clock.advance(10);
    expect(refused).toEqual([reason]);
    expect(clock.pendingTimers()).toBe(0);
    await ask('b', 'normal', controller.signal);
    expect(refused).toHaveLength(2);
    expect(admitted).toEqual([]);
  });

  it('bounds how many wait', async () => {
    const { clock, limiter, ask, refused } = open();
    limiter.pause(60_000);
    for (let n = 0; n < 205; n += 1) void ask(String(n));
    await clock.advance(1);
    expect(refused).toHaveLength(5);
    expect(refused[0]).toMatchObject({ code: 'provider-rate-limited' });
  });
});
