import { sql } from 'drizzle-orm';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { sleep, type Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { cut } from './end-client.js';
import type { NotificationPayloads } from './store.js';

/** What every aggregate works with. */
export interface Database {
  /** For hand-written statements. */
  readonly pool: pg.Pool;
  /** For plain reads and writes of one table. */
  readonly orm: NodePgDatabase;
  /** For reads that a caller waits for: each fails after {@link CALLER_TIMEOUT_MS}. */
  readonly callerOrm: Pick<NodePgDatabase, 'select'>;
  readonly clock: Clock;
  readonly queryCount: () => number;
  /** Ends all connections; those that a frozen server does not let go of are cut. */
  close(): Promise<void>;
}

/** Either the database or a transaction on it. */
export type Queryable = Pick<NodePgDatabase, 'select' | 'insert' | 'update' | 'delete' | 'execute'>;

/** Connections one node takes by default; PostgreSQL grants 100 in all. */
const DEFAULT_MAX_CONNECTIONS = 10;
/** How long a caller waits for a free connection or a new one. */
const CONNECTION_TIMEOUT_MS = 5_000;
const IDLE_CONNECTION_TIMEOUT_MS = 60_000;
/** What is still asked when the pool closes gets this long for its answer. */
const CLOSE_TIMEOUT_MS = 3_000;
/** No statement of ours takes longer; one that does must not hold what others wait for. */
const STATEMENT_TIMEOUT_MS = 20_000;
/** A server that has not even said so by then is frozen, or the network forgot the connection: it is given up. */
const ANSWER_TIMEOUT_MS = 25_000;
/**
 * A caller waits for each step on the way to an answered call. What a frozen database carries out later is a run that nobody holds, and is
 * swept, or the session of a run that ends next.
 */
export const CALLER_TIMEOUT_MS = 5_000;
const LOCK_TIMEOUT_MS = 10_000;
/** Frees the locks of a node that froze within a transaction. */
const IDLE_TRANSACTION_TIMEOUT_MS = 15_000;

/** Opens a pool that counts every query sent. Connects on demand. */
export function openDatabase(options: { poolConfig: pg.PoolConfig; maxConnections?: number | undefined; clock: Clock; log: Log }): Database {
  const pool = new pg.Pool({
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_CONNECTION_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'agent-stream',
    ...options.poolConfig,
    max: options.maxConnections ?? options.poolConfig.max ?? DEFAULT_MAX_CONNECTIONS,
  });
  let queries = 0;
  const clients = new Set<pg.ClientBase>();
  pool.on('remove', (client) => clients.delete(client));
  pool.on('error', (error) => options.log.warn('An idle database connection was lost', { reason: error.message }));
  pool.on('connect', (client) => {
    clients.add(client);
    client.query = new Proxy(client.query, {
      apply(target, self: unknown, args: unknown[]): unknown {
        queries += 1;
        return Reflect.apply(target, self, args);
      },
    });
  });
  return {
    pool,
    orm: drizzle(pool),
    callerOrm: drizzle(withTimeout(pool, CALLER_TIMEOUT_MS)),
    clock: options.clock,
    queryCount: () => queries,
    async close() {
      const allGone = new Promise<void>((resolve) => {
        const check = () => {
          if (clients.size === 0) resolve();
        };
        pool.on('remove', check);
        check();
      });
      await Promise.race([Promise.all([pool.end(), allGone]), sleep(options.clock, CLOSE_TIMEOUT_MS)]);
      for (const client of clients) if (client instanceof pg.Client) cut(client);
    },
  };
}

/** The pool, for statements that are to fail past `timeoutMs`. Not for transactions. */
function withTimeout(pool: pg.Pool, timeoutMs: number): pg.Pool {
  return new Proxy(pool, {
    get(target, key) {
      if (key !== 'query') return Reflect.get(target, key, target) as unknown;
      return (config: pg.QueryConfig, values: unknown[]) => target.query({ ...config, values, ...{ query_timeout: timeoutMs } });
    },
  });
}

/** Rows of one hand-written statement. Past `timeoutMs` it fails, and the pool drops its connection. */
export async function queryRows<Row extends pg.QueryResultRow>(
  connection: pg.Pool | pg.PoolClient,
  text: string,
  values: readonly unknown[],
  timeoutMs: number = ANSWER_TIMEOUT_MS,
): Promise<Row[]> {
  const query: pg.QueryConfig & { query_timeout: number } = { text, values: [...values], query_timeout: timeoutMs };
  const { rows } = await connection.query<Row>(query);
  return rows;
}

/** Sends a notification when the transaction commits. */
export async function notifyWithin<K extends keyof NotificationPayloads>(
  transaction: Queryable,
  channel: K,
  payload: NotificationPayloads[K],
): Promise<void> {
  await transaction.execute(sql`SELECT pg_notify(${channel}, ${JSON.stringify(payload)})`);
}

/** SQLSTATE of an error that PostgreSQL raised, however wrapped. */
export function sqlStateOf(error: unknown): string | null {
  for (let current: unknown = error; current instanceof Error; current = current.cause) {
    if (current instanceof pg.DatabaseError) return current.code ?? null;
  }
  return null;
}

const UNIQUE_VIOLATION = '23505';
/** Classes of PostgreSQL's states that pass: connection, resources, operator intervention, system error, locks and rollbacks. */
const passingClasses = new Set(['08', '53', '57', '58', '55', '40']);

/**
 * Translates what the driver throws: `conflict` for a taken name, `database-unavailable` for what may pass, else `internal-error`.
 * The driver's own messages may quote parameters; only its state is kept.
 */
export function translateDatabaseError(error: unknown): AgentStreamError {
  if (error instanceof AgentStreamError) return error;
  const state = sqlStateOf(error);
  const details = { sqlState: state };
  if (state === UNIQUE_VIOLATION) return new AgentStreamError('conflict', { details });
  if (state === null || passingClasses.has(state.slice(0, 2))) {
    return new AgentStreamError('database-unavailable', { details: { ...details, cause: causeNameOf(error) } });
  }
  return new AgentStreamError('internal-error', { message: `The database refused a statement (${state}).`, details });
}

function causeNameOf(error: unknown): string {
  const root = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = root instanceof Error && 'code' in root ? root.code : undefined;
  return typeof code === 'string' ? code : root instanceof Error ? root.name : typeof root;
}

/** The aggregate with every rejection of its methods translated. */
export function translatingErrors<T extends object>(aggregate: T): T {
  return new Proxy(aggregate, {
    get(target, key, receiver): unknown {
      const member: unknown = Reflect.get(target, key, receiver);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]) => {
        try {
          return (await Reflect.apply(member, target, args)) as unknown;
        } catch (error) {
          throw translateDatabaseError(error);
        }
      };
    },
  });
}
