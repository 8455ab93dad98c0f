import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { breachOf, truncateReason } from './close-frame.js';

describe('truncateReason', () => {
  it('keeps what fits and cuts between characters', () => {
    expect(truncateReason('Agent not found')).toBe('Agent not found');
    expect(truncateReason('é'.repeat(80))).toBe('é'.repeat(61));
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (reason) => {
        const cut = truncateReason(reason);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(123);
        expect(reason.startsWith(cut)).toBe(true);
        if (cut !== reason) expect(Buffer.byteLength(cut)).toBeGreaterThan(119);
      }),
    );
  });
});

describe('breachOf', () => {
  it('names the error of a breach of the WebSocket protocol', () => {
    const wsError = (code: string) => Object.assign(new Error('x'), { code });
    expect(breachOf(wsError('WS_ERR_INVALID_UTF8'))).toBe('invalid-utf8');
    expect(breachOf(wsError('WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'))).toBe('frame-too-large');
    expect(breachOf(wsError('WS_ERR_TOO_MANY_BUFFERED_PARTS'))).toBe('frame-too-large');
    expect(breachOf(wsError('WS_ERR_EXPECTED_MASK'))).toBe('protocol-breach');
    expect(breachOf(wsError('ECONNRESET'))).toBeNull();
    expect(breachOf(new Error('x'))).toBeNull();
  });
});
