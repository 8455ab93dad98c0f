import { pair, printTable, shorten } from '../report.js';
import { measureCells } from './calls.js';
import type { Scenario } from './scenario.js';

/** First frame of the caller's speech → `clear` on the wire, every answer being interrupted. */
export const bargeInScenario: Scenario = {
  name: 'barge-in',
  summary: 'first speech frame → clear, with every answer interrupted 0.8 s in',
  defaults: { calls: [1, 50, 100] },
  async run(options) {
    const plan = { firstTurnMs: 2500, turnPeriodMs: 8000, interruptEvery: 1, interruptAfterMs: 800 };
    const cells = await measureCells(options, { plan });
    printTable([
      ['subject', 'calls', 'clear after p50/p99 ms', 'max', 'interruptions', 'without clear', 'window'],
      ...cells.map((cell) => [
        cell.subject,
        String(cell.calls),
        pair(cell.load.bargeIn),
        shorten(cell.load.bargeIn.max),
        String(cell.load.counts['interruptions'] ?? 0),
        String(cell.load.counts['uncleared'] ?? 0),
        cell.voidBecause.length === 0 ? 'counts' : `void: ${cell.voidBecause.join(', ')}`,
      ]),
    ]);
    return cells;
  },
};
