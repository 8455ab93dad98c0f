import { setMaxListeners } from 'node:events';
import { deadlineSignal } from '../../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../../base/errors.js';
import type { CliContext } from '../command.js';
import type { Scenario } from './scenario-file.js';
import { hasPassed, type ScenarioResult, type ScenarioRunner, type UsedModel } from './scenario-runner.js';

/** Scenarios with what plays them. */
export interface PlayableSuite {
  readonly name: string;
  /** Answers of tools' servers are made up. */
  readonly hasStubs: boolean;
  readonly scenarios: readonly Scenario[];
  readonly runner: ScenarioRunner;
}

/** A file's results, in the order of its scenarios. */
export interface SuiteResult {
  readonly name: string;
  readonly hasStubs: boolean;
  readonly models: Readonly<Record<string, UsedModel>>;
  readonly results: readonly ScenarioResult[];
}

/** How suites are played. */
export interface PlayOptions {
  /** Scenarios at once. */
  readonly concurrency: number;
  /** Longest time of one scenario. */
  readonly timeoutMs: number;
  readonly onResult?: (suite: string, result: ScenarioResult) => void;
}

/** A scenario that breaks off has failed at that point; the others still run. */
async function runInTime(scenario: Scenario, runner: ScenarioRunner, timeoutMs: number, { clock, signal }: Pick<CliContext, 'clock' | 'signal'>): Promise<ScenarioResult> {
  const tooLong = () => new AgentStreamError('internal-error', { message: `not done after ${timeoutMs / 1000} s` });
  const deadline = deadlineSignal(clock, timeoutMs, signal, tooLong);
  const startMs = clock.nowMs();
  try {
    return await runner.run(scenario, deadline.signal);
  } catch (error) {
    signal.throwIfAborted();
    const durationMs = clock.nowMs() - startMs;
    const cause: unknown = deadline.signal.aborted ? deadline.signal.reason : error;
    const message = cause instanceof Error ? cause.message : toAgentStreamError(cause).message;
    return { name: scenario.name, durationMs, turns: [{ input: '', said: [], problems: [message], durationMs }], notes: [] };
  } finally {
    deadline.dispose();
  }
}

/** Plays every scenario of the suites, some at once. @throws the signal's reason on abort, once what was under way has ended */
export async function playSuites(suites: readonly PlayableSuite[], options: PlayOptions, context: Pick<CliContext, 'clock' | 'signal'>): Promise<readonly SuiteResult[]> {
  // Every scenario at play listens to it.
  setMaxListeners(0, context.signal);
  const results = suites.map(({ scenarios }) => Array.from<ScenarioResult | undefined>({ length: scenarios.length }));
  const waiting = suites.flatMap(({ name, scenarios, runner }, suite) => scenarios.map((scenario, place) => ({ name, runner, scenario, suite, place })));
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined && !context.signal.aborted; next = waiting.shift()) {
      const result = await runInTime(next.scenario, next.runner, options.timeoutMs, context);
      (results[next.suite] ?? [])[next.place] = result;
      options.onResult?.(next.name, result);
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: options.concurrency }, work));
  context.signal.throwIfAborted();
  for (const worker of workers) if (worker.status === 'rejected') throw worker.reason;
  return suites.map(({ name, hasStubs, runner }, index) => ({ name, hasStubs, models: runner.models(), results: (results[index] ?? []).filter((result) => result !== undefined) }));
}

/** Scenarios that did not pass. */
export const countFailed = (done: readonly SuiteResult[]): number => done.flatMap(({ results }) => results).filter((result) => !hasPassed(result)).length;
