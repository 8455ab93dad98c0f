import { sleep, type Clock } from '../../base/clock.js';
import { parseJson } from '../../base/json.js';
import type { ApiClient } from '../api-client.js';
import { pageOf, readAnswer, runEventShape, runShape, type RunAnswer, type RunEventAnswer } from '../api-shapes.js';
import { CliError } from '../cli-error.js';
import { exitCodes } from '../exit-codes.js';

/** How long a call may take to show its run, and how often that is asked for. */
const FIND_TIMEOUT_MS = 10_000;
const FIND_POLL_MS = 200;

/** Events of one run that are kept; a call of an evaluation has hundreds. */
const MAX_EVENTS = 20_000;

/** What a run has shown so far. Grows while its call lives. */
export interface RunFeed {
  readonly events: readonly RunEventAnswer[];
  /** The run once it has ended. @throws CliError where it cannot be followed to its end */
  readonly ended: Promise<RunAnswer>;
}

async function findRun(client: ApiClient, session: string, clock: Clock, signal: AbortSignal): Promise<RunAnswer> {
  const untilMs = clock.nowMs() + FIND_TIMEOUT_MS;
  for (;;) {
    const page = readAnswer(pageOf(runShape), await client.request('GET', '/runs', { query: { q: session, limit: 1 } }), 'list runs');
    const [run] = page.items;
    if (run !== undefined) return run;
    if (clock.nowMs() >= untilMs) throw new CliError(exitCodes.callFailed, 'the server shows no run for the call');
    await sleep(clock, FIND_POLL_MS, signal);
  }
}

/** Follows the run of a call that begins now, by the call's session. */
export function followRun(client: ApiClient, session: string, clock: Clock, signal: AbortSignal): RunFeed {
  const events: RunEventAnswer[] = [];
  const follow = async () => {
    const { id } = await findRun(client, session, clock, signal);
    for await (const message of client.follow(`/runs/${id}/events`)) {
      signal.throwIfAborted();
      const event = runEventShape.safeParse(parseJson(message.data));
      if (event.success && events.length < MAX_EVENTS) events.push(event.data);
    }
    return readAnswer(runShape, await client.request('GET', `/runs/${id}`), 'read the run');
  };
  const ended = follow();
  // Whoever waits for it hears of a failure; a call that is given up before does not.
  ended.catch(() => undefined);
  return { events, ended };
}
