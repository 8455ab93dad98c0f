import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, mkdtemp, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AgentStreamError } from '../../base/errors.js';
import type { Log } from '../../base/log.js';
import { identity, locateBinaries, programEnvironment, type PlatformBinaries } from './platform-binaries.js';
import { findBarrier, findServiceAccount, type ServiceAccount } from './service-account.js';

/** A database on disk and what it takes to run it. */
export interface Cluster {
  /** PostgreSQL's data directory: `postgres` below the server's. */
  readonly directory: string;
  readonly socketDirectory: string;
  readonly binaries: PlatformBinaries;
  readonly account: ServiceAccount | null;
  /** PostgreSQL settings that differ from ours. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Database superuser; the socket's permissions are the authentication. */
export const DATABASE_USER = 'postgres';

/** Linux holds 107 bytes of socket path, macOS 103; PostgreSQL appends its file name. */
const MAX_SOCKET_PATH_BYTES = 103;
const SOCKET_FILE_NAME = '.s.PGSQL.5432';
/** Typically 0.6 s. */
const INITDB_TIMEOUT_MS = 120_000;

const run = promisify(execFile);

/** Opens the cluster below `dataDir`, creating it where there is none. Throws `database-unavailable` with what to do. */
export async function prepareCluster(dataDir: string, settings: Readonly<Record<string, string>>, log: Log): Promise<Cluster> {
  const drop = await findServiceAccount();
  await mkdir(dataDir, { recursive: true, mode: drop === null ? 0o700 : 0o711 });
  const home = await realpath(dataDir);
  const directory = join(home, 'postgres');
  const account = await ownerOf(directory, drop);
  await openTheWay(home, directory, account);
  const binaries = await locateBinaries(account, log);
  if (!(await exists(directory))) await initialise(directory, binaries, account);
  await checkVersion(directory, binaries);
  return { directory, socketDirectory: await prepareSocketDirectory(directory, account), binaries, account, settings };
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** An existing cluster runs as the user who owns it: PostgreSQL demands so. */
async function ownerOf(directory: string, drop: ServiceAccount | null): Promise<ServiceAccount | null> {
  const found = drop === null ? null : await stat(directory).catch(() => null);
  return drop === null || found === null || found.uid === drop.uid ? drop : { uid: found.uid, gid: found.gid, name: String(found.uid) };
}

/** Lets `account` pass through the server's own data directory (not list it); directories above it are for their owner to change. */
async function openTheWay(home: string, directory: string, account: ServiceAccount | null): Promise<void> {
  let barrier = await findBarrier(directory, account);
  if (barrier === home) {
    await chmod(home, ((await stat(home)).mode & 0o777) | 0o011);
    barrier = await findBarrier(directory, account);
  }
  if (barrier === null || account === null) return;
  throw new AgentStreamError('database-unavailable', {
    message:
      `This process is root, so the database runs as user ${account.name}, who cannot enter ${barrier}. ` +
      `Run chmod o+x ${barrier}, set AGENT_STREAM_DATA_DIR to a directory that user can reach, or start the server as an ordinary user.`,
  });
}

/** Initialises beside the final place and renames, so that a crash on the way leaves nothing half made. */
async function initialise(directory: string, binaries: PlatformBinaries, account: ServiceAccount | null): Promise<void> {
  const staging = await mkdtemp(`${directory}-new-`);
  try {
    if (account !== null) await chown(staging, account.uid, account.gid);
    const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'];
    await run(binaries.initdb, ['-D', staging, '-U', DATABASE_USER, '--auth=trust', ...locale], {
      ...identity(account),
      cwd: '/',
      env: programEnvironment,
      timeout: INITDB_TIMEOUT_MS,
    });
    await rename(staging, directory);
  } catch (cause) {
    await rm(staging, { recursive: true, force: true });
    if (await exists(directory)) return;
    throw new AgentStreamError('database-unavailable', {
      message: `The embedded database could not be created in ${directory}: ${(cause as Error).message.slice(-500)}`,
      cause,
    });
  }
}

async function checkVersion(directory: string, binaries: PlatformBinaries): Promise<void> {
  const version = await readFile(join(directory, 'PG_VERSION'), 'utf8').catch((cause: unknown) => {
    throw new AgentStreamError('database-unavailable', { message: `${directory} cannot be read as a PostgreSQL data directory.`, cause });
  });
  if (version.trim() === binaries.majorVersion) return;
  throw new AgentStreamError('database-unavailable', {
    message:
      `${directory} was made by PostgreSQL ${version.trim()}, the embedded one is ${binaries.majorVersion}. ` +
      'Run the former release of the server, or move the data with pg_dump and pg_restore.',
  });
}

/** The cluster's own directory, which only its user may enter; a short private one where the path would be too long for a socket. */
async function prepareSocketDirectory(directory: string, account: ServiceAccount | null): Promise<string> {
  if (Buffer.byteLength(join(directory, SOCKET_FILE_NAME)) <= MAX_SOCKET_PATH_BYTES) return directory;
  const owner = account ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 12);
  const short = join(await realpath(tmpdir()), `agent-stream-${name}`);
  await mkdir(short, { mode: 0o700 }).then(
    () => (account === null ? undefined : chown(short, account.uid, account.gid)),
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    },
  );
  const found = await lstat(short);
  if (!found.isDirectory() || found.uid !== owner.uid || (found.mode & 0o077) !== 0) {
    throw new AgentStreamError('database-unavailable', { message: `${short} is not a private directory of the database's user. Remove it.` });
  }
  return short;
}
