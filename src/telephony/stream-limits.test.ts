import { describe, expect, it } from 'vitest';
import { createFloodLimiter, createMessageLimiter, createStreamVitals, defaultStreamLimits as limits } from './stream-limits.js';

describe('createFloodLimiter', () => {
  it('lets a real-time stream through for ever', () => {
    const limiter = createFloodLimiter(limits);
    for (let n = 0; n < 50 * 600; n += 1) expect(limiter.admit(400, n * 20)).toBe(true);
  });

  it('lets the burst through that follows a stall of 2 s, and of 6 s', () => {
    for (const stallMs of [2000, 6000]) {
      const limiter = createFloodLimiter(limits);
      for (let n = 0; n < 500; n += 1) limiter.admit(400, n * 20);
      for (let n = 0; n < stallMs / 20; n += 1) expect(limiter.admit(400, 10_000 + stallMs + n)).toBe(true);
    }
  });

  it('stops 5000 messages a second within a tenth of a second, and 2 MB a second within two', () => {
    const messages = createFloodLimiter(limits);
    const stoppedAt = Array.from({ length: 5000 }, (_, n) => n).find((n) => !messages.admit(10, n / 5));
    expect(stoppedAt).toBeLessThan(500);
    const bytes = createFloodLimiter(limits);
    const bytesStoppedAt = Array.from({ length: 100 }, (_, n) => n).find((n) => !bytes.admit(60_000, n * 30));
    expect((bytesStoppedAt ?? Infinity) * 30).toBeLessThan(2000);
  });
});

describe('createMessageLimiter', () => {
  it('counts malformed messages by the minute', () => {
    const limiter = createMessageLimiter(limits);
    for (let n = 0; n < 100; n += 1) expect(limiter.admitMalformed(n * 500)).toBe(true);
    expect(limiter.admitMalformed(50_000)).toBe(false);
    expect(limiter.admitMalformed(61_000)).toBe(true);
  });

  it('lets fast fingers press keys, but not a machine', () => {
    const limiter = createMessageLimiter(limits);
    for (let n = 0; n < 100; n += 1) expect(limiter.admitDtmf(n * 100)).toBe(true);
    const admitted = Array.from({ length: 100 }, (_, n) => limiter.admitDtmf(10_000 + n * 20)).filter(Boolean);
    expect(admitted.length).toBeLessThan(45);
  });
});

describe('createStreamVitals', () => {
  it('asks for a ping every 20 s, and gives a silent peer up within 30 s', () => {
    const vitals = createStreamVitals(limits, 0);
    const signs: Record<number, readonly string[]> = {};
    for (let second = 1; second <= 30; second += 1) {
      const found = vitals.check(second * 1000, 0);
      if (found.length > 0) signs[second] = found;
    }
    expect(signs[20]).toEqual(['ping-due']);
    expect(signs[29]).toEqual(['peer-silent']);
  });

  it('takes any sign of life for one', () => {
    const vitals = createStreamVitals(limits, 0);
    for (let second = 1; second <= 300; second += 1) {
      if (second % 20 === 1) vitals.onSign(second * 1000);
      expect(vitals.check(second * 1000, 0)).not.toContain('peer-silent');
    }
  });

  it('tells once that expected media stalled, and that it resumed', () => {
    const vitals = createStreamVitals(limits, 0);
    vitals.onSign(90_000);
    expect(vitals.check(90_000, 0)).not.toContain('media-stalled');
    vitals.expectMedia(90_000);
    expect(vitals.check(104_000, 0)).toEqual([]);
    expect(vitals.check(105_000, 0)).toEqual(['media-stalled']);
    expect(vitals.check(106_000, 0)).toEqual([]);
    expect(vitals.onMedia(107_000)).toBe(true);
    expect(vitals.onMedia(107_020)).toBe(false);
  });

  it('gives up a peer that has not read for 10 s, but not one that catches up', () => {
    const vitals = createStreamVitals(limits, 0);
    vitals.check(1000, 300_000);
    vitals.check(9000, 1000);
    vitals.check(10_000, 300_000);
    expect(vitals.check(19_000, 300_000)).toEqual([]);
    expect(vitals.check(20_000, 300_000)).toContain('peer-congested');
  });
});
