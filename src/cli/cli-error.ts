import type { ExitCode } from './exit-codes.js';

/** An error meant for the person at the terminal: one line that says what happened and where, and one that says what to do. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  /** What to do about it; printed below the message. */
  readonly cure: string | undefined;

  constructor(exitCode: ExitCode, message: string, options: { cure?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CliError';
    this.exitCode = exitCode;
    this.cure = options.cure;
  }
}
