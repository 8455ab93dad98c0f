import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { isTransferDestination } from '../base/transfer-destination.js';
import type { ProviderCall, ProviderControl, TransferProgress, TransferRequest } from '../telephony/provider.js';
import type { TransferMailboxes } from './transfer-desk.js';

/** A transfer as it was asked for. */
export interface TransferOrder {
  readonly destination: string;
  readonly mode: 'cold' | 'warm';
  readonly timeoutSeconds: number;
}

/** What a transfer needs of its call. */
export interface TransferPorts {
  readonly control: ProviderControl;
  readonly call: ProviderCall;
  readonly calledNumber: string | undefined;
  readonly transfers: TransferMailboxes;
  readonly clock: Clock;
  /** Aborts when the call has ended. */
  readonly signal: AbortSignal;
  /** The provider is about to take the caller away. @throws AgentStreamError where the call is ending: the caller is left alone */
  onMoving(): void;
}

/**
 * A request whose effect must be known is not aborted when the call ends: moving a caller ends the call before the answer comes, and a
 * destination that is being dialled can only be cancelled once the provider has named its leg. The provider's control bounds it in time.
 */
const untilAnswered = () => new AbortController().signal;

/**
 * Hands the call over. Cold: the provider replaces the call's flow by a dial. Warm: the destination is dialled into a conference
 * first, and the caller is moved once it answered; until then the agent keeps the caller.
 * @throws AgentStreamError `transfer-invalid-destination`, `transfer-unsupported`, `provider-*`, `run-not-live`; the caller was not moved
 */
export async function transferCall(order: TransferOrder, ports: TransferPorts): Promise<void> {
  if (!isTransferDestination(order.destination)) throw new AgentStreamError('transfer-invalid-destination');
  if (order.mode === 'warm') return transferWarm(order, ports);
  ports.onMoving();
  await ports.control.transferCold(ports.call, requestOf(order, ports), untilAnswered());
}

const requestOf = ({ destination, timeoutSeconds }: TransferOrder, { calledNumber }: TransferPorts): TransferRequest => ({
  destination,
  callerId: calledNumber,
  timeoutSeconds,
});

async function transferWarm(order: TransferOrder, ports: TransferPorts): Promise<void> {
  const progress = createProgress();
  // The mailbox is open before the destination is dialled: a fast answer is not lost.
  const mailbox = ports.transfers.open(progress.deliver);
  const { transferId, callbackUrl } = mailbox;
  const deadline = deadlineSignal(ports.clock, order.timeoutSeconds * 1000, ports.signal, () => notAnswered('no-answer'));
  try {
    const request = { ...requestOf(order, ports), callbackUrl, transferId, announcement: 'You have a call.' };
    const transfer = await ports.control.transferWarm(ports.call, request, untilAnswered());
    try {
      const result = await progress.next(deadline.signal);
      if (result.type === 'failed') throw notAnswered(result.reason);
      ports.onMoving();
      await transfer.moveCaller(untilAnswered());
    } catch (error) {
      // Nobody is left waiting in an empty conference. The caller need not wait for that, nor for whether it worked.
      transfer.cancel().catch(() => undefined);
      throw error;
    }
  } finally {
    deadline.dispose();
    mailbox.close();
  }
}

function notAnswered(reason: string): AgentStreamError {
  return new AgentStreamError('provider-rejected', { message: `The destination did not answer: ${reason}` });
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
