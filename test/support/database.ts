import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { systemClock, type Clock } from '../../src/base/clock.js';
import { silentLog, type Log } from '../../src/base/log.js';
import { openStore } from '../../src/store/postgres-store.js';
import type { Store } from '../../src/store/store.js';
import { TEMPLATE_DATABASE } from './template-database.js';

/** A database of a test's own. */
export interface TestDatabase {
  readonly poolConfig: pg.PoolConfig;
  /** The same as a URL, for servers started as processes. */
  readonly databaseUrl: string;
  /** Drops it, whoever is connected. */
  drop(): Promise<void>;
}

/** A store on a database of its own. */
export interface TestStore extends TestDatabase {
  readonly store: Store;
  readonly secretKey: Buffer;
  /** Closes the store and drops the database. */
  dispose(): Promise<void>;
}

async function administrate(statement: string): Promise<void> {
  const client = new pg.Client({ ...inject('postgres'), database: 'postgres' });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Creates a migrated database (30 ms), or with `isEmpty` one without tables. */
export async function createTestDatabase(options: { isEmpty?: boolean } = {}): Promise<TestDatabase> {
  const server = inject('postgres');
  const database = `test_${randomBytes(8).toString('hex')}`;
  await administrate(`CREATE DATABASE ${database} TEMPLATE ${options.isEmpty === true ? 'template0' : TEMPLATE_DATABASE}`);
  return {
    poolConfig: { ...server, database },
    databaseUrl: `postgresql://${server.user}@localhost/${database}?host=${encodeURIComponent(server.host)}`,
    drop: () => administrate(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`),
  };
}

/** Opens a store on a fresh database. */
export async function openTestStore(options: { clock?: Clock; log?: Log; maxConnections?: number } = {}): Promise<TestStore> {
  const database = await createTestDatabase();
  const secretKey = randomBytes(32);
  const { clock = systemClock, log = silentLog, maxConnections = 10 } = options;
  const store = await openStore({ poolConfig: database.poolConfig, secretKey, clock, log, maxConnections });
  return {
    ...database,
    store,
    secretKey,
    async dispose() {
      await store.close();
      await database.drop();
    },
  };
}
