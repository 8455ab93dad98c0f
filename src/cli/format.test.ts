import { describe, expect, it } from 'vitest';
import { formatCallTime, formatDuration, formatTime, formatValue } from './format.js';

describe('formats', () => {
  it.each([
    [null, '-'],
    [undefined, '-'],
    [0, '0:00'],
    [59_499, '0:59'],
    [59_500, '1:00'],
    [3_600_000, '1:00:00'],
    [36_610_000, '10:10:10'],
  ])('a duration of %s ms as %s', (durationMs, text) => expect(formatDuration(durationMs)).toBe(text));

  it.each([
    [-20, '0:00.0'],
    [1260, '0:01.3'],
    [59_960, '1:00.0'],
    [754_321, '12:34.3'],
  ])('%s ms on the call clock as %s', (atMs, text) => expect(formatCallTime(atMs)).toBe(text));

  it('a time in UTC without its fraction', () => {
    expect(formatTime('2026-01-02T03:04:05.678Z')).toBe('2026-01-02 03:04:05');
    expect(formatTime(null)).toBe('-');
  });

  it('a value as itself, as JSON, or as a dash', () => {
    expect([formatValue('x'), formatValue({ a: [1] }), formatValue(''), formatValue(null), formatValue(0)]).toEqual(['x', '{"a":[1]}', '-', '-', '0']);
  });
});
