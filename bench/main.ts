// The benchmark's command line; `npm run bench -- --help`. Started by run.mjs.
import { parseArgs } from 'node:util';
import { CALLS_LIMIT, WINDOW_LIMIT_MS } from './load-generator.js';
import { writeResults } from './report.js';
import { answerScenario } from './scenarios/answer.js';
import { bargeInScenario } from './scenarios/barge-in.js';
import { callsScenario } from './scenarios/calls.js';
import { engineScenario } from './scenarios/engine.js';
import { mediaScenario } from './scenarios/media.js';
import type { Scenario, ScenarioOptions } from './scenarios/scenario.js';
import { startScenario } from './scenarios/start.js';
import { turnScenario } from './scenarios/turn.js';
import { vadScenario } from './scenarios/vad.js';

const scenarios: readonly Scenario[] = [callsScenario, turnScenario, answerScenario, bargeInScenario, startScenario, mediaScenario, engineScenario, vadScenario];

/** Windows per number of calls. */
const REPEATS_LIMIT = 20;

const help = `Usage: npm run bench -- SCENARIO [options]

Scenarios:
${scenarios.map((scenario) => `  ${scenario.name.padEnd(10)} ${scenario.summary}`).join('\n')}

Options:
  --calls N,N,…      numbers of calls, one window each
  --seconds S        length of each measured window (default 30)
  --repeats N        windows per number of calls
  --baseline         also measure the naive baseline; --no-baseline leaves it out
  --no-recording     the agent does not record
  --no-preemptive    (not turn) the agent begins no reply before the turn is over: only then is the own share of a turn what the server adds
  --min-delay MS     silence that ends a turn (default 200, as in the comparison with other servers; turn: 300, an agent's default)
  --stt MS --model MS --voice MS
                     (not turn) delays of the fake vendors (default 300, 200, 100)
  --help

The built server runs on core 0; load generator, fake vendors, the embedded database and everything else on core 1. A control probe and
the generator's own lateness decide whether a window counts: a noisy one is void, not averaged. Raw results go to bench/results/.
`;

function toNumber(name: string, text: string, limit: number): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0 || value > limit) throw new RangeError(`--${name} takes a number up to ${limit}`);
  return value;
}

function readCommandLine(args: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    allowNegative: true,
    options: {
      calls: { type: 'string' },
      seconds: { type: 'string' },
      repeats: { type: 'string' },
      baseline: { type: 'boolean' },
      recording: { type: 'boolean' },
      preemptive: { type: 'boolean' },
      'min-delay': { type: 'string' },
      stt: { type: 'string' },
      model: { type: 'string' },
      voice: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  const scenario = scenarios.find((candidate) => candidate.name === positionals[0]);
  return { values, scenario };
}

type CommandLine = ReturnType<typeof readCommandLine>['values'];

function optionsOf(scenario: Scenario, values: CommandLine): ScenarioOptions {
  const { defaults } = scenario;
  return {
    calls: values.calls?.split(',').map((part) => toNumber('calls', part, CALLS_LIMIT)) ?? defaults.calls ?? [1],
    windowMs: values.seconds === undefined ? (defaults.windowMs ?? 30_000) : toNumber('seconds', values.seconds, WINDOW_LIMIT_MS / 1000) * 1000,
    repeats: values.repeats === undefined ? (defaults.repeats ?? 1) : toNumber('repeats', values.repeats, REPEATS_LIMIT),
    hasBaseline: values.baseline ?? defaults.hasBaseline ?? false,
    isRecording: values.recording ?? true,
    isPreemptive: values.preemptive ?? true,
    minDelayMs: values['min-delay'] === undefined ? (defaults.minDelayMs ?? 200) : toNumber('min-delay', values['min-delay'], 5000),
    delays: {
      sttMs: toNumber('stt', values.stt ?? '300', 60_000),
      modelMs: toNumber('model', values.model ?? '200', 60_000),
      voiceMs: toNumber('voice', values.voice ?? '100', 60_000),
    },
  };
}

async function main(args: readonly string[]): Promise<number> {
  const { values, scenario } = readCommandLine(args);
  if (scenario === undefined || values.help === true) {
    console.log(help);
    return values.help === true || args.length === 0 ? 0 : 2;
  }
  const results = await scenario.run(optionsOf(scenario, values));
  console.log(`\nraw results: ${writeResults(scenario.name, results, new Date().toISOString())}`);
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
