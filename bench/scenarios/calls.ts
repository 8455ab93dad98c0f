import { measureCell, type Cell, type CellOptions } from '../cell.js';
import type { LoadOptions } from '../load-generator.js';
import { cellRows, pair, printTable, shorten } from '../report.js';
import { buildServer, createDataDir, startBaseline, startProbe, startServer, startVendors, type ServerProcess } from '../run-processes.js';
import type { Scenario, ScenarioOptions } from './scenario.js';

type WindowOptions = Pick<CellOptions, 'arrivalsPerSecond'> & { readonly plan?: LoadOptions['plan'] };

/** Measures every number of calls against the server, and where asked against the baseline, each on a fresh process. */
export async function measureCells(options: ScenarioOptions, window: WindowOptions = {}): Promise<readonly Cell[]> {
  buildServer();
  const cells: Cell[] = [];
  const vendors = await startVendors(options.delays);
  const probe = await startProbe();
  const dataDir = createDataDir();
  const maxCalls = Math.max(...options.calls) + 10;
  const subjects: readonly (readonly [string, () => Promise<ServerProcess>])[] = [
    ['agent-stream', () => startServer({ ...options, vendors, dataDir: dataDir.path, maxCalls })],
    ...(options.hasBaseline ? ([['naive', () => startBaseline(vendors)]] as const) : []),
  ];
  try {
    for (const [subject, startSubject] of subjects) {
      for (const calls of options.calls) {
        for (let repeat = 0; repeat < options.repeats; repeat += 1) {
          console.log(`${subject}: ${calls} calls for ${options.windowMs / 1000} s …`);
          const server = await startSubject();
          try {
            cells.push(await measureCell({ subject, server, vendors, probe, calls, windowMs: options.windowMs, ...window }));
          } finally {
            await server.stop();
          }
        }
      }
    }
    return cells;
  } finally {
    await Promise.all([vendors.close(), probe.close()]);
    dataDir.remove();
  }
}

/** How many times less CPU the server takes than the baseline, where both were measured. */
function printRatios(cells: readonly Cell[]): void {
  for (const cell of cells.filter((candidate) => candidate.subject === 'naive')) {
    const own = cells.find((candidate) => candidate.subject === 'agent-stream' && candidate.calls === cell.calls);
    if (own === undefined) continue;
    const cpu = cell.cpuMsPerCallSecond / own.cpuMsPerCallSecond;
    const lateness = (cell.load.lateness.p99 ?? NaN) / (own.load.lateness.p99 ?? NaN);
    console.log(`at ${cell.calls} calls the naive baseline takes ${shorten(cpu)} × the CPU and is ${shorten(lateness)} × as late at p99`);
  }
}

/** Calls held with response, pacing and barge-in in bounds. */
export const callsScenario: Scenario = {
  name: 'calls',
  summary: 'response, pacing, barge-in, CPU and memory at growing numbers of calls, beside a naive baseline',
  defaults: { calls: [1, 50, 100, 200], hasBaseline: true },
  async run(options) {
    const cells = await measureCells(options);
    printTable(cellRows(cells));
    printTable([
      ['own share of a turn, ms', 'calls', 'transcript → model', 'clause → voice', 'audio → frame', 'sum p50/p99'],
      ...cells.map((cell) => [
        cell.subject,
        String(cell.calls),
        pair(cell.hops.transcriptToModel),
        pair(cell.hops.clauseToVoice),
        pair(cell.hops.audioToFrame),
        pair(cell.hops.sum),
      ]),
    ]);
    printRatios(cells);
    return cells;
  },
};
