import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { silentLog } from '../base/log.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.js';
import { parsePostmasterFile } from './embedded/postmaster.js';
import { canEnter, findBarrier } from './embedded/service-account.js';

const isRoot = process.getuid?.() === 0;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'agent-stream-embedded-'));
  closers.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function start(dataDir: string): Promise<EmbeddedPostgres> {
  const database = await startEmbeddedPostgres({ dataDir, log: silentLog });
  closers.push(() => database.stop());
  return database;
}

async function query(database: EmbeddedPostgres, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(database.poolConfig);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

const postmasterOf = async (dataDir: string) => parsePostmasterFile(await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8'))?.pid ?? 0;

/** Starts the database in another process. */
async function startOwner(dataDir: string): Promise<ChildProcess> {
  const script = new URL('../../test/support/embedded-owner.ts', import.meta.url).pathname;
  const owner = spawn(process.execPath, ['--import', 'tsx', script, dataDir], { stdio: ['pipe', 'pipe', 'inherit'] });
  closers.push(async () => void owner.kill('SIGKILL'));
  await once(owner.stdout, 'data');
  return owner;
}

async function kill(owner: ChildProcess): Promise<void> {
  owner.kill('SIGKILL');
  await once(owner, 'exit');
}

describe('the embedded database', () => {
  it('starts durable, on a private socket alone, and keeps its data', async () => {
    const dataDir = await temporaryDirectory();
    const first = await start(dataDir);
    expect(first.isExclusive).toBe(true);
    const settings = await query(first, `SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'listen_addresses', 'unix_socket_permissions') ORDER BY 1`);
    expect(settings.map((row) => row.setting)).toEqual(['on', '', '0700']);
    expect((await stat(String(first.poolConfig.host))).mode & 0o077).toBe(0);
    await query(first, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    await first.stop();
    await expect(query(first, 'SELECT 1')).rejects.toThrow();
    const startMs = performance.now();
    const second = await start(dataDir);
    process.stdout.write(`embedded database ready on existing data after ${Math.round(performance.now() - startMs)} ms\n`);
    expect(await query(second, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  it('is adopted after its server was killed', async () => {
    const dataDir = await temporaryDirectory();
    const owner = await startOwner(dataDir);
    const pid = await postmasterOf(dataDir);
    await kill(owner);
    const database = await start(dataDir);
    expect(await postmasterOf(dataDir)).toBe(pid);
    expect(await query(database, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('recovers after server and database were killed', async () => {
    const dataDir = await temporaryDirectory();
    const owner = await startOwner(dataDir);
    const pid = await postmasterOf(dataDir);
    await kill(owner);
    process.kill(pid, 'SIGKILL');
    const database = await start(dataDir);
    expect(await query(database, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await postmasterOf(dataDir)).not.toBe(pid);
  });

  it('refuses a second server and leaves the first alone', async () => {
    const dataDir = await temporaryDirectory();
    const first = await start(dataDir);
    const second = startEmbeddedPostgres({ dataDir, log: silentLog });
    await expect(second).rejects.toMatchObject({ code: 'data-directory-in-use' });
    await expect(second).rejects.toThrow(`process ${process.pid}`);
    expect(await query(first, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('lets one of two that start at once have it', async () => {
    const dataDir = await temporaryDirectory();
    const attempts = await Promise.allSettled([start(dataDir), start(dataDir)]);
    expect(attempts.map((attempt) => attempt.status).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = attempts.find((attempt) => attempt.status === 'rejected');
    expect(refused?.reason).toMatchObject({ code: 'data-directory-in-use' });
  });

  it('comes back when it dies', async () => {
    const dataDir = await temporaryDirectory();
    const database = await start(dataDir);
    process.kill(await postmasterOf(dataDir), 'SIGKILL');
    await vi.waitFor(async () => expect(await query(database, 'SELECT 1 AS one')).toEqual([{ one: 1 }]), { timeout: 20_000, interval: 50 });
    const second = startEmbeddedPostgres({ dataDir, log: silentLog });
    await expect(second).rejects.toMatchObject({ code: 'data-directory-in-use' });
  });

  it('starts over a process file whose number another program has now', async () => {
    const dataDir = await temporaryDirectory();
    await (await start(dataDir)).stop();
    await writeFile(join(dataDir, 'postgres', 'postmaster.pid'), `${process.pid}\n${dataDir}/postgres\n0\n5432\n${dataDir}\n\n0 0\nready\n`);
    expect(await query(await start(dataDir), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('uses a short private socket directory where its own path is too long', async () => {
    const parent = await temporaryDirectory();
    await chmod(parent, 0o711);
    const database = await start(join(parent, 'x'.repeat(100)));
    closers.unshift(() => rm(String(database.poolConfig.host), { recursive: true, force: true }));
    expect(String(database.poolConfig.host).length).toBeLessThan(90);
    expect((await stat(String(database.poolConfig.host))).mode & 0o777).toBe(0o700);
    expect(await query(database, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('stops waiting when asked to', async () => {
    const dataDir = await temporaryDirectory();
    const started = startEmbeddedPostgres({ dataDir, log: silentLog, signal: AbortSignal.abort(new Error('never mind')) });
    await expect(started).rejects.toThrow('never mind');
    closers.push(async () => (await start(dataDir)).stop());
  });

  it('says what to do about data of another version', async () => {
    const dataDir = await temporaryDirectory();
    await (await start(dataDir)).stop();
    await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '12\n');
    await expect(start(dataDir)).rejects.toMatchObject({ code: 'database-unavailable', message: expect.stringContaining('PostgreSQL 12') as string });
  });

  it.skipIf(!isRoot)('runs as an ordinary user where its server is root', async () => {
    const dataDir = await temporaryDirectory();
    await start(dataDir);
    expect((await stat(join(dataDir, 'postgres'))).uid).not.toBe(0);
    expect((await stat(`/proc/${await postmasterOf(dataDir)}`)).uid).not.toBe(0);
  });

  it.skipIf(!isRoot)('names the directory that this user cannot enter', async () => {
    const closed = await temporaryDirectory();
    await mkdir(join(closed, 'data'));
    await chmod(closed, 0o700);
    await expect(start(join(closed, 'data'))).rejects.toMatchObject({
      code: 'database-unavailable',
      message: expect.stringContaining(`chmod o+x ${closed}`) as string,
    });
  });
});

describe('its parts', () => {
  it('read the process file, also one that is being written', () => {
    expect(parsePostmasterFile('4711\n/data\n1700000000\n5432\n/run/x\n\n123 456\nready\n')).toEqual({ pid: 4711, socketDirectory: '/run/x' });
    expect(parsePostmasterFile('4711\n/data\n')).toEqual({ pid: 4711, socketDirectory: '' });
    for (const text of ['', '\n', 'garbage', '-5\n', '0\n']) expect(parsePostmasterFile(text)).toBeNull();
  });

  it('judge permissions as the kernel does: the first class that fits decides', () => {
    const account = { uid: 101, gid: 104, name: 'postgres' };
    const cases: [number, number, number, boolean][] = [
      [0, 0, 0o700, false],
      [0, 0, 0o711, true],
      [101, 0, 0o700, true],
      [101, 104, 0o011, false],
      [0, 104, 0o710, true],
      [0, 104, 0o701, false],
    ];
    for (const [uid, gid, mode, expected] of cases) expect(canEnter({ uid, gid, mode }, account)).toBe(expected);
  });

  it('find no barrier for an ordinary user', async () => {
    expect(await findBarrier('/nonexistent/path', null)).toBeNull();
  });
});
