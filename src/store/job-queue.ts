import { runTaskList, type WorkerPool } from 'graphile-worker';
import type pg from 'pg';
import { repeat, sleep, type Clock } from '../base/clock.js';
import { toAgentStreamError } from '../base/errors.js';
import { asRecord } from '../base/json.js';
import type { Log } from '../base/log.js';
import { openDatabase, queryRows, type Database } from './database.js';
import { queueLogger } from './queue-logger.js';

/** Jobs at once on one node. */
const CONCURRENT_JOBS = 16;
/** Connections of the queue: one listens, the others fetch and complete. Apart from those that calls wait for. */
const QUEUE_CONNECTIONS = 3;
/** How often each worker looks for jobs that have come due; what is due when it is written is announced. */
const POLL_INTERVAL_MS = 5_000;
/** A worker pool that ended, because the database was away for long, is started again after this. */
const RESTART_DELAY_MS = 2_000;
/** How often jobs are looked for that a dead node holds. */
const RECOVERY_INTERVAL_MS = 15_000;
/** Held longer than this: its node died. No task takes as long. */
const LOST_AFTER_MS = 60_000;
/** What is under way when the node stops gets this long to finish, and then again to be called off. */
const FINISH_TIMEOUT_MS = 2_000;

/** Carries out one job; a rejection has it tried again, with growing waits. The signal fires when the node stops. */
export type JobTask = (payload: Readonly<Record<string, unknown>>, signal: AbortSignal) => Promise<void>;

/** The workers of this node. */
export interface JobQueue {
  /** Takes no more jobs, ends those under way, and closes the queue's connections; bounded, also where the database is frozen. Idempotent. */
  stop(): Promise<void>;
}

/** $1 jobs held for longer than so many ms. */
const recoverSql = `
SELECT graphile_worker.force_unlock_workers(array_agg(DISTINCT locked_by)) FROM graphile_worker.jobs
WHERE locked_at < now() - $1::float8 * interval '1 millisecond' HAVING count(*) > 0`;

/**
 * Starts this node's workers on the durable queue (graphile-worker, schema `graphile_worker`). The database must be migrated. A database
 * that goes away costs delay, not jobs: the workers come back by themselves, and what a dead node held is given to others.
 * @param options.isExclusive no other node uses the database: what is held at the start is a dead process's
 */
export function startJobQueue(options: {
  poolConfig: pg.PoolConfig;
  tasks: Readonly<Record<string, JobTask>>;
  isExclusive: boolean;
  clock: Clock;
  log: Log;
}): JobQueue {
  const { clock, log } = options;
  const database = openDatabase({ poolConfig: options.poolConfig, maxConnections: QUEUE_CONNECTIONS, clock, log });
  // A connection that breaks while the library has it would end the process, were nobody listening.
  database.pool.on('connect', (client) => client.on('error', (error) => log.debug('The job queue lost a connection', { reason: error.message })));
  const stopping = new AbortController();
  const calledOff = new AbortController();
  let workers: WorkerPool | null = null;
  let stopped: Promise<void> | null = null;

  const recover = (lostAfterMs: number) => recoverJobs(database, lostAfterMs, log);
  const timer = repeat(clock, RECOVERY_INTERVAL_MS, () => void recover(LOST_AFTER_MS));

  async function run(): Promise<void> {
    await recover(options.isExclusive ? 0 : LOST_AFTER_MS);
    while (!stopping.signal.aborted) {
      workers = startWorkers(database, options.tasks, { signal: calledOff.signal, log });
      await workers.promise.catch((error: unknown) => log.warn('The workers of the job queue ended; they are started again', { reason: reasonOf(error) }));
      await sleep(clock, RESTART_DELAY_MS, stopping.signal).catch(() => undefined);
    }
  }
  const running = run();

  async function stop(): Promise<void> {
    timer.cancel();
    stopping.abort();
    const ended = Promise.resolve(workers?.gracefulShutdown('The node stops')).catch((error: unknown) => log.debug('The job queue did not end cleanly', { reason: reasonOf(error) }));
    const allEnded = Promise.all([ended, running]);
    await Promise.race([allEnded, sleep(clock, FINISH_TIMEOUT_MS)]);
    calledOff.abort(new Error('The node stops'));
    await Promise.race([allEnded, sleep(clock, FINISH_TIMEOUT_MS)]);
    await database.close();
  }

  return { stop: () => (stopped ??= stop()) };
}

function startWorkers(
  { pool }: Database,
  tasks: Readonly<Record<string, JobTask>>,
  { signal, log }: { signal: AbortSignal; log: Log },
): WorkerPool {
  const taskList = Object.fromEntries(Object.entries(tasks).map(([name, task]) => [name, (payload: unknown) => task(asRecord(payload), signal)]));
  const options = {
    concurrency: CONCURRENT_JOBS,
    noHandleSignals: true,
    pollInterval: POLL_INTERVAL_MS,
    logger: queueLogger(log),
    // Completions go through the library's batches, which outlast a database that is away; single ones would reject with nobody listening.
    preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
  };
  return runTaskList(options, taskList, pool);
}

async function recoverJobs({ pool }: Database, lostAfterMs: number, log: Log): Promise<void> {
  try {
    const rows = await queryRows(pool, recoverSql, [lostAfterMs]);
    if (rows.length > 0) log.info('Jobs that a lost node held are free again');
  } catch (error) {
    log.debug('Jobs of lost nodes could not be looked for', { code: toAgentStreamError(error, 'database-unavailable').code });
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : 'unknown');
