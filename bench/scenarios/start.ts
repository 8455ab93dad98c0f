import { printTable, shorten } from '../report.js';
import { buildServer, createDataDir, startServer } from '../run-processes.js';
import type { Scenario } from './scenario.js';

/** From the process's start to the first good answer of /readyz. */
export const startScenario: Scenario = {
  name: 'start',
  summary: 'process start → ready, on a fresh data directory and then on the existing one',
  defaults: { repeats: 5 },
  async run(options) {
    buildServer();
    const dataDir = createDataDir();
    const times: number[] = [];
    try {
      for (let start = 0; start <= options.repeats; start += 1) {
        const server = await startServer({ vendors: null, dataDir: dataDir.path, maxCalls: 100, isRecording: true, isPreemptive: true, minDelayMs: 200 });
        times.push(server.readyMs);
        await server.stop();
      }
    } finally {
      dataDir.remove();
    }
    const [fresh, ...warm] = times;
    const sorted = warm.toSorted((a, b) => a - b);
    printTable([
      ['data directory', 'ready after ms', 'starts'],
      ['fresh', shorten(fresh), '1'],
      ['existing, median', shorten(sorted[Math.floor(sorted.length / 2)]), String(warm.length)],
      ['existing, slowest', shorten(sorted.at(-1)), String(warm.length)],
    ]);
    return { freshMs: fresh, warmMs: warm };
  },
};
