import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLog } from './log.js';

/** What becomes of a text in a message and in a field. */
function logged(text: string): { message: string; field: unknown } {
  const lines: string[] = [];
  const log = createLog('debug', { write: (line) => void lines.push(line) });
  log.info(text, { field: text });
  const line = JSON.parse(lines[0] ?? '') as { msg: string; field: unknown };
  return { message: line.msg, field: line.field };
}

describe('createLog', () => {
  it.each([
    ['+15551234567', '[number]'],
    ['from 15551234567 to 442071838750', 'from [number] to [number]'],
    ['+1 (555) 123-4567', '[number]'],
    ['(555) 123-4567', '[number]'],
    ['1.555.123.4567', '[number]'],
    ['+1.5551234567', '[number]'],
    ['1.5551234567', '[number]'],
    ['555-123-4567', '[number]'],
    ['+44 20 7183 8750', '[number]'],
    ['sip:+15551234567@host', 'sip:[number]@host'],
    ['caller%2B15551234567', 'caller%2B[number]'],
    ['Authorization: Bearer abc.def', 'Authorization: Bearer [redacted]'],
    ['/api/v1/agent-stream/3f2b8c1e-9d4a-4c6b-8e2f-1a2b3c4d5e6f', '/api/v1/agent-stream/[uuid]'],
    ['3F2B8C1E-9D4A-1C6B-8E2F-1A2B3C4D5E6F', '[uuid]'],
  ])('redacts %s', (text, expected) => {
    expect(logged(text)).toEqual({ message: expected, field: expected });
  });

  it.each([
    '2026-01-02T03:04:05.123Z',
    '2026-01-02 03:04:05.123456+00',
    '2026-01-02T03:04:05+02:00',
    '2026-01-02',
    'after 12345678 ms',
    'took 1234567.891 ms of 120.5s',
    'larger than 67108864 bytes',
    'run 01932c07-2026-7123-8456-123456789012 ended',
    'WR-AGS-12345678',
    'http://127.0.0.1:8080',
    'peer 192.168.100.200',
    'no answer within 3000 ms',
    'close code 4400, 12 of 100',
  ])('keeps %s', (text) => {
    expect(logged(text)).toEqual({ message: text, field: text });
  });

  it('keeps a run id in its field, and redacts the fields of a child', () => {
    const lines: string[] = [];
    const runId = '01932c07-1234-7123-8456-123456789012';
    const log = createLog('info', { write: (line) => void lines.push(line) });
    log.child({ runId, from: '+15551234567' }).warn('A call failed', { durationMs: 12_345_678 });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ runId, from: '[number]', durationMs: 12_345_678, msg: 'A call failed' });
  });

  it('lets no number of E.164 through, however it is punctuated', () => {
    const separator = fc.constantFrom('', ' ', '-', '.', ') ', ' (', '. ');
    const numbers = fc.tuple(fc.constantFrom('+', '', 'tel:'), fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), separator), { minLength: 8, maxLength: 15 }));
    fc.assert(
      fc.property(numbers, ([prefix, parts]) => {
        const text = prefix + parts.map(([digit, after], index) => (index === parts.length - 1 ? digit : `${digit}${after}`)).join('');
        const harmless = /(19|20)\d\d-\d\d-\d\d|(\d{1,3}\.){3}\d/.test(text);
        return harmless || !/\d{2}/.test(logged(text).message);
      }),
      { numRuns: 500 },
    );
  });
});
