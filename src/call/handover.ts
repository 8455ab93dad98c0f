import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { CallExit } from './call-exit.js';
import type { RecordEvent } from './call-reporter.js';
import { transferCall, type TransferOrder, type TransferPorts } from './transfer.js';

/** Gives the caller to somebody else, one transfer at a time. */
export interface Handover {
  readonly isUnderWay: boolean;
  /**
   * Resolves when the caller was moved: the call is ending then.
   * @throws AgentStreamError `transfer-*`, `provider-*`, `conflict`, `run-not-live`; the caller was not moved
   */
  transfer(order: TransferOrder): Promise<void>;
}

/** Creates the handover of one call. */
export function createHandover(options: {
  readonly ports: Omit<TransferPorts, 'signal' | 'onMoving'>;
  readonly exit: Pick<CallExit<unknown>, 'signal' | 'beginMove' | 'cancelMove' | 'completeMove'>;
  readonly record: RecordEvent;
}): Handover {
  const { exit, ports, record } = options;
  let isUnderWay = false;

  return {
    get isUnderWay() {
      return isUnderWay;
    },
    async transfer(order) {
      if (isUnderWay) throw new AgentStreamError('conflict', { message: 'A transfer is under way already' });
      isUnderWay = true;
      record('transfer-started', { mode: order.mode });
      try {
        await transferCall(order, { ...ports, signal: exit.signal, onMoving: () => exit.beginMove() });
        exit.completeMove();
      } catch (error) {
        isUnderWay = false;
        const failure = toAgentStreamError(error);
        if (!exit.signal.aborted) record('transfer-failed', { code: failure.code, message: failure.message });
        exit.cancelMove();
        throw failure;
      }
    },
  };
}
