import { describe, expect, it } from 'vitest';
import { createTransferDesk } from './transfer.js';

const partsOf = (url: string): [string, string] => {
  const [transferId = '', secret = ''] = url.split('/').slice(-2);
  return [transferId, secret];
};

describe('the transfer desk', () => {
  it('delivers what comes with the secret, while the transfer waits', () => {
    const desk = createTransferDesk(() => 'https://agents.example/callbacks/cloudonix');
    const heard: unknown[] = [];
    const mailbox = desk.open((progress) => heard.push(progress));
    expect(mailbox.callbackUrl.startsWith('https://agents.example/callbacks/cloudonix/')).toBe(true);
    const [transferId, secret] = partsOf(mailbox.callbackUrl);
    expect(transferId).toBe(mailbox.transferId);
    expect(desk.deliver(transferId, secret, null)).toBe(true);
    expect(desk.deliver(transferId, secret, { type: 'answered' })).toBe(true);
    expect(heard).toEqual([{ type: 'answered' }]);
    mailbox.close();
    expect(desk.deliver(transferId, secret, { type: 'answered' })).toBe(false);
    expect(heard).toHaveLength(1);
  });

  it('takes nothing from who does not know the secret', () => {
    const desk = createTransferDesk(() => 'https://agents.example');
    const heard: unknown[] = [];
    const { callbackUrl } = desk.open((progress) => heard.push(progress));
    const other = desk.open(() => undefined);
    const [transferId, secret] = partsOf(callbackUrl);
    const [, otherSecret] = partsOf(other.callbackUrl);
    for (const wrong of ['', secret.slice(1), `${secret}x`, secret.toUpperCase(), otherSecret, 'é'.repeat(secret.length)])
      expect(desk.deliver(transferId, wrong, { type: 'answered' })).toBe(false);
    expect(desk.deliver('unknown', secret, { type: 'answered' })).toBe(false);
    expect(heard).toEqual([]);
  });

  it('gives every transfer a secret of its own, with 128 bits and more', () => {
    const desk = createTransferDesk(() => 'https://agents.example');
    const secrets = Array.from({ length: 50 }, () => partsOf(desk.open(() => undefined).callbackUrl)[1]);
    expect(new Set(secrets).size).toBe(50);
    for (const secret of secrets) expect(Buffer.from(secret, 'base64url').length).toBeGreaterThanOrEqual(16);
  });

  it('keeps a bounded number waiting', () => {
    const desk = createTransferDesk(() => 'https://agents.example');
    const mailboxes = Array.from({ length: 1000 }, () => desk.open(() => undefined));
    expect(() => desk.open(() => undefined)).toThrow(expect.objectContaining({ code: 'transfer-unsupported' }));
    mailboxes[0]?.close();
    expect(() => desk.open(() => undefined)).not.toThrow();
  });
});
