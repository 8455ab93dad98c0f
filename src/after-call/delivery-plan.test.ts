import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_RETRY_AFTER_MS, planAfterAttempt, retryDelaysMs, type AttemptResult } from './delivery-plan.js';

const wallMs = Date.UTC(2026, 0, 1);
const plan = (result: AttemptResult, tries = 1, random = 0) => planAfterAttempt(result, { tries, wallMs, random });
const answered = (status: number, retryAfter: string | null = null): AttemptResult => ({ kind: 'answered', status, retryAfter, body: 'answer' });

describe('what follows an attempt', () => {
  it('is ten tries over more than three days', () => {
    expect(retryDelaysMs).toHaveLength(9);
    const totalMs = retryDelaysMs.reduce((sum, delayMs) => sum + delayMs, 0);
    expect(totalMs / 3_600_000).toBeGreaterThan(75);
    expect(plan(answered(500), 9)).toMatchObject({ status: 'pending', retryInMs: 24 * 3_600_000 });
    expect(plan(answered(500), 10)).toMatchObject({ status: 'failed', retryInMs: null, outcome: 'receiver_error' });
  });

  it.each([
    [200, 'delivered', 'delivered'],
    [204, 'delivered', 'delivered'],
    [301, 'redirected', 'pending'],
    [307, 'redirected', 'pending'],
    [400, 'rejected', 'pending'],
    [404, 'rejected', 'pending'],
    [410, 'gone', 'failed'],
    [429, 'rate_limited', 'pending'],
    [502, 'receiver_error', 'pending'],
  ])('after %i is %s and %s', (status, outcome, next) => {
    expect(plan(answered(status))).toMatchObject({ outcome, status: next, responseStatus: status, responseBody: 'answer', disablesEndpoint: status === 410 });
  });

  it.each([
    ['timed_out', 'pending'],
    ['unreachable', 'pending'],
    ['egress_refused', 'failed'],
    ['disabled', 'failed'],
    ['invalid', 'failed'],
  ] as const)('without an answer, %s, is %s', (outcome, status) => {
    expect(plan({ kind: 'failed', outcome })).toMatchObject({ outcome, status, responseStatus: null, responseBody: null });
  });

  it.each([
    [429, '120', 120_000],
    [503, new Date(wallMs + 90_000).toUTCString(), 90_000],
    [429, '1', 5_000],
    [429, '999999999', MAX_RETRY_AFTER_MS],
    [429, 'soon', 5_000],
    [429, '-5', 5_000],
    [400, '120', 5_000],
  ])('heeds Retry-After of %i: %s', (status, retryAfter, expectedMs) => {
    expect(plan(answered(status, retryAfter)).retryInMs).toBe(expectedMs);
  });

  it('never waits less than the schedule nor more than a day and its jitter, and ends', () => {
    const results = fc.record({ status: fc.integer({ min: 100, max: 999 }), retryAfter: fc.option(fc.oneof(fc.string(), fc.integer().map(String))) });
    fc.assert(
      fc.property(results, fc.integer({ min: 1, max: 20 }), fc.double({ min: 0, max: 0.999, noNaN: true }), ({ status, retryAfter }, tries, random) => {
        const record = plan(answered(status, retryAfter), tries, random);
        expect(record.status === 'pending').toBe(record.retryInMs !== null);
        if (tries >= 10) expect(record.status).not.toBe('pending');
        if (record.retryInMs === null) return;
        expect(record.retryInMs).toBeGreaterThanOrEqual(retryDelaysMs[tries - 1] ?? Infinity);
        expect(record.retryInMs).toBeLessThanOrEqual(MAX_RETRY_AFTER_MS * 1.1);
      }),
    );
  });
});
