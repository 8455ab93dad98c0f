import { MessageChannel } from 'node:worker_threads';
import pg from 'pg';
import { sleep, systemClock, type Clock } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { DATABASE_USER, prepareCluster, type Cluster } from './embedded/cluster.js';
import { findPostmaster, haltPostmaster, launchPostmaster, readStartLog, type Launch } from './embedded/postmaster.js';
import { endClient } from './end-client.js';

/** A real PostgreSQL that this process supervises. */
export interface EmbeddedPostgres {
  /** For a pool: unix socket, no password. */
  readonly poolConfig: pg.PoolConfig;
  /** Fast shutdown. Close the pools first. Idempotent. */
  stop(): Promise<void>;
  /** No other server uses this database. */
  readonly isExclusive: true;
}

/** Recovery after a crash replays the write-ahead log before connections are taken. */
const START_TIMEOUT_MS = 120_000;
/** A server found running whose socket does not answer for so long is restarted: somebody cleaned the temporary directory. */
const ADOPT_TIMEOUT_MS = 5_000;
const CONNECT_POLL_MS = 10;
const CONNECT_TIMEOUT_MS = 3_000;
const MAX_LAUNCHES = 3;
const RELAUNCH_DELAY_MS = 500;
/** The connection of a server killed a moment ago lets go of the lock within milliseconds. */
const LOCK_TIMEOUT_MS = 2_000;
const LOCK_POLL_MS = 50;
const RECOVERY_DELAY_MS = 1_000;
/** Advisory lock that marks the server in charge of the data directory. */
const OWNER_LOCK_ID = 7_316_402_551;

/** Where the supervisor stands. The keeper is the connection that holds the owner lock; its end tells that the database went away. */
type Supervision =
  | { readonly kind: 'holding'; readonly keeper: pg.Client }
  | { readonly kind: 'recovering'; readonly recovered: Promise<void> }
  | { readonly kind: 'stopped'; readonly halted: Promise<void> };

