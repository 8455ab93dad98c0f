import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { silentLog } from '../../src/base/log.js';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.js';
import { migrate } from '../../src/store/migrate.js';
import { TEMPLATE_DATABASE } from './template-database.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The test run's PostgreSQL: socket directory and superuser. */
    postgres: { host: string; user: string };
  }
}

/** Nothing of a test run needs to survive a power cut. */
const testSettings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' };

/** One PostgreSQL for the whole run, with a migrated template that {@link openTestStore} clones. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'agent-stream-test-'));
  const database = await startEmbeddedPostgres({ dataDir, log: silentLog, settings: testSettings });
  const { host, user } = database.poolConfig;
  if (typeof host !== 'string' || typeof user !== 'string') throw new Error('The embedded database listens on a socket.');
  await createTemplate({ host, user });
  project.provide('postgres', { host, user });
  return async () => {
    await database.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
}

async function createTemplate(server: { host: string; user: string }): Promise<void> {
  const client = new pg.Client({ ...server, database: 'postgres' });
  await client.connect();
  await client.query(`CREATE DATABASE ${TEMPLATE_DATABASE}`);
  await client.end();
  await migrate({ ...server, database: TEMPLATE_DATABASE }, silentLog);
}
