import type { Scenario, ScenarioTurn } from './scenario-file.js';

/** One turn as it went. */
export interface JudgedTurn {
  /** What the caller did; empty for the opening. */
  readonly input: string;
  readonly said: readonly string[];
  readonly problems: readonly string[];
  readonly durationMs: number;
}

/** One conversation as it went. */
export interface ScenarioResult {
  readonly name: string;
  readonly turns: readonly JudgedTurn[];
  readonly durationMs: number;
  /** Whatever else is worth telling of it, such as its run. */
  readonly notes: readonly string[];
}

/** A vendor that took part. */
export interface UsedModel {
  /** `vendor/model`. */
  readonly name: string;
  readonly isSimulated: boolean;
}

/** Plays the scenarios of one evaluation file: in writing, or through calls. Both judge by the same rules. */
export interface ScenarioRunner {
  /** Who took part, by what they do; what is not known before the first conversation is told after it. */
  models(): Readonly<Record<string, UsedModel>>;
  /**
   * Plays one scenario and judges it. Several may be played at once.
   * @throws AgentStreamError, CliError where it cannot be played; the signal's reason on abort
   */
  run(scenario: Scenario, signal: AbortSignal): Promise<ScenarioResult>;
  /** Puts away what was made for the scenarios. */
  close(): Promise<void>;
}

/** True where everything was as expected. */
export const hasPassed = ({ turns }: ScenarioResult): boolean => turns.every(({ problems }) => problems.length === 0);

/** What the caller does, for reports. */
export function describeInput({ caller, press, transfer_fails: reason }: ScenarioTurn): string {
  if (caller !== undefined) return caller;
  if (press !== undefined) return `[presses ${press}]`;
  return reason === undefined ? '[says nothing]' : `[the transfer fails: ${reason}]`;
}

/** What a turn that the conversation's end left unplayed says. */
export const afterTheEnd = (ending: string): string => `the conversation had ended before (${ending})`;
