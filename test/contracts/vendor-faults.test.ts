import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { vendors } from '../../src/speech/registry.js';
import type { Leg } from '../../src/speech/vendor.js';
import { createCountingClock } from '../support/fakes/counting-clock.js';
import { createVirtualClock } from '../support/virtual-clock.js';
import { settle, until } from '../support/wait-for.js';
import { beginAttempt } from './vendor-attempt.js';
import { STALL_MS, titleOf, vendorLegRows, type BreakableFake, type LegFault, type VendorLegRow } from './vendor-legs.js';

const legNames: readonly Leg[] = ['stt', 'llm', 'tts', 'realtime'];
/** Steps of virtual time: as exact as times to notice are measured. */
const STEP_MS = 100;
/** More virtual time than any vendor that is given up is given. */
const GIVE_UP_MS = 30_000;

const unhandled: unknown[] = [];
const onUnhandled = (error: unknown) => void unhandled.push(error);
beforeAll(() => void process.on('unhandledRejection', onUnhandled));
afterAll(() => void process.off('unhandledRejection', onUnhandled));

it('has a row for each leg of each vendor behind a network', () => {
  const covered = new Set(vendorLegRows.map(({ vendor, leg }) => `${vendor.name} ${leg}`));
  const missing = vendors
    .filter(({ isSimulated }) => !isSimulated)
    .flatMap((vendor) => legNames.filter((leg) => vendor[leg] !== undefined).map((leg) => `${vendor.name} ${leg}`))
    .filter((name) => !covered.has(name));
  expect(missing).toEqual([]);
});

/** What goes wrong, while it lasts; and how often it was met. */
function createBreakage(fault: LegFault) {
  let isBroken = true;
  let met = 0;
  return {
    deal() {
      if (!isBroken) return null;
      met += 1;
      return fault;
    },
    met: () => met,
    mend: () => void (isBroken = false),
  };
}

describe.each(vendorLegRows.map((row) => [titleOf(row), row] as const))('%s', (_title, row: VendorLegRow) => {
  const { vendor, leg, settings } = row;
  let fake: BreakableFake | undefined;
  afterEach(async () => {
    await fake?.close();
    fake = undefined;
    expect(unhandled.splice(0)).toEqual([]);
  });

  const failing = row.faults.filter(({ noticedWithinMs }) => noticedWithinMs === undefined);
  it.each(failing.map((fault) => [fault.group, fault.what, fault.code, fault] as const))('%s %s: fails once as %s, leaves nothing open, and works again when it has passed', async (_group, _what, code, fault) => {
    const breakage = createBreakage(fault);
    const running = (fake = await row.start(breakage.deal));
    const clock = createCountingClock();
    const context = { clock, baseUrl: running.baseUrl, settings };
    const attempt = beginAttempt(vendor, leg, context);
    await until(() => attempt.outcome() !== null, 'the failure');
    expect(attempt.outcome()).toBe(code);
    const seen = attempt.types.length;
    await until(() => running.leftOpen() === 0 || leg !== 'stt', 'sockets of the failed stream');
    await settle(20);
    if (leg !== 'realtime') expect(attempt.failures()).toBe(1);
    expect(attempt.types.slice(seen).filter((type) => !type.endsWith('-failed'))).toEqual([]);
    attempt.abort();
    await until(() => running.leftOpen() === 0 && clock.pendingTimers() === 0, 'nothing left open');

    breakage.mend();
    const next = beginAttempt(vendor, leg, context);
    await until(() => next.outcome() !== null, 'the end of the next attempt');
    expect(next.outcome()).toBe('whole');
    next.abort();
    await until(() => running.leftOpen() === 0 && clock.pendingTimers() === 0, 'nothing left open');
  });

  const stalls = row.faults.filter(({ noticedWithinMs }) => noticedWithinMs !== undefined);
  it.each(stalls.map((fault) => [fault.group, fault.what, fault.noticedWithinMs!, fault] as const))('%s %s: is noticed within %i ms, leaves nothing open, and works again when it has passed', async (_group, _what, noticedWithinMs, fault) => {
    const breakage = createBreakage(fault);
    const running = (fake = await row.start(breakage.deal));
    const clock = createVirtualClock();
    const context = { clock, baseUrl: running.baseUrl, settings };
    const attempt = beginAttempt(vendor, leg, context);
    await until(() => breakage.met() === 1, 'the first connection');
    await settle(60);
    const startMs = clock.nowMs();
    while (attempt.outcome() === null && breakage.met() === 1 && clock.nowMs() - startMs < GIVE_UP_MS) {
      attempt.speakOn();
      await clock.advance(STEP_MS);
      await settle(4);
    }
    expect(clock.nowMs() - startMs).toBeLessThanOrEqual(noticedWithinMs + STEP_MS);
    if (fault.code !== null) {
      while (attempt.outcome() === null && clock.nowMs() - startMs < GIVE_UP_MS) {
        await clock.advance(STEP_MS);
        await settle(4);
      }
      expect(attempt.outcome()).toBe(fault.code);
    }
    attempt.abort();

    breakage.mend();
    const next = beginAttempt(vendor, leg, context);
    const nextMs = clock.nowMs();
    while (next.outcome() === null && clock.nowMs() - nextMs < GIVE_UP_MS) {
      await settle(10);
      await clock.advance(10);
    }
    expect(next.outcome()).toBe('whole');
    next.abort();
    await clock.advance(5000);
    await until(() => fault.isDeaf === true || running.leftOpen() === 0, 'nothing left open');
    expect(clock.pendingTimers()).toBe(0);
  });

  const patient = stalls.filter(({ noticedWithinMs = 0 }) => noticedWithinMs > 2 * STALL_MS);
  if (patient.length > 0) it.each(patient.map((fault) => [fault.group, fault.what, fault] as const))('%s %s: is left for a spare within 2 s', async (_group, _what, fault) => {
    let dealt = 0;
    const running = (fake = await row.start(() => ((dealt += 1) === 1 ? fault : null)));
    const clock = createVirtualClock();
    const attempt = beginAttempt(vendor, leg, { clock, baseUrl: running.baseUrl, settings, hasSpare: true });
    await until(() => dealt === 1, 'the first request');
    await settle(60);
    const startMs = clock.nowMs();
    let leftAfterMs: number | null = null;
    while (attempt.outcome() === null && clock.nowMs() - startMs < GIVE_UP_MS) {
      await clock.advance(STEP_MS);
      await settle(4);
      if (dealt > 1) leftAfterMs ??= clock.nowMs() - startMs;
    }
    expect(leftAfterMs).toBeLessThanOrEqual(STALL_MS + STEP_MS);
    expect([attempt.outcome(), attempt.failures()]).toEqual(['whole', 0]);
    attempt.abort();
    await clock.advance(5000);
    await until(() => running.leftOpen() === 0, 'nothing left open');
    expect(clock.pendingTimers()).toBe(0);
  });
});
