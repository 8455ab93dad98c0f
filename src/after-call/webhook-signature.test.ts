import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { webhookHeaders } from './webhook-signature.js';

const secret = (byte: number) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`;

describe('signatures', () => {
  it('are what the reference library verifies, whatever the body', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.json(), (id, body) => {
        const headers = webhookHeaders({ id, body }, [secret(1)], Date.now());
        expect(new Webhook(secret(1)).verify(body, headers)).toEqual(JSON.parse(body));
        expect(() => new Webhook(secret(2)).verify(body, headers)).toThrow('No matching signature');
        expect(() => new Webhook(secret(1)).verify(`${body} `, headers)).toThrow('No matching signature');
      }),
    );
  });

  it('are made with both secrets during a rotation', () => {
    const headers = webhookHeaders({ id: 'a', body: '{}' }, [secret(1), secret(2)], Date.now());
    for (const key of [secret(1), secret(2)]) expect(new Webhook(key).verify('{}', headers)).toEqual({});
  });

  it('carry the time of the attempt, in seconds', () => {
    expect(webhookHeaders({ id: 'a', body: '{}' }, [], 1_767_225_600_999)).toEqual({ 'webhook-id': 'a', 'webhook-timestamp': '1767225600' });
  });
});
