import { pair, printTable, shorten } from '../report.js';
import { measureCells } from './calls.js';
import type { Scenario } from './scenario.js';

/** From the accepted upgrade to the first frame of the greeting, the Cloudonix API answering in 0 ms. */
export const answerScenario: Scenario = {
  name: 'answer',
  summary: 'accepted upgrade → first greeting frame, calls arriving one after the other until they are all up',
  defaults: { calls: [50], windowMs: 5_000 },
  async run(options) {
    const plan = { firstTurnMs: 3_600_000, turnPeriodMs: 3_600_000, interruptEvery: 0, interruptAfterMs: 0 };
    const cells = await measureCells(options, { plan, arrivalsPerSecond: 10 });
    printTable([
      ['subject', 'calls', 'greeting p50/p99 ms', 'max', 'first call', 'greeted', 'dropped', 'window'],
      ...cells.map((cell) => [
        cell.subject,
        String(cell.calls),
        pair(cell.load.greeting),
        shorten(cell.load.greeting.max),
        shorten(cell.load.coldGreetingMs),
        String(cell.load.greeting.count),
        String(cell.load.counts['dropped'] ?? 0),
        cell.voidBecause.length === 0 ? 'counts' : `void: ${cell.voidBecause.join(', ')}`,
      ]),
    ]);
    return cells;
  },
};
