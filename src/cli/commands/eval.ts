import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { deadlineSignal } from '../../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../../base/errors.js';
import type { ChatPorts } from '../../call/text-chat.js';
import { modelsSchema, resolveModels } from '../../speech/models.js';
import type { LanguageModel } from '../../speech/language-model.js';
import { compileWorkflow } from '../../workflow/compile.js';
import type { WorkflowGraph } from '../../workflow/graph.js';
import { parseSettings } from '../../workflow/settings.js';
import { readAgentContent, type AgentFileContent } from '../agent-file.js';
import { CliError } from '../cli-error.js';
import type { CliContext, RegisterCommand } from '../command.js';
import { junitReport } from '../evaluation/junit.js';
import { hasPassed, runScenario, type ScenarioResult } from '../evaluation/run-scenario.js';
import { readEvaluationFile, type EvaluationFile, type Scenario } from '../evaluation/scenario-file.js';
import { exitCodes } from '../exit-codes.js';

const defaultTimeoutSeconds = 120;

const help = `
Each file names an agent file and holds conversations in writing with what is expected of every turn (docs/evaluations.md). The
conversations run here, without a server: the workflow engine of a call, and the language model that the agent's settings, the
environment's keys or, where there is none, the simulated builtin model give.

Examples:
  $ agent-stream eval examples/reception.eval.yaml
  $ agent-stream eval evals/*.yaml --builtin --junit results.xml

Exit status: 0 all passed, 1 at least one did not, 2 usage or a file that cannot be used, 130 interrupted.
`;

interface EvalOptions {
  readonly builtin?: boolean;
  readonly only?: string;
  readonly junit?: string;
  readonly json?: boolean;
  readonly timeout: number;
}

/** Registers `eval`. */
export const register: RegisterCommand = (command, context) => {
  command
    .argument('<file...>', 'evaluation files (YAML or JSON)')
    .option('--builtin', 'the simulated builtin model, whatever agent and environment say')
    .option('--only <text>', 'only scenarios whose name holds this text')
    .option('--timeout <seconds>', 'longest time of one scenario', parseSeconds, defaultTimeoutSeconds)
    .option('--junit <file>', 'write a JUnit report')
    .option('--json', 'print the results as JSON')
    .addHelpText('after', help)
    .action((files: readonly string[], options: EvalOptions) => evaluate(files, options, context));
};

/** An evaluation file with its agent, ready to run. */
interface Suite {
  readonly file: EvaluationFile;
  readonly scenarios: readonly Scenario[];
  readonly graph: WorkflowGraph;
  readonly model: LanguageModel;
  readonly agentVariables: Readonly<Record<string, unknown>>;
}

async function evaluate(files: readonly string[], options: EvalOptions, context: CliContext): Promise<void> {
  // Every file is read before the first conversation: what is wrong with the last one is said at once.
  const suites = files.map((path) => openSuite(path, options, context));
  if (suites.every(({ scenarios }) => scenarios.length === 0)) throw new CliError(exitCodes.usage, `no scenario's name holds "${options.only ?? ''}"`);
  const done: { name: string; model: string; results: ScenarioResult[] }[] = [];
  for (const suite of suites) {
    const results: ScenarioResult[] = [];
    for (const scenario of suite.scenarios) results.push(await runInTime(scenario, suite, options, context));
    done.push({ name: basename(suite.file.path), model: `${suite.model.vendor}/${suite.model.model}`, results });
  }
  if (options.junit !== undefined) writeFileSync(options.junit, junitReport(done));
  if (options.json === true) context.output.json(done);
  else report(done, context);
  const failed = done.flatMap(({ results }) => results).filter((result) => !hasPassed(result)).length;
  if (failed > 0) throw new CliError(exitCodes.failure, `${failed} ${failed === 1 ? 'scenario' : 'scenarios'} did not pass`);
}

function openSuite(path: string, options: EvalOptions, { env, clock, fetch }: CliContext): Suite {
  const file = readEvaluationFile(path);
  const content: AgentFileContent = readAgentContent(file.agentPath);
  const settings = parseSettings(content.settings, modelsSchema);
  if (!settings.ok) throw unusableAgent(file, settings.problems);
  const compiled = compileWorkflow(content.workflow_definition, { settings: settings.settings });
  if (!compiled.ok) throw unusableAgent(file, compiled.problems);
  const agentModels = options.builtin === true ? { stt: builtin, llm: builtin, tts: builtin } : settings.settings.models;
  const { llm: model } = resolveModels({ agentModels, organizationModels: undefined, env, clock, fetch, credentials: {} });
  const only = options.only?.toLowerCase() ?? '';
  const scenarios = file.scenarios.filter(({ name }) => name.toLowerCase().includes(only));
  return { file, scenarios, graph: compiled.graph, model, agentVariables: content.template_context_variables ?? {} };
}

const builtin = { vendor: 'builtin' };

function unusableAgent({ path, agentPath }: EvaluationFile, problems: readonly { readonly id: string; readonly field: string; readonly message: string }[]): CliError {
  const listed = problems.slice(0, 10).map(({ id, field, message }) => `${id} ${field}: ${message}`);
  return new CliError(exitCodes.usage, `the agent ${agentPath} of ${path} cannot run: ${listed.join('; ')}`);
}

/** A scenario that breaks off has failed at that point; the others still run. */
async function runInTime(scenario: Scenario, suite: Suite, options: EvalOptions, { clock, signal }: CliContext): Promise<ScenarioResult> {
  const { graph, model, file, agentVariables } = suite;
  const tooLong = () => new AgentStreamError('internal-error', { message: `not done after ${options.timeout} s` });
  const deadline = deadlineSignal(clock, options.timeout * 1000, signal, tooLong);
  const ports: ChatPorts & { clock: typeof clock } = { graph, model, clock, signal: deadline.signal };
  const startMs = clock.nowMs();
  try {
    return await runScenario(scenario, { ...agentVariables, ...file.variables }, ports);
  } catch (error) {
    signal.throwIfAborted();
    const durationMs = clock.nowMs() - startMs;
    return { name: scenario.name, durationMs, turns: [{ input: '', said: [], problems: [toAgentStreamError(error).message], durationMs }] };
  } finally {
    deadline.dispose();
  }
}

function report(done: readonly { name: string; model: string; results: readonly ScenarioResult[] }[], { output }: CliContext): void {
  const { colors } = output;
  const columns = [{ title: 'scenario' }, { title: 'turns', align: 'right' }, { title: 'time', align: 'right' }, { title: 'result' }] as const;
  for (const { name, model, results } of done) {
    output.line(`${name}, thought up by ${model}${model.startsWith('builtin/') ? ' (simulated)' : ''}`);
    const rows = results.map((result) => [result.name, String(result.turns.length), `${Math.round(result.durationMs)} ms`, hasPassed(result) ? 'passed' : 'failed']);
    output.table(columns, rows);
    for (const result of results)
      for (const { input, problems } of result.turns)
        for (const problem of problems) output.line(colors.red(`  ${result.name} · ${input === '' ? 'opening' : input}: ${problem}`));
    output.line();
  }
}

function parseSeconds(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 3600) throw new InvalidArgumentError('takes seconds from 1 to 3600');
  return value;
}
