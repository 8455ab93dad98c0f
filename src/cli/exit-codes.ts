/** What the process's exit status says. Stable: scripts rely on it (docs/cli.md). */
export const exitCodes = {
  /** Done. */
  ok: 0,
  /** Something failed that no other code names; `agents diff` found differences, `eval` a scenario that did not pass. */
  failure: 1,
  /** The command line is wrong: unknown command or option, missing argument, unreadable file. */
  usage: 2,
  /** The server does not answer at the given address. */
  cannotConnect: 3,
  /** The server answered and refused: not authenticated, not found, invalid. */
  refused: 4,
  /** A simulated call did not end as it should. */
  callFailed: 5,
  /** `doctor` found problems. */
  problemsFound: 6,
  /** Ended by Ctrl-C or SIGTERM before the work was done (128 + SIGINT). */
  interrupted: 130,
} as const;

/** One of the values of {@link exitCodes}. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
