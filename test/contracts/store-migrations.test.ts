import { getTableColumns, getTableName, is } from 'drizzle-orm';
import { PgTable } from 'drizzle-orm/pg-core';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { silentLog } from '../../src/base/log.js';
import { migrate } from '../../src/store/migrate.js';
import { openStore } from '../../src/store/postgres-store.js';
import * as schema from '../../src/store/schema.js';
import { createTestDatabase } from '../support/database.js';

describe('migrations', () => {
  it('run once when several nodes start at once on an empty database', async () => {
    const database = await createTestDatabase({ isEmpty: true });
    const applied: unknown[] = [];
    const log = { ...silentLog, info: (_message: string, fields?: object) => void applied.push(fields) };
    const secretKey = Buffer.alloc(32, 1);
    const stores = await Promise.all(
      Array.from({ length: 5 }, () => openStore({ poolConfig: database.poolConfig, secretKey, clock: systemClock, log, maxConnections: 1 })),
    );
    const ids = ['0001-initial', '0002-recording-retention', '0003-webhooks', '0004-tools', '0005-documents', '0006-after-call', '0007-chats', '0008-credentials', '0009-audio-clips', '0010-embeddings'];
    expect(applied).toEqual(ids.map((migration) => ({ migration })));
    expect(await stores[4]?.accounts.isEmpty()).toBe(true);
    await Promise.all(stores.map((store) => store.close()));
    await database.drop();
  });

  it('take a database of a newer release as it is, and say so', async () => {
    const database = await createTestDatabase();
    const client = new pg.Client(database.poolConfig);
    await client.connect();
    await client.query(`INSERT INTO schema_migrations (id) VALUES ('9999-future')`);
    await client.end();
    const warnings: string[] = [];
    await migrate(database.poolConfig, { ...silentLog, warn: (message) => void warnings.push(message) });
    expect(warnings).toHaveLength(1);
    await database.drop();
  });

  it('leave the tables that the code describes', async () => {
    const database = await createTestDatabase();
    const client = new pg.Client(database.poolConfig);
    await client.connect();
    const { rows } = await client.query<{ column: string }>(
      `SELECT c.table_name || '.' || c.column_name || ' ' || c.is_nullable || ' ' || format_type(a.atttypid, a.atttypmod) AS column
       FROM information_schema.columns c JOIN pg_attribute a ON a.attrelid = c.table_name::regclass AND a.attname = c.column_name
       WHERE c.table_schema = 'public' AND c.table_name <> 'schema_migrations'`,
    );
    await client.end();
    await database.drop();
    const tables = Object.values(schema as Record<string, unknown>).filter((table) => is(table, PgTable));
    const described = tables.flatMap((table) =>
      Object.values(getTableColumns(table)).map((column) => {
        const type = column.getSQLType().replace('timestamp (3)', 'timestamp(3)');
        return `${getTableName(table)}.${column.name} ${column.notNull ? 'NO' : 'YES'} ${type}`;
      }),
    );
    const names = new Set(tables.map((table) => getTableName(table)));
    expect(names.size).toBeGreaterThan(5);
    const found = rows.map((row) => row.column).filter((column) => names.has(column.split('.')[0] ?? ''));
    expect(found.sort()).toEqual(described.sort());
  });
});
