import type { ServerResponse } from 'node:http';
import { repeat, sleep } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { eventsPerQuery, runEventJson } from './run-events.js';
import type { AppServices } from './services.js';

/** Streams open at once on this node. */
const maxStreams = 1000;
/** Keeps proxies from closing an idle stream, and catches a lost notification. */
const heartbeatMs = 15_000;
/** A reader that lags this far behind is cut; it may come back with `Last-Event-ID`. */
const maxBufferedBytes = 1024 * 1024;

/** A server that closes gives its streams this long to pass on what was stored until then. */
const lastReadMs = 2000;

/** Whose events are streamed, and from where. */
export interface RunStreamRequest {
  readonly organizationId: string;
  readonly runId: string;
  readonly afterSeq: number;
}

/** The open event streams of this node. */
export interface RunStreams {
  /**
   * Streams a run's events as Server-Sent Events until the run has ended, the reader leaves or the server closes.
   * @throws AgentStreamError `rate-limited` where too many are open.
   */
  open(response: ServerResponse, request: RunStreamRequest): void;
  /** Passes on what is stored so far, and ends all streams. */
  closeAll(): Promise<void>;
}

const isOver = (state: string) => state === 'completed' || state === 'failed';

/** Creates the registry of event streams. */
export function createRunStreams({ store, clock, log }: Pick<AppServices, 'store' | 'clock' | 'log'>): RunStreams {
  const finishers = new Set<() => Promise<void>>();

  function open(response: ServerResponse, { organizationId, runId, afterSeq }: RunStreamRequest): void {
    if (finishers.size >= maxStreams) throw new AgentStreamError('rate-limited', { message: 'Too many event streams are open.' });
    let lastSeq = afterSeq;
    let phase: 'idle' | 'reading' | 'reading-again' | 'closed' = 'idle';
    let reading = Promise.resolve();
    // Functions, because the compiler cannot see that `close` and `wake` run while `read` awaits.
    const isClosed = () => phase === 'closed';
    const isAskedAgain = () => phase === 'reading-again';

    function close(): void {
      if (isClosed()) return;
      phase = 'closed';
      finishers.delete(finish);
      heartbeat.cancel();
      for (const unsubscribe of subscriptions) unsubscribe();
      response.end();
    }

    async function writeNewEvents(): Promise<void> {
      for (;;) {
        const events = await store.runs.listEvents(organizationId, runId, lastSeq, eventsPerQuery);
        if (isClosed()) return;
        for (const event of events ?? []) {
          response.write(`id: ${event.seq}\ndata: ${JSON.stringify(runEventJson(event))}\n\n`);
          lastSeq = event.seq;
        }
        if (response.writableLength > maxBufferedBytes) return close();
        if ((events?.length ?? 0) < eventsPerQuery) return;
      }
    }

    async function read(): Promise<void> {
      do {
        phase = 'reading';
        // The state before the events: a run that was over then has all its events written.
        const run = await store.runs.get(organizationId, runId);
        await writeNewEvents();
        if (isClosed()) return;
        if (run === null || isOver(run.state)) {
          response.write(`event: end\ndata: ${JSON.stringify({ state: run?.state ?? null, end_reason: run?.endReason ?? null })}\n\n`);
          return close();
        }
      } while (isAskedAgain());
      phase = 'idle';
    }

    function wake(): void {
      if (phase === 'reading') phase = 'reading-again';
      if (phase !== 'idle') return;
      reading = read().catch((error: unknown) => {
        log.warn('An event stream failed', { runId, error: error instanceof Error ? error.message : 'unknown' });
        close();
      });
    }

    async function finish(): Promise<void> {
      wake();
      await Promise.race([reading, sleep(clock, lastReadMs)]);
      close();
    }

    const onPayload = (payload: { runId: string }) => {
      if (payload.runId === runId) wake();
    };
    const heartbeat = repeat(clock, heartbeatMs, () => {
      response.write(': still here\n\n');
      wake();
    });
    const subscriptions = [
      store.notifications.subscribe('run_events', onPayload, wake),
      store.notifications.subscribe('run_ended', onPayload, wake),
    ];
    finishers.add(finish);
    response.once('close', close);
    response.once('error', close);
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    response.write('retry: 2000\n\n');
    wake();
  }

  return {
    open,
    async closeAll() {
      await Promise.all([...finishers].map((finish) => finish()));
    },
  };
}
