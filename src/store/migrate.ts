import { runMigrations } from 'graphile-worker';
import pg from 'pg';
import { AgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { initial } from './migrations/0001-initial.js';
import { recordingRetention } from './migrations/0002-recording-retention.js';
import { webhooks } from './migrations/0003-webhooks.js';
import { tools } from './migrations/0004-tools.js';
import { documents } from './migrations/0005-documents.js';
import { afterCall } from './migrations/0006-after-call.js';
import { chats } from './migrations/0007-chats.js';
import { credentials } from './migrations/0008-credentials.js';
import { audioClips } from './migrations/0009-audio-clips.js';
import { embeddings } from './migrations/0010-embeddings.js';
import { queueLogger } from './queue-logger.js';

/** In order, never changed once released. */
const migrations: readonly { readonly id: string; readonly sql: string }[] = [
  { id: '0001-initial', sql: initial },
  { id: '0002-recording-retention', sql: recordingRetention },
  { id: '0003-webhooks', sql: webhooks },
  { id: '0004-tools', sql: tools },
  { id: '0005-documents', sql: documents },
  { id: '0006-after-call', sql: afterCall },
  { id: '0007-chats', sql: chats },
  { id: '0008-credentials', sql: credentials },
  { id: '0009-audio-clips', sql: audioClips },
  { id: '0010-embeddings', sql: embeddings },
];

/** Advisory lock under which one node at a time migrates a database. */
const MIGRATION_LOCK_ID = 7_316_402_552;
/** How long a node waits for another one's migration. */
const LOCK_TIMEOUT_MS = 300_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** PostgreSQL 14. */
const OLDEST_SERVER_VERSION = 140_000;

/**
 * Brings the database's tables to this release: each missing migration in a transaction of its own, under an advisory lock, so that
 * any number of nodes may start at once. Throws `database-unavailable` where the database cannot be reached or is too old.
 */
export async function migrate(connection: pg.ClientConfig, log: Log): Promise<void> {
  const client = new pg.Client({ connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ...connection, application_name: 'agent-stream migrations' });
  client.on('error', (error) => log.debug('Connection lost while migrating', { reason: error.message }));
  try {
    await client.connect();
    await checkServer(client);
    await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK_ID]);
    await applyMissing(client, log);
    await migrateQueue(connection, log);
  } catch (cause) {
    if (cause instanceof AgentStreamError) throw cause;
    throw new AgentStreamError('database-unavailable', { message: `The database cannot be prepared: ${(cause as Error).message}`, cause });
  } finally {
    await client.end().catch((error: unknown) => log.debug('Closing the migrations’ connection failed', { reason: String(error) }));
  }
}

async function checkServer(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ version: string }>(`SELECT current_setting('server_version_num') AS version`);
  if (Number(rows[0]?.version) >= OLDEST_SERVER_VERSION) return;
  throw new AgentStreamError('database-unavailable', { message: 'The database server is older than PostgreSQL 14. Upgrade it.' });
}

/** The job queue's tables are its library's: schema `graphile_worker`. */
async function migrateQueue(connection: pg.ClientConfig, log: Log): Promise<void> {
  const pgPool = new pg.Pool({ connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ...connection, max: 1 });
  const noteLoss = (error: Error) => log.debug('Connection lost while migrating', { reason: error.message });
  pgPool.on('error', noteLoss);
  pgPool.on('connect', (client) => client.on('error', noteLoss));
  try {
    await runMigrations({ pgPool, logger: queueLogger(log) });
  } finally {
    await pgPool.end();
  }
}

async function applyMissing(client: pg.Client, log: Log): Promise<void> {
  await client.query('CREATE TABLE IF NOT EXISTS schema_migrations (id text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())');
  const { rows } = await client.query<{ id: string }>('SELECT id FROM schema_migrations');
  const applied = new Set(rows.map((row) => row.id));
  for (const { id, sql } of migrations) {
    if (applied.delete(id)) continue;
    await client.query('BEGIN');
    try {
      await client.query(sql);
      await client.query('INSERT INTO schema_migrations (id) VALUES ($1)', [id]);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    }
    log.info('Database migrated', { migration: id });
  }
  if (applied.size > 0) log.warn('The database was migrated by a newer release', { unknownMigrations: applied.size });
}
