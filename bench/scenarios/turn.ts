import { measureCell, type Cell } from '../cell.js';
import type { VendorDelays } from '../messages.js';
import { printTable, shorten } from '../report.js';
import { buildServer, createDataDir, startProbe, startServer, startVendors, type ProbeProcess, type TurnParts } from '../run-processes.js';
import { createSamples, type Summary } from '../samples.js';
import type { Scenario, ScenarioOptions } from './scenario.js';

/** What vendors' times are drawn from: published by others, none measured here. */
const published: VendorDelays = {
  // Deepgram nova-3, 247 / 298 ms with 200 ms of silence before the request, which are left out here (github.com/pipecat-ai/stt-benchmark, 1000 samples).
  sttMs: { p50Ms: 47, p95Ms: 98 },
  // gpt-4.1, request → first answer token (github.com/kwindla/aiewf-eval).
  modelMs: { p50Ms: 536, p95Ms: 1771 },
  // Cartesia Sonic-3, median 188 ms, quartiles 100 ms apart (gradium.ai/content/tts-latency-benchmark-2026): the p95 of such a lognormal distribution.
  voiceMs: { p50Ms: 188, p95Ms: 357 },
};

/** Near the 64th percentile of the model's first token. */
const HEDGE_AFTER_MS = 700;

/** The answers, 3 s long, are over before the next question, but for the slowest. No interruptions. */
const plan = { firstTurnMs: 2500, turnPeriodMs: 8000, interruptEvery: 0, interruptAfterMs: 0 };

const configurations = [
  { name: 'plain', isPreemptive: false, hedgeAfterMs: null },
  { name: 'hedged', isPreemptive: false, hedgeAfterMs: HEDGE_AFTER_MS },
  { name: 'preemptive', isPreemptive: true, hedgeAfterMs: null },
  { name: 'preemptive, hedged', isPreemptive: true, hedgeAfterMs: HEDGE_AFTER_MS },
] as const;

type Configuration = (typeof configurations)[number];

/** The parts of a turn, as the run's record has them (docs/run-record.md). */
const partNames = ['endpointing_ms', 'transcript_ms', 'head_start_ms', 'model_first_token_ms', 'first_clause_ms', 'voice_first_byte_ms', 'first_frame_ms'] as const;

interface TurnResult {
  readonly configuration: Configuration;
  readonly cell: Cell;
  readonly parts: Readonly<Record<(typeof partNames)[number], Summary>>;
  /** Share of the turns for which the model was asked a second time. */
  readonly hedgedShare: number;
}

async function measure(configuration: Configuration, options: ScenarioOptions, probe: ProbeProcess): Promise<TurnResult> {
  const [calls = 1] = options.calls;
  const dataDir = createDataDir();
  // Begun anew each time, so that all configurations draw from the same sequence.
  const vendors = await startVendors(published);
  try {
    const server = await startServer({ ...options, ...configuration, vendors, dataDir: dataDir.path, maxCalls: calls + 10 });
    try {
      const cell = await measureCell({ subject: configuration.name, server, vendors, probe, calls, windowMs: options.windowMs, plan });
      return { configuration, cell, ...summarise(await server.takeTurnParts()) };
    } finally {
      await server.stop();
    }
  } finally {
    await vendors.close();
    dataDir.remove();
  }
}

function summarise(turns: readonly TurnParts[]): Pick<TurnResult, 'parts' | 'hedgedShare'> {
  const summaryOf = (name: (typeof partNames)[number]): Summary => {
    const samples = createSamples();
    for (const turn of turns) {
      const value = turn[name];
      if (typeof value === 'number') samples.add(value);
    }
    return samples.summarise();
  };
  const parts = Object.fromEntries(partNames.map((name) => [name, summaryOf(name)])) as TurnResult['parts'];
  return { parts, hedgedShare: turns.filter(({ hedged }) => hedged === true).length / Math.max(1, turns.length) };
}

const pair95 = ({ p50, p95 }: Summary) => `${shorten(p50)} / ${shorten(p95)}`;

function printResults(results: readonly TurnResult[]): void {
  printTable([
    ['p50 / p95, ms', ...results.map(({ configuration }) => configuration.name)],
    ['response', ...results.map(({ cell }) => pair95(cell.load.response))],
    ...partNames.map((name) => [name.replace(/_ms$/, '').replaceAll('_', ' '), ...results.map(({ parts }) => pair95(parts[name]))]),
    ['own share: first tokens → voice request', ...results.map(({ cell }) => pair95(cell.hops.clauseToVoice))],
    // A preemptive reply's audio waits for the end of the turn.
    ['own share: first audio → first frame', ...results.map(({ configuration, cell }) => (configuration.isPreemptive ? '-' : pair95(cell.hops.audioToFrame)))],
    ['turns answered', ...results.map(({ cell }) => String(cell.load.response.count))],
    ['turns hedged, %', ...results.map(({ hedgedShare }) => shorten(hedgedShare * 100))],
    ['model requests per answer', ...results.map(({ cell }) => shorten(cell.modelRequests / Math.max(1, cell.load.response.count)))],
    ['window', ...results.map(({ cell }) => (cell.voidBecause.length === 0 ? 'counts' : 'void'))],
  ]);
  for (const { configuration, cell } of results) if (cell.voidBecause.length > 0) console.log(`${configuration.name} is void: ${cell.voidBecause.join(', ')}`);
}

/** Where a turn's time goes with vendors that take the times they publish, and what preemptive replies and hedged requests change. */
export const turnScenario: Scenario = {
  name: 'turn',
  summary: 'the parts of a turn with vendors’ published times, with and without preemptive replies and hedged requests',
  defaults: { calls: [40], windowMs: 50_000, minDelayMs: 300 },
  async run(options) {
    buildServer();
    const probe = await startProbe();
    const results: TurnResult[] = [];
    try {
      for (const configuration of configurations) {
        console.log(`${configuration.name}: ${options.calls[0] ?? 1} calls for ${options.windowMs / 1000} s …`);
        results.push(await measure(configuration, options, probe));
      }
    } finally {
      await probe.close();
    }
    console.log(`vendors' times, lognormal by p50 / p95: ${JSON.stringify(published)}; silence that ends a turn ${options.minDelayMs} ms; hedged after ${HEDGE_AFTER_MS} ms`);
    printResults(results);
    return { published, minDelayMs: options.minDelayMs, hedgeAfterMs: HEDGE_AFTER_MS, results };
  },
};
