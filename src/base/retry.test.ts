import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { AgentStreamError } from './errors.js';
import { parseRetryAfterMs, vendorStatusError } from './http-status.js';
import { retry, retryDelayMs } from './retry.js';

const policy = { attempts: 3, baseDelayMs: 100, maxDelayMs: 500 };
const unreachable = () => new AgentStreamError('vendor-unreachable');

describe('retryDelayMs', () => {
  it('doubles within its limit and is jittered by half at most', () => {
    const forever = { attempts: 100, baseDelayMs: 100, maxDelayMs: 500 };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (failures, random) => {
        const delayMs = retryDelayMs(unreachable(), failures, forever, () => random);
        const fullMs = Math.min(500, 100 * 2 ** (failures - 1));
        expect(delayMs).toBeGreaterThanOrEqual(fullMs / 2);
        expect(delayMs).toBeLessThanOrEqual(fullMs);
      }),
    );
  });

  it('is final after the last attempt, for errors that do not pass, and when the peer asks for more patience than there is', () => {
    expect(retryDelayMs(unreachable(), 3, policy)).toBeNull();
    expect(retryDelayMs(new AgentStreamError('vendor-rejected'), 1, policy)).toBeNull();
    expect(retryDelayMs(vendorStatusError(429, '7'), 1, policy)).toBeNull();
    expect(retryDelayMs(vendorStatusError(429, '0.4'), 1, policy)).toBe(400);
  });
});

describe('retry', () => {
  it('tries again until it succeeds, in the clock’s time', async () => {
    const clock = createVirtualClock();
    const tries: number[] = [];
    const result = retry(
      (attempt) => {
        tries.push(clock.nowMs());
        return attempt < 3 ? Promise.reject(unreachable()) : Promise.resolve('done');
      },
      { ...policy, clock, signal: new AbortController().signal, random: () => 1 },
    );
    await clock.advance(1000);
    expect(await result).toBe('done');
    expect(tries).toEqual([0, 100, 300]);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('throws the last failure, and the signal’s reason while it waits', async () => {
    const clock = createVirtualClock();
    const failing = (signal: AbortSignal) => retry(() => Promise.reject(unreachable()), { ...policy, clock, signal });
    const outcome = failing(new AbortController().signal).catch((error: unknown) => error);
    await clock.advance(2000);
    expect(await outcome).toMatchObject({ code: 'vendor-unreachable' });

    const controller = new AbortController();
    const aborted = failing(controller.signal).catch((error: unknown) => error);
    await clock.advance(10);
    const reason = new Error('hung up');
    controller.abort(reason);
    expect(await aborted).toBe(reason);
    expect(clock.pendingTimers()).toBe(0);
  });

  it.each([new TypeError('bug'), new AgentStreamError('internal-error')])('does not try a bug again: %s', async (bug) => {
    let tries = 0;
    const options = { ...policy, clock: createVirtualClock(), signal: new AbortController().signal };
    const failing = () => {
      tries += 1;
      return Promise.reject(bug);
    };
    await expect(retry(failing, options)).rejects.toMatchObject({ code: 'internal-error' });
    expect(tries).toBe(1);
  });
});

describe('vendorStatusError', () => {
  it.each([
    [400, 'vendor-rejected'],
    [401, 'vendor-unauthorized'],
    [403, 'vendor-unauthorized'],
    [402, 'vendor-rejected'],
    [404, 'vendor-rejected'],
    [408, 'vendor-unreachable'],
    [429, 'vendor-rate-limited'],
    [302, 'vendor-rejected'],
    [500, 'vendor-unreachable'],
    [503, 'vendor-unreachable'],
  ])('%i is %s', (status, code) => {
    expect(vendorStatusError(status)).toMatchObject({ code, details: { httpStatus: status } });
  });

  it('reads Retry-After as a date where it is told the time', () => {
    const wallMs = Date.UTC(2026, 9, 21, 7, 27, 30);
    expect(parseRetryAfterMs('Wed, 21 Oct 2026 07:28:00 GMT', wallMs)).toBe(30_000);
    expect(parseRetryAfterMs('Wed, 21 Oct 2026 07:27:00 GMT', wallMs)).toBe(0);
    expect(parseRetryAfterMs('Wed, 21 Oct 2027 07:27:00 GMT', wallMs)).toBe(3_600_000);
    for (const header of ['soon', '-1', '2026', 'Foo, 99 Bar']) expect(parseRetryAfterMs(header, wallMs) ?? null).toBe(header === '2026' ? 2_026_000 : null);
  });

  it('reads Retry-After in seconds and believes nothing else', () => {
    expect(parseRetryAfterMs('2')).toBe(2000);
    expect(parseRetryAfterMs('999999')).toBe(3_600_000);
    for (const header of [undefined, null, '', 'soon', '-1', 'Wed, 21 Oct 2026 07:28:00 GMT']) expect(parseRetryAfterMs(header)).toBeUndefined();
  });
});