interface Context {
  readonly cluster: Cluster;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Starts PostgreSQL on `dataDir/postgres`, or adopts the one that a killed server left running. Durable (fsync on), reachable through a
 * unix socket of its user only, supervised: it is started again should it die. As root it runs as `postgres` or `nobody`.
 * Throws `data-directory-in-use` where another server holds it and `database-unavailable`, with what to do, where it cannot run.
 */
export async function startEmbeddedPostgres(options: {
  dataDir: string;
  log: Log;
  signal?: AbortSignal | undefined;
  clock?: Clock;
  /** PostgreSQL settings by name. */
  settings?: Readonly<Record<string, string>>;
}): Promise<EmbeddedPostgres> {
  const { log, clock = systemClock } = options;
  const cluster = await prepareCluster(options.dataDir, options.settings ?? {}, log);
  const ending = new AbortController();
  const signal = options.signal === undefined ? ending.signal : AbortSignal.any([options.signal, ending.signal]);
  const context: Context = { cluster, log, clock, signal };
  const recovery: Context = { ...context, signal: ending.signal };
  const keeper = await stayAlive(() => takeCharge(context));
  let state: Supervision = { kind: 'holding', keeper };
  watch(keeper);

  const isEnding = () => ending.signal.aborted;

  function watch(current: pg.Client): void {
    current.once('end', () => {
      if (state.kind !== 'holding' || state.keeper !== current) return;
      log.error('The embedded database went away; starting it again');
      state = { kind: 'recovering', recovered: recover() };
    });
  }

  async function recover(): Promise<void> {
    while (!isEnding()) {
      try {
        const next = await takeCharge(recovery);
        if (isEnding()) return await endClient(next, clock);
        state = { kind: 'holding', keeper: next };
        watch(next);
        return log.info('The embedded database is back');
      } catch (error) {
        if (isEnding()) return;
        log.error('The embedded database does not come back', { code: toAgentStreamError(error).code, reason: String(error) });
        await sleep(clock, RECOVERY_DELAY_MS, ending.signal).catch(() => undefined);
      }
    }
  }

  async function halt(former: Exclude<Supervision, { kind: 'stopped' }>): Promise<void> {
    if (former.kind === 'holding') await endClient(former.keeper, clock);
    else await former.recovered;
    const postmaster = await findPostmaster(cluster);
    if (postmaster !== null) await haltPostmaster(cluster, postmaster, clock);
  }

  return {
    isExclusive: true,
    poolConfig: { host: keeper.host, user: DATABASE_USER, database: DATABASE_USER },
    stop() {
      if (state.kind === 'stopped') return state.halted;
      const former = state;
      ending.abort(new AgentStreamError('database-unavailable', { message: 'The embedded database is being stopped.' }));
      state = { kind: 'stopped', halted: stayAlive(() => halt(former)) };
      return state.halted;
    },
  };
}

/** Keeps the process from exiting while `work` waits on timers, which do not. */
async function stayAlive<T>(work: () => Promise<T>): Promise<T> {
  const { port1 } = new MessageChannel();
  port1.on('message', () => undefined);
  port1.ref();
  try {
    return await work();
  } finally {
    port1.close();
  }
}

/** Brings the database up and takes the owner lock. Returns the connection that holds it. */
async function takeCharge(context: Context): Promise<pg.Client> {
  const keeper = await bringUp(context);
  try {
    const deadlineMs = context.clock.nowMs() + LOCK_TIMEOUT_MS;
    for (;;) {
      const { rows } = await keeper.query<{ granted: boolean }>('SELECT pg_try_advisory_lock($1) AS granted', [OWNER_LOCK_ID]);
      if (rows[0]?.granted === true) return keeper;
      if (context.clock.nowMs() >= deadlineMs) throw await describeOwner(keeper, context.cluster);
      await sleep(context.clock, LOCK_POLL_MS, context.signal);
    }
  } catch (error) {
    await endClient(keeper, context.clock);
    throw error;
  }
}

async function describeOwner(keeper: pg.Client, cluster: Cluster): Promise<AgentStreamError> {
  const { rows } = await keeper.query<{ owner: string }>(
    `SELECT a.application_name AS owner FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted AND (l.classid::bigint << 32 | l.objid::bigint) = $1`,
    [OWNER_LOCK_ID],
  );
  return new AgentStreamError('data-directory-in-use', {
    message:
      `The database in ${cluster.directory} is in use by another server (${rows[0]?.owner ?? 'unknown'}). ` +
      'Stop it, set another AGENT_STREAM_DATA_DIR, or share one PostgreSQL through DATABASE_URL.',
  });
}

async function bringUp(context: Context): Promise<pg.Client> {
  const { cluster, clock, log, signal } = context;
  for (let launches = 1; ; launches += 1) {
    const survivor = await findPostmaster(cluster);
    if (survivor !== null) {
      const client = await connect(context, survivor.socketDirectory || cluster.socketDirectory, null, ADOPT_TIMEOUT_MS);
      if (client !== null) return client;
      log.warn('The running database does not answer; restarting it');
      await haltPostmaster(cluster, survivor, clock);
    }
    const launch = await launchPostmaster(cluster);
    const client = await connect(context, cluster.socketDirectory, launch, START_TIMEOUT_MS);
    if (client !== null) return client;
    if (launches >= MAX_LAUNCHES) {
      const reason = await readStartLog(cluster);
      throw new AgentStreamError('database-unavailable', { message: `The embedded database does not start: ${reason} (${cluster.directory}/log)` });
    }
    await sleep(clock, RELAUNCH_DELAY_MS, signal);
  }
}

/** Refusals that end by themselves: no socket yet, or PostgreSQL is starting, recovering or stopping (57P03). Time-outs have no code. */
const passingCodes = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', '57P03', '57P01']);

/** Connects as soon as the server takes connections. Null where it exits, or is silent for `silenceMs`. */
async function connect(context: Context, host: string, launch: Launch | null, silenceMs: number): Promise<pg.Client | null> {
  const { clock, signal } = context;
  let deadlineMs = clock.nowMs() + silenceMs;
  for (;;) {
    signal.throwIfAborted();
    const client = new pg.Client({
      host,
      user: DATABASE_USER,
      database: DATABASE_USER,
      application_name: `agent-stream, process ${process.pid}`,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    client.on('error', (error) => context.log.debug('Connection to the embedded database lost', { reason: error.message }));
    try {
      await client.connect();
      return client;
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (typeof code === 'string' && !passingCodes.has(code)) throw new AgentStreamError('database-unavailable', { cause: error });
      if (code === '57P03') deadlineMs = clock.nowMs() + START_TIMEOUT_MS;
    }
    if (launch?.hasExited() === true || clock.nowMs() >= deadlineMs) return null;
    await sleep(clock, CONNECT_POLL_MS, signal);
  }
}
