// A process of its own that does nothing but wake up: how late it wakes is the machine's doing, not the server's.
import type { ProbeReport, ProbeRequest } from './messages.js';
import { createSamples } from './samples.js';
import { sharedNowMs } from './shared-clock.js';

const PERIOD_MS = 10;

const lateness = createSamples();
let dueMs = sharedNowMs() + PERIOD_MS;

function wake(): void {
  const nowMs = sharedNowMs();
  lateness.add(Math.max(0, nowMs - dueMs));
  dueMs = Math.max(dueMs + PERIOD_MS, nowMs);
  setTimeout(wake, dueMs - nowMs);
}

setTimeout(wake, PERIOD_MS);
process.on('message', (message: ProbeRequest) => {
  if (message.type !== 'take-probe') return;
  const { p99, max, count } = lateness.summarise();
  const report: ProbeReport = { type: 'probe', p99Ms: p99 ?? 0, maxMs: max ?? 0, samples: count };
  process.send?.(report);
  lateness.clear();
});
process.on('disconnect', () => process.exit(0));
