import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { CallExit } from './call-exit.js';
import type { RecordEvent } from './call-reporter.js';
import { transferCall, type TransferOrder, type TransferPorts } from './transfer.js';

/** Gives the caller to somebody else, one transfer at a time. */
export interface Handover {
  readonly isUnderWay: boolean;
  /** The caller does something else: a destination that has not answered is no longer dialled. */
  cancel(): void;
  /**
   * Resolves when the caller was moved (the call is ending then), or when the transfer was cancelled.
   * @throws AgentStreamError `transfer-*`, `provider-*`, `conflict`, `run-not-live`; the caller was not moved
   */
  transfer(order: TransferOrder): Promise<'moved' | 'cancelled'>;
}

/** Creates the handover of one call. */
export function createHandover(options: {
  readonly ports: Omit<TransferPorts, 'signal' | 'onMoving'>;
  readonly exit: Pick<CallExit<unknown>, 'signal' | 'beginMove' | 'cancelMove' | 'completeMove'>;
  readonly record: RecordEvent;
}): Handover {
  const { exit, ports, record } = options;
  let cancelling: AbortController | null = null;

  return {
    get isUnderWay() {
      return cancelling !== null;
    },
    cancel() {
      cancelling?.abort(new AgentStreamError('conflict', { message: 'The caller left the transfer' }));
    },
    async transfer(order) {
      if (cancelling !== null) throw new AgentStreamError('conflict', { message: 'A transfer is under way already' });
      const controller = new AbortController();
      cancelling = controller;
      record('transfer-started', { mode: order.mode });
      try {
        await transferCall(order, { ...ports, signal: AbortSignal.any([exit.signal, controller.signal]), onMoving: () => exit.beginMove() });
        exit.completeMove();
        return 'moved';
      } catch (error) {
        cancelling = null;
        if (controller.signal.aborted && !exit.signal.aborted) {
          record('transfer-cancelled');
          exit.cancelMove();
          return 'cancelled';
        }
        const failure = toAgentStreamError(error);
        if (!exit.signal.aborted) record('transfer-failed', { code: failure.code, message: failure.message });
        exit.cancelMove();
        throw failure;
      }
    },
  };
}
