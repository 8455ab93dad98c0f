import { sleep } from '../base/clock.js';
import type { ApiClient } from './api-client.js';
import { pageOf, readAnswer, runShape, type RunAnswer } from './api-shapes.js';
import type { CliContext } from './command.js';

/** How long a run may take to be finished once its stream has ended. */
const finishTimeoutMs = 3000;
const pollMs = 100;

/** The run of a simulated call, found by its session; as it stands after some seconds where it does not end. Null: the call was refused. */
export async function findPlacedRun(client: ApiClient, session: string, { clock, signal }: CliContext): Promise<RunAnswer | null> {
  const untilMs = clock.nowMs() + finishTimeoutMs;
  for (;;) {
    const page = readAnswer(pageOf(runShape), await client.request('GET', '/runs', { query: { q: session, limit: 1 } }), 'list runs');
    const run = page.items[0] ?? null;
    // A run knows its session before the agent speaks.
    if (run === null || run.state === 'completed' || run.state === 'failed' || clock.nowMs() >= untilMs) return run;
    await sleep(clock, pollMs, signal);
  }
}
