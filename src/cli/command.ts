import type { Command } from 'commander';
import type { Clock } from '../base/clock.js';
import type { Output } from './output.js';

/** What every command gets from outside, so that tests can run commands in process. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly output: Output;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** Aborts on the first Ctrl-C or SIGTERM. A second one ends the process at once, unless the command listens for it itself. */
  readonly signal: AbortSignal;
}

/**
 * Adds options, arguments, sub-commands, help texts and the action to `command`, which already carries name and summary.
 * Actions throw {@link CliError} to end with another status than 0. Each module in `commands/` exports one of these as `register`.
 */
export type RegisterCommand = (command: Command, context: CliContext) => void;
