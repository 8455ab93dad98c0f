import { randomBytes, timingSafeEqual } from 'node:crypto';
import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { ProviderCall, ProviderControl, TransferProgress } from '../telephony/provider.js';

/** E.164: a plus and up to 15 digits, the first not 0 (ITU-T E.164 §6). */
const E164 = /^\+[1-9]\d{1,14}$/;

/** A SIP or SIPS URI without spaces or markup. */
const SIP_URI = /^sips?:[^\s<>"'&@]{1,64}@[A-Za-z0-9.-]{1,253}(:\d{1,5})?$/;

/** Warm transfers that may wait for their destination at once, in one process. */
const MAX_WAITING_TRANSFERS = 1000;

/** True where a call may be sent there. */
export function isTransferDestination(destination: string): boolean {
  return E164.test(destination) || SIP_URI.test(destination);
}

/** Warm transfers of this node that wait for what the provider posts about the destination's leg. */
export interface TransferDesk {
  /** Opens a mailbox whose URL only the provider gets to know. @throws AgentStreamError `transfer-unsupported` where too many wait */
  open(onProgress: (progress: TransferProgress) => void): { transferId: string; callbackUrl: string; close(): void };
  /** A post arrived. False for an unknown transfer or a wrong secret. */
  deliver(transferId: string, secret: string, progress: TransferProgress | null): boolean;
}

/** Creates the desk. `callbackBaseUrl` precedes `/{transferId}/{secret}`. */
export function createTransferDesk(callbackBaseUrl: () => string): TransferDesk {
  const waiting = new Map<string, { secret: Buffer; onProgress: (progress: TransferProgress) => void }>();
  return {
    open(onProgress) {
      if (waiting.size >= MAX_WAITING_TRANSFERS) throw new AgentStreamError('transfer-unsupported', { message: 'Too many transfers are waiting' });
      const transferId = randomBytes(9).toString('base64url');
      const secret = randomBytes(24).toString('base64url');
      waiting.set(transferId, { secret: Buffer.from(secret), onProgress });
      return { transferId, callbackUrl: `${callbackBaseUrl()}/${transferId}/${secret}`, close: () => void waiting.delete(transferId) };
    },
    deliver(transferId, secret, progress) {
      const entry = waiting.get(transferId);
      const given = Buffer.from(secret);
      if (entry === undefined || given.length !== entry.secret.length || !timingSafeEqual(given, entry.secret)) return false;
      if (progress !== null) entry.onProgress(progress);
      return true;
    },
  };
}

/** What a transfer needs of its call. */
export interface TransferPorts {
  readonly control: ProviderControl;
  readonly call: ProviderCall;
  readonly calledNumber: string | undefined;
  readonly transfers: TransferDesk;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The provider is about to take the caller away. */
  onMoving(): void;
}

/**
 * Hands the call over. Cold: the provider replaces the call's flow by a dial. Warm: the destination is dialled into a conference
 * first, and the caller is moved once it answered; until then the agent keeps the caller.
 * @throws AgentStreamError `transfer-invalid-destination`, `transfer-unsupported`, `provider-*`; the caller stays with the agent
 */
export async function transferCall(
  request: { destination: string; mode: 'cold' | 'warm'; timeoutSeconds: number },
  ports: TransferPorts,
): Promise<void> {
  if (!isTransferDestination(request.destination)) throw new AgentStreamError('transfer-invalid-destination');
  const details = { destination: request.destination, callerId: ports.calledNumber, timeoutSeconds: request.timeoutSeconds };
  if (request.mode === 'cold') {
    ports.onMoving();
    await ports.control.transferCold(ports.call, details, ports.signal);
    return;
  }
  const progress = createProgress();
  const mailbox = ports.transfers.open(progress.deliver);
  const waitMs = request.timeoutSeconds * 1000;
  const deadline = deadlineSignal(ports.clock, waitMs, ports.signal, () => new AgentStreamError('provider-unreachable'));
  try {
    // The mailbox is open before the destination is dialled: a fast answer is not lost.
    const transfer = await ports.control.transferWarm(
      ports.call,
      { ...details, callbackUrl: mailbox.callbackUrl, transferId: mailbox.transferId, announcement: 'You have a call.' },
      deadline.signal,
    );
    try {
      const result = await progress.next(deadline.signal);
      if (result.type === 'failed') throw new AgentStreamError('provider-rejected', { message: `The destination did not answer: ${result.reason}` });
      ports.onMoving();
      await transfer.moveCaller(ports.signal);
    } catch (error) {
      // Nobody is left waiting in an empty conference. The caller hears of the failure either way.
      await transfer.cancel().catch(() => undefined);
      throw error;
    }
  } finally {
    deadline.dispose();
    mailbox.close();
  }
}

/** The first progress report, whether it comes before or after it is waited for. */
function createProgress() {
  let deliver: (progress: TransferProgress) => void = () => undefined;
  const first = new Promise<TransferProgress>((resolve) => {
    deliver = resolve;
  });
  return {
    deliver: (progress: TransferProgress) => deliver(progress),
    next: (signal: AbortSignal) =>
      new Promise<TransferProgress>((resolve, reject) => {
        const onAbort = () => reject(signal.reason);
        if (signal.aborted) onAbort();
        signal.addEventListener('abort', onAbort, { once: true });
        void first.then(resolve);
      }),
  };
}
