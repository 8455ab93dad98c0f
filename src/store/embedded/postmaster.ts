import { execFile, spawn } from 'node:child_process';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sleep, type Clock } from '../../base/clock.js';
import type { Cluster } from './cluster.js';
import { identity, programEnvironment } from './platform-binaries.js';

/** A running database server: the process that owns a data directory. */
export interface Postmaster {
  readonly pid: number;
  readonly socketDirectory: string;
}

/** Sessions are disconnected and a checkpoint written; a busy disk takes a while. */
const FAST_SHUTDOWN_TIMEOUT_MS = 20_000;
/** Afterwards children are killed; the next start recovers from the write-ahead log. */
const IMMEDIATE_SHUTDOWN_TIMEOUT_MS = 10_000;
const EXIT_POLL_MS = 10;
/** Bytes of the start log quoted where the server does not come up. */
const LOG_TAIL_BYTES = 800;

const run = promisify(execFile);

/** What `postmaster.pid` says: line 1 is the process, line 5 its socket directory (PostgreSQL manual, "Database File Layout"). */
export function parsePostmasterFile(text: string): Postmaster | null {
  const lines = text.split('\n');
  const pid = Number.parseInt(lines[0] ?? '', 10);
  return pid > 0 ? { pid, socketDirectory: (lines[4] ?? '').trim() } : null;
}

/**
 * The live server of a data directory, also one that outlived the process that started it. Null where none runs. A file left by a crash
 * whose process id now belongs to another program (usual after a container restart) is removed, as PostgreSQL would refuse to start.
 */
export async function findPostmaster(cluster: Cluster): Promise<Postmaster | null> {
  const file = join(cluster.directory, 'postmaster.pid');
  const postmaster = parsePostmasterFile(await readFile(file, 'utf8').catch(missingAsEmpty));
  if (postmaster === null || !isAlive(postmaster.pid)) return null;
  if ((await commandOf(postmaster.pid)).includes(cluster.directory)) return postmaster;
  await rm(file, { force: true });
  await rm(join(cluster.socketDirectory, '.s.PGSQL.5432.lock'), { force: true });
  return null;
}

function missingAsEmpty(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw error;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Command line of a process; empty for one that has exited but was not reaped. `ps` where there is no /proc. */
async function commandOf(pid: number): Promise<string> {
  const viaProc = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  if (viaProc !== null) return viaProc;
  const answer = await run('ps', ['-p', String(pid), '-o', 'command=']).catch(() => ({ stdout: '' }));
  return answer.stdout;
}

/** A server that was started and may be coming up: `exited` resolves when it is gone. */
export interface Launch {
  readonly exited: Promise<void>;
  readonly hasExited: () => boolean;
}

/** Starts a server in its own session, so that it survives this process and no terminal signal reaches it. */
export async function launchPostmaster(cluster: Cluster): Promise<Launch> {
  const log = await open(startLogOf(cluster), 'w', 0o600);
  try {
    const settings = Object.entries({ ...serverSettings(cluster), ...cluster.settings });
    const child = spawn(cluster.binaries.postgres, ['-D', cluster.directory, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])], {
      ...identity(cluster.account),
      cwd: '/',
      env: programEnvironment,
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
    });
    child.unref();
    let hasExited = false;
    const exited = new Promise<void>((resolve) => {
      const onGone = () => {
        hasExited = true;
        resolve();
      };
      child.once('exit', onGone);
      child.once('error', onGone);
    });
    return { exited, hasExited: () => hasExited };
  } finally {
    await log.close();
  }
}

/** A socket that only its user may open, no network; a week of logs without statements, parameters or row values. */
function serverSettings(cluster: Cluster): Record<string, string> {
  return {
    listen_addresses: '',
    unix_socket_directories: cluster.socketDirectory,
    unix_socket_permissions: '0700',
    max_connections: '100',
    shared_buffers: '64MB',
    logging_collector: 'on',
    log_directory: 'log',
    log_filename: 'postgresql-%a.log',
    log_truncate_on_rotation: 'on',
    log_rotation_age: '1d',
    log_rotation_size: '0',
    log_error_verbosity: 'terse',
    log_min_error_statement: 'panic',
    log_statement: 'none',
  };
}

const startLogOf = (cluster: Cluster): string => join(cluster.directory, 'start.log');

/** The end of what the last start printed, and of the server's own log where it got that far. */
export async function readStartLog(cluster: Cluster): Promise<string> {
  const text = await readFile(startLogOf(cluster), 'utf8').catch(() => '');
  return text.slice(-LOG_TAIL_BYTES).trim();
}

/** Shuts the server down: fast, and immediately where that takes too long. Resolves when it is gone. */
export async function haltPostmaster(cluster: Cluster, postmaster: Postmaster, clock: Clock): Promise<void> {
  if (await endedBy('SIGINT', FAST_SHUTDOWN_TIMEOUT_MS)) return;
  await endedBy('SIGQUIT', IMMEDIATE_SHUTDOWN_TIMEOUT_MS);

  async function endedBy(signal: NodeJS.Signals, timeoutMs: number): Promise<boolean> {
    const deadlineMs = clock.nowMs() + timeoutMs;
    if (isAlive(postmaster.pid)) process.kill(postmaster.pid, signal);
    while ((await findPostmaster(cluster))?.pid === postmaster.pid) {
      if (clock.nowMs() >= deadlineMs) return false;
      await sleep(clock, EXIT_POLL_MS);
    }
    return true;
  }
}
