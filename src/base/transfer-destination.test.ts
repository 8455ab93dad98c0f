import { describe, expect, it } from 'vitest';
import { isTransferDestination } from './transfer-destination.js';

describe('isTransferDestination', () => {
  it.each(['+15551234567', '+4420718387', '+1911', 'sip:anna@example.com', 'sips:anna.b+x@10.0.0.1:5061', 'SIP:100@pbx'])('takes %s', (text) => {
    expect(isTransferDestination(text)).toBe(true);
  });

  it.each([
    '',
    '15551234567',
    '+0123456',
    '+1',
    '+1234567890123456',
    '+1 555 123 4567',
    '+15551234567\n',
    'tel:+15551234567',
    'sip:',
    'sip:@host',
    'sip:anna',
    'sip:an na@host',
    'sip:anna@host?X=<y>',
    'sip:a"b@host',
    'sip:a@host@other',
    'javascript:alert(1)',
    `sip:${'x'.repeat(300)}@host`,
  ])('refuses %j', (text) => {
    expect(isTransferDestination(text)).toBe(false);
  });
});
