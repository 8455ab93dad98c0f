import { writeFileSync } from 'node:fs';
import { InvalidArgumentError, Option } from 'commander';
import { CliError } from '../cli-error.js';
import type { CliContext, RegisterCommand } from '../command.js';
import { openCallStage } from '../evaluation/call-stage.js';
import { junitReport } from '../evaluation/junit.js';
import { countFailed, playSuites, type PlayableSuite, type SuiteResult } from '../evaluation/play-suites.js';
import { hasPassed, type ScenarioResult } from '../evaluation/scenario-runner.js';
import { openSuite, type Suite } from '../evaluation/suite.js';
import { exitCodes } from '../exit-codes.js';

/** Longest time of one scenario, seconds: calls take as long as people do. */
const defaultTimeoutSeconds = { text: 120, audio: 300 };

/** Calls at once: each one speaks, listens and understands on this machine. */
const defaultConcurrency = 2;
const maxConcurrency = 20;

const help = `
Each file names an agent file and holds conversations with what is expected of every turn (docs/evaluations.md). They are held in
writing, without a server: the workflow engine of a call, and the language model that the agent's settings, the environment's keys or,
where there is none, the simulated builtin model give.

With --audio each conversation is a call: a server on a free port with the embedded database in the data directory, or the one of
--server; a simulated Cloudonix and caller against it over the real socket, with real audio, in real time. A server of --server must have
been started with CLOUDONIX_API_BASE_URL=http://127.0.0.1:8095.

Examples:
  $ agent-stream eval examples/reception.eval.yaml
  $ agent-stream eval evals/*.yaml --builtin --junit results.xml
  $ agent-stream eval examples/reception.eval.yaml --audio --builtin

Exit status: 0 all passed, 1 at least one did not, 2 usage or a file that cannot be used, 130 interrupted.
`;

interface EvalOptions {
  readonly audio?: boolean;
  readonly server?: string;
  readonly concurrency: number;
  readonly builtin?: boolean;
  readonly only?: string;
  readonly junit?: string;
  readonly json?: boolean;
  readonly timeout?: number;
}

/** Registers `eval`. */
export const register: RegisterCommand = (command, context) => {
  command
    .argument('<file...>', 'evaluation files (YAML or JSON)')
    .option('--audio', 'through calls with real audio, not in writing')
    .addOption(new Option('--server <url>', 'server to call (default: one of its own)').implies({ audio: true }))
    .option('--concurrency <count>', 'calls at once', parseCount, defaultConcurrency)
    .option('--builtin', 'the simulated builtin vendors, whatever agent and environment say')
    .option('--only <text>', 'only scenarios whose name holds this text')
    .option('--timeout <seconds>', 'longest time of one scenario (default 120, with --audio 300)', parseSeconds)
    .option('--junit <file>', 'write a JUnit report')
    .option('--json', 'print the results as JSON')
    .addHelpText('after', help)
    .action((files: readonly string[], options: EvalOptions) => evaluate(files, options, context));
};

async function evaluate(files: readonly string[], options: EvalOptions, context: CliContext): Promise<void> {
  // Every file is read before the first conversation: what is wrong with the last one is said at once.
  const suites = await Promise.all(files.map((path) => openSuite(path, options, context)));
  if (suites.every(({ scenarios }) => scenarios.length === 0)) throw new CliError(exitCodes.usage, `no scenario's name holds "${options.only ?? ''}"`);
  const done = options.audio === true ? await callThrough(suites, options, context) : await write(suites, options, context);
  if (options.junit !== undefined) writeFileSync(options.junit, junitReport(done));
  if (options.json === true) context.output.json(done);
  else report(done, context);
  const failed = countFailed(done);
  if (failed > 0) throw new CliError(exitCodes.failure, `${failed} ${failed === 1 ? 'scenario' : 'scenarios'} did not pass`);
}

async function write(suites: readonly Suite[], options: EvalOptions, context: CliContext): Promise<readonly SuiteResult[]> {
  const playable = suites.map(({ file, scenarios, inWriting }): PlayableSuite => ({ name: file.name, hasStubs: file.stubs.length > 0, scenarios, runner: inWriting() }));
  try {
    return await playSuites(playable, { concurrency: 1, timeoutMs: (options.timeout ?? defaultTimeoutSeconds.text) * 1000 }, context);
  } finally {
    for (const { runner } of playable) await runner.close();
  }
}

/** Whatever happens, the agents that were made are archived, and a server of its own is stopped. */
async function callThrough(suites: readonly Suite[], options: EvalOptions, context: CliContext): Promise<readonly SuiteResult[]> {
  const { output, signal } = context;
  const stubs = suites.flatMap(({ file }) => file.stubs);
  if (stubs.length > 0 && options.server !== undefined) throw new CliError(exitCodes.usage, 'stubs answer in place of servers only where the evaluation has a server of its own', { cure: 'Leave out --server.' });
  const stage = await openCallStage({ server: options.server, lines: options.concurrency, stubs }, context);
  const playable = suites.map(({ file, scenarios, throughAudio }): PlayableSuite => ({ name: file.name, hasStubs: file.stubs.length > 0, scenarios, runner: throughAudio(stage) }));
  const count = playable.reduce((sum, { scenarios }) => sum + scenarios.length, 0);
  output.note(`Holding ${count} ${count === 1 ? 'call' : 'calls'}, ${options.concurrency} at once. Caller and carrier are simulated.`);
  let held = 0;
  try {
    return await playSuites(
      playable,
      {
        concurrency: options.concurrency,
        timeoutMs: (options.timeout ?? defaultTimeoutSeconds.audio) * 1000,
        onResult: (suite, result) => output.note(`  ${(held += 1)}/${count} ${suite} · ${result.name}: ${hasPassed(result) ? 'passed' : 'failed'}`),
      },
      context,
    );
  } catch (error) {
    if (signal.aborted) throw new CliError(exitCodes.interrupted, 'interrupted');
    throw error;
  } finally {
    for (const { runner } of playable) await runner.close().catch((error: unknown) => output.note(`An agent could not be archived: ${String(error)}`));
    await stage.close();
  }
}

function report(done: readonly SuiteResult[], { output }: CliContext): void {
  const { colors } = output;
  const columns = [{ title: 'scenario' }, { title: 'turns', align: 'right' }, { title: 'time', align: 'right' }, { title: 'result' }] as const;
  for (const { name, models, hasStubs, results } of done) {
    const used = Object.entries(models).map(([deed, model]) => `${deed} ${model.name}${model.isSimulated ? ' (simulated)' : ''}`);
    output.line([name, ...used, ...(hasStubs ? ['tools answered by stubs (simulated)'] : [])].join(', '));
    const rows = results.map((result) => [result.name, String(result.turns.length), `${Math.round(result.durationMs)} ms`, hasPassed(result) ? 'passed' : 'failed']);
    output.table(columns, rows);
    for (const result of results) for (const line of problemLines(result)) output.line(colors.red(line));
    output.line();
  }
}

function problemLines(result: ScenarioResult): readonly string[] {
  const problems = result.turns.flatMap(({ input, problems: found }) => found.map((problem) => `  ${result.name} · ${input === '' ? 'opening' : input}: ${problem}`));
  return problems.length === 0 ? [] : [...problems, ...result.notes.map((note) => `  ${result.name} · ${note}`)];
}

function parseCount(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > maxConcurrency) throw new InvalidArgumentError(`takes a number from 1 to ${maxConcurrency}`);
  return value;
}

function parseSeconds(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 3600) throw new InvalidArgumentError('takes seconds from 1 to 3600');
  return value;
}
