import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closeCodeOf, truncateReason } from './close-frame.js';

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

describe('closeCodeOf', () => {
  it('names the close code of a breach of the WebSocket protocol', () => {
    const wsError = (code: string) => Object.assign(new Error('x'), { code });
    expect(closeCodeOf(wsError('WS_ERR_INVALID_UTF8'))).toBe(1007);
    expect(closeCodeOf(wsError('WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'))).toBe(1009);
    expect(closeCodeOf(wsError('WS_ERR_EXPECTED_MASK'))).toBe(1002);
    expect(closeCodeOf(wsError('ECONNRESET'))).toBeNull();
    expect(closeCodeOf(new Error('x'))).toBeNull();
  });
});
