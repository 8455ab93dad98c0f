import { randomUUID } from 'node:crypto';
import { deadlineSignal, type Clock } from '../base/clock.js';
import { errorCatalogue, type ErrorCode } from '../base/error-catalogue.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { NotificationPayloads, Notifications, RunCommand } from '../store/store.js';

/** How long another node may take to carry out a command. */
const REMOTE_CONTROL_TIMEOUT_MS = 10_000;

type CommandResult = NotificationPayloads['run_control_result'];

/** Commands for calls that another node holds, both ways. */
export interface RemoteControl {
  /** Has the node that holds the call carry out a command. @throws AgentStreamError `run-not-live` where none answers, or what the command threw there */
  send(runId: string, command: RunCommand, signal: AbortSignal): Promise<void>;
  /** Stops listening for commands of other nodes. */
  close(): void;
}

/** Creates the remote control of this node. `find` gives the calls that it holds itself. */
export function createRemoteControl(options: {
  readonly notifications: Notifications;
  readonly clock: Clock;
  readonly log: Log;
  readonly find: (runId: string) => { command(command: RunCommand): Promise<void> } | undefined;
}): RemoteControl {
  const { notifications, clock, log } = options;
  const waiting = new Map<string, (result: CommandResult) => void>();

  function answer(result: CommandResult): void {
    notifications.notify('run_control_result', result).catch((error: unknown) => {
      log.warn('A control result could not be sent', { error: toAgentStreamError(error).message });
    });
  }

  const unsubscribeCommands = notifications.subscribe('run_control', ({ runId, commandId, command }) => {
    options.find(runId)?.command(command).then(
      () => answer({ commandId, ok: true }),
      (error: unknown) => {
        const { code, message } = toAgentStreamError(error);
        answer({ commandId, ok: false, code, message });
      },
    );
  });
  const unsubscribeResults = notifications.subscribe('run_control_result', (result) => waiting.get(result.commandId)?.(result));

  return {
    async send(runId, command, parent) {
      const commandId = randomUUID();
      const { signal, dispose } = deadlineSignal(clock, REMOTE_CONTROL_TIMEOUT_MS, parent, () => new AgentStreamError('run-not-live'));
      try {
        const result = new Promise<CommandResult>((resolve, reject) => {
          waiting.set(commandId, resolve);
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        });
        // The deadline may pass before the notification is sent, and nobody awaits the result yet.
        result.catch(() => undefined);
        await notifications.notify('run_control', { runId, commandId, command });
        const { ok, code, message } = await result;
        if (!ok) throw new AgentStreamError(isErrorCode(code) ? code : 'internal-error', message === undefined ? {} : { message });
      } finally {
        waiting.delete(commandId);
        dispose();
      }
    },
    close() {
      unsubscribeCommands();
      unsubscribeResults();
    },
  };
}

function isErrorCode(code: string | undefined): code is ErrorCode {
  return code !== undefined && Object.hasOwn(errorCatalogue, code);
}
