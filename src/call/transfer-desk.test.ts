import { describe, expect, it } from 'vitest';
import { createLog, silentLog } from '../base/log.js';
import { AgentStreamError } from '../base/errors.js';
import type { Notifications } from '../store/store.js';
import type { TransferProgress } from '../telephony/provider.js';
import { createTransferDesk } from './transfer-desk.js';

const answered = { type: 'answered' } as const;

const partsOf = (url: string): [string, string] => {
  const [transferId = '', secret = ''] = url.split('/').slice(-2);
  return [transferId, secret];
};

/** A database's notifications, as all of its nodes hear them. */
function createBus() {
  const listeners = new Set<(payload: never) => void>();
  const sent: unknown[] = [];
  const notifications: Notifications = {
    async notify(channel, payload) {
      sent.push([channel, payload]);
      for (const listener of [...listeners]) listener(JSON.parse(JSON.stringify(payload)) as never);
    },
    subscribe(_channel, listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  return { notifications, sent, listeners };
}

/** A node's desk. Nodes of one database have one key. */
const openDesk = (notifications = createBus().notifications, secretKey = Buffer.alloc(32, 7)) =>
  createTransferDesk({ publicUrl: () => 'https://agents.example', secretKey, notifications, log: silentLog });

describe('the transfer desk', () => {
  it('delivers what comes with the secret, while the transfer waits', () => {
    const bus = createBus();
    const desk = openDesk(bus.notifications).of('cloudonix');
    const heard: unknown[] = [];
    const mailbox = desk.open((progress) => heard.push(progress));
    expect(mailbox.callbackUrl.startsWith('https://agents.example/api/v1/telephony-callbacks/cloudonix/transfer/')).toBe(true);
    const [transferId, secret] = partsOf(mailbox.callbackUrl);
    expect(transferId).toBe(mailbox.transferId);
    expect(desk.deliver(transferId, secret, null)).toBe(true);
    expect(desk.deliver(transferId, secret, answered)).toBe(true);
    expect(heard).toEqual([answered]);
    expect(bus.sent).toEqual([]);
    mailbox.close();
    expect(desk.deliver(transferId, secret, answered)).toBe(true);
    expect(heard).toHaveLength(1);
  });

  it('passes what another node’s call waits for on to it, and nothing that says nothing', () => {
    const bus = createBus();
    const [holder, other] = [openDesk(bus.notifications), openDesk(bus.notifications)];
    const heard: TransferProgress[] = [];
    const [transferId, secret] = partsOf(holder.of('cloudonix').open((progress) => heard.push(progress)).callbackUrl);
    expect(other.of('cloudonix').deliver(transferId, secret, null)).toBe(true);
    expect(bus.sent).toEqual([]);
    expect(other.of('cloudonix').deliver(transferId, secret, { type: 'failed', reason: 'busy' })).toBe(true);
    expect(heard).toEqual([{ type: 'failed', reason: 'busy' }]);
    expect(bus.sent).toHaveLength(1);
    expect(JSON.stringify(bus.sent)).not.toContain(secret);
    holder.close();
    other.close();
    expect(bus.listeners.size).toBe(0);
  });

  it('takes nothing from who does not know the secret, and tells no other node of it', () => {
    const bus = createBus();
    const desk = openDesk(bus.notifications).of('cloudonix');
    const heard: unknown[] = [];
    const { callbackUrl } = desk.open((progress) => heard.push(progress));
    const other = desk.open(() => undefined);
    const [transferId, secret] = partsOf(callbackUrl);
    const [, otherSecret] = partsOf(other.callbackUrl);
    for (const wrong of ['', secret.slice(1), `${secret}x`, secret.toUpperCase(), otherSecret, 'é'.repeat(secret.length)])
      expect(desk.deliver(transferId, wrong, answered)).toBe(false);
    expect(desk.deliver('unknown', secret, answered)).toBe(false);
    expect(openDesk(bus.notifications).of('another').deliver(transferId, secret, answered)).toBe(false);
    expect(openDesk(bus.notifications, Buffer.alloc(32, 8)).of('cloudonix').deliver(transferId, secret, answered)).toBe(false);
    expect(heard).toEqual([]);
    expect(bus.sent).toEqual([]);
  });

  it('survives a database that passes nothing on, and names no secret in the log', async () => {
    const lines: string[] = [];
    const log = createLog('debug', { write: (line: string) => lines.push(line) });
    const notifications: Notifications = { notify: () => Promise.reject(new AgentStreamError('database-unavailable')), subscribe: () => () => undefined };
    const desk = createTransferDesk({ publicUrl: () => 'https://agents.example', secretKey: Buffer.alloc(32, 7), notifications, log }).of('cloudonix');
    const mailbox = desk.open(() => undefined);
    mailbox.close();
    const [transferId, secret] = partsOf(mailbox.callbackUrl);
    expect(desk.deliver(transferId, secret, answered)).toBe(true);
    await new Promise(setImmediate);
    expect(lines.join('')).toContain('could not be relayed');
    expect(lines.join('')).not.toContain(secret);
  });

  it('gives every transfer a secret of its own, with 128 bits and more', () => {
    const desk = openDesk().of('cloudonix');
    const secrets = Array.from({ length: 50 }, () => partsOf(desk.open(() => undefined).callbackUrl)[1]);
    expect(new Set(secrets).size).toBe(50);
    for (const secret of secrets) expect(Buffer.from(secret, 'base64url').length).toBeGreaterThanOrEqual(16);
  });

  it('keeps a bounded number waiting', () => {
    const desk = openDesk().of('cloudonix');
    const mailboxes = Array.from({ length: 1000 }, () => desk.open(() => undefined));
    expect(() => desk.open(() => undefined)).toThrow(expect.objectContaining({ code: 'transfer-unsupported' }));
    mailboxes[0]?.close();
    expect(() => desk.open(() => undefined)).not.toThrow();
  });
});
