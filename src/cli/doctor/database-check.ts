import { existsSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { errorText } from './error-text.js';
import { ok, problem, skipped, type Check, type Finding } from './finding.js';
import { probe } from './probe.js';

const connectTimeoutMs = 5000;
/** Oldest PostgreSQL that is supported, as `server_version_num`. */
const minServerVersion = 140_000;

/** The database answers; a running server vouches for the embedded one. */
export const databaseCheck: Check = {
  title: 'Database',
  async run(context) {
    const { config, serverUrl } = context;
    if (config === null) return [skipped('needs a valid configuration')];
    if (config.databaseUrl !== null) return [await checkExternal(config.databaseUrl)];
    const ready = await probe(context, `${serverUrl}/readyz`);
    if (ready.type === 'answer' && ready.status === 200) return [ok('embedded PostgreSQL, answers')];
    if (ready.type === 'answer') {
      return [problem(`the server is not ready (${ready.status})`, 'Look at the server’s log: it is draining, or its database does not answer.')];
    }
    const hasData = existsSync(join(config.dataDir, 'postgres', 'PG_VERSION'));
    return [ok(hasData ? 'embedded PostgreSQL, starts with the server' : 'embedded PostgreSQL, made at the first start')];
  },
};

async function checkExternal(databaseUrl: string): Promise<Finding> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: connectTimeoutMs, query_timeout: connectTimeoutMs });
  // Without a listener a connection that breaks later would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ version: number; has_migrations: boolean }>(
      "select current_setting('server_version_num')::int as version, to_regclass('schema_migrations') is not null as has_migrations",
    );
    const version = rows[0]?.version ?? 0;
    const text = `PostgreSQL ${Math.floor(version / 10_000)} answers`;
    if (version < minServerVersion) return problem(`${text}, too old`, 'Use PostgreSQL 14 or newer.');
    if (rows[0]?.has_migrations !== true) return ok(`${text}; its tables are made at the first start`);
    const newest = await client.query<{ id: string | null }>('select max(id) as id from schema_migrations');
    return ok(`${text}, migrated to ${newest.rows[0]?.id ?? 'nothing'}`);
  } catch (error) {
    return problem(`DATABASE_URL does not answer (${errorText(error)})`, 'Check host, port, user and password; see that the database exists.');
  } finally {
    await client.end();
  }
}
