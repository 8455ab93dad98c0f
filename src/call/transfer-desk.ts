import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Notifications } from '../store/store.js';
import type { TransferProgress } from '../telephony/provider.js';

/** Warm transfers that may wait for their destination at once, in one process. */
const MAX_WAITING_TRANSFERS = 1000;

/** Warm transfers of one provider's calls that wait for what it posts about the destination's leg. */
export interface TransferMailboxes {
  /** Opens a mailbox whose URL only the provider gets to know. @throws AgentStreamError `transfer-unsupported` where too many wait */
  open(onProgress: (progress: TransferProgress) => void): { transferId: string; callbackUrl: string; close(): void };
  /**
   * A post arrived at this node; null where it says nothing about progress. It reaches the call that waits, whichever node holds it, and nobody
   * where none waits any more. False: the URL was never given out.
   */
  deliver(transferId: string, secret: string, progress: TransferProgress | null): boolean;
}

/** The mailboxes of this node. */
export interface TransferDesk {
  /** Those of a provider: a URL counts only under the name it was given out with. */
  of(provider: string): TransferMailboxes;
  /** Stops listening to other nodes. */
  close(): void;
}

/**
 * Creates the desk. A callback's URL carries an HMAC of its transfer under a key that the nodes of one database share, so that any of them
 * knows a real one without asking, and a guess costs the others nothing.
 */
export function createTransferDesk(options: {
  /** Origin that providers reach this server at. */
  readonly publicUrl: () => string;
  /** The key that seals stored credentials; the callbacks' own is derived from it (RFC 5869). */
  readonly secretKey: Buffer;
  readonly notifications: Notifications;
  readonly log: Log;
}): TransferDesk {
  const { publicUrl, notifications, log } = options;
  const key = Buffer.from(hkdfSync('sha256', options.secretKey, '', 'agent-stream transfer callbacks', 32));
  const waiting = new Map<string, (progress: TransferProgress) => void>();
  const unsubscribe = notifications.subscribe('transfer_progress', ({ transferId, progress }) => waiting.get(transferId)?.(progress));

  function relay(transferId: string, progress: TransferProgress): void {
    notifications.notify('transfer_progress', { transferId, progress }).catch((error: unknown) => {
      log.warn('The progress of a transfer could not be relayed', { error: toAgentStreamError(error).message });
    });
  }

  function mailboxesOf(provider: string): TransferMailboxes {
    const secretOf = (transferId: string) => createHmac('sha256', key).update(JSON.stringify([provider, transferId])).digest('base64url');
    return {
      open(onProgress) {
        if (waiting.size >= MAX_WAITING_TRANSFERS) throw new AgentStreamError('transfer-unsupported', { message: 'Too many transfers are waiting' });
        const transferId = randomBytes(9).toString('base64url');
        waiting.set(transferId, onProgress);
        const callbackUrl = `${publicUrl()}/api/v1/telephony-callbacks/${provider}/transfer/${transferId}/${secretOf(transferId)}`;
        return { transferId, callbackUrl, close: () => void waiting.delete(transferId) };
      },
      deliver(transferId, secret, progress) {
        const [given, right] = [Buffer.from(secret), Buffer.from(secretOf(transferId))];
        if (given.length !== right.length || !timingSafeEqual(given, right)) return false;
        const onProgress = waiting.get(transferId);
        if (progress === null) return true;
        if (onProgress === undefined) relay(transferId, progress);
        else onProgress(progress);
        return true;
      },
    };
  }

  return { of: mailboxesOf, close: unsubscribe };
}
