import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { inject } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { parsePostmasterFile } from '../../src/store/embedded/postmaster.js';
import { waitFor, waitUntil } from './wait-for.js';

const program = fileURLToPath(new URL('../../bin/agent-stream.js', import.meta.url));

/** First start: creating a cluster on a busy machine. */
const START_PATIENCE_MS = 60_000;
const EXIT_PATIENCE_MS = 60_000;

/** Held while the program is built, so that test files that run at once build it once. */
const BUILD_LOCK_ID = 7_316_402_599;

/** The API key of every server that is started here, from its environment. */
export const API_KEY = 'process-test-key-0123456789abcdef';

/** How a process ended. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a process printed so far. */
export interface ProcessOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** A process of the built program. */
export interface ProgramProcess {
  readonly pid: number;
  readonly output: () => ProcessOutput;
  /** @throws where it does not end within a minute */
  readonly exited: () => Promise<ProcessExit>;
  kill(signal: NodeJS.Signals): void;
}

/** A server that takes calls. */
export interface ServerProcess extends ProgramProcess {
  readonly url: string;
  readonly dataDir: string;
  /** From the start of the process to its readiness. */
  readonly readyMs: number;
  /** SIGTERM, and SIGKILL where that takes too long. */
  stop(): Promise<ProcessExit>;
}

const children = new Set<ChildProcess>();
const dataDirs = new Set<string>();
let built: Promise<void> | null = null;

/** Builds the program where that is needed; the processes that follow start at once. */
export function buildProgram(): Promise<void> {
  built ??= buildUnderLock();
  return built;
}

async function buildUnderLock(): Promise<void> {
  const client = new pg.Client({ ...inject('postgres'), database: 'postgres' });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [BUILD_LOCK_ID]);
    const { status, stderr } = spawnSync(process.execPath, [program, '--version'], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`The program does not build: ${stderr}`);
  } finally {
    await client.end();
  }
}

/** A data directory that is removed by {@link disposeProcesses}. The embedded database, run by another user where the tests are root, opens its way. */
export async function createDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'agent-stream-process-'));
  dataDirs.add(dataDir);
  return dataDir;
}

/** Runs the built program with an environment of its own: nothing but PATH and HOME is inherited. */
export async function startProgram(args: readonly string[], env: Readonly<Record<string, string>>): Promise<ProgramProcess> {
  await buildProgram();
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [program, ...args], { env: { PATH, HOME, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  let exit: ProcessExit | null = null;
  child.once('close', (code, signal) => {
    exit = { code, signal };
    children.delete(child);
  });
  return {
    pid: child.pid ?? 0,
    output: () => ({ ...output }),
    exited: () => waitFor('the end of the process', () => exit, EXIT_PATIENCE_MS),
    kill: (signal) => void child.kill(signal),
  };
}

/** Starts a server on a free port and waits until it is ready. `dataDir` left out: a fresh one. @throws where it does not come up */
export async function startServerProcess(options: { dataDir?: string; env?: Readonly<Record<string, string>> } = {}): Promise<ServerProcess> {
  const dataDir = options.dataDir ?? (await createDataDir());
  await buildProgram();
  const startMs = systemClock.nowMs();
  const server = await startProgram(['serve'], {
    HOST: '127.0.0.1',
    PORT: '0',
    AGENT_STREAM_DATA_DIR: dataDir,
    AGENT_STREAM_BOOTSTRAP_API_KEY: API_KEY,
    LOG_LEVEL: 'info',
    ...options.env,
  });
  let hasExited = false;
  void server.exited().then(
    () => (hasExited = true),
    () => undefined,
  );
  const url = await waitFor(
    'the server’s banner',
    () => {
      if (hasExited) throw new Error(`The server ended: ${JSON.stringify(server.output())}`);
      return /API\s+(http:\S+?)\/api\/v1/.exec(server.output().stdout)?.[1];
    },
    START_PATIENCE_MS,
  );
  await waitUntil('readiness', async () => (await fetch(`${url}/readyz`)).ok);
  const readyMs = systemClock.nowMs() - startMs;
  return {
    ...server,
    url,
    dataDir,
    readyMs,
    async stop() {
      server.kill('SIGTERM');
      return server.exited().catch((error: unknown) => {
        server.kill('SIGKILL');
        throw error;
      });
    },
  };
}

/** The embedded database's process of a data directory; null where none runs. */
export async function postmasterOf(dataDir: string): Promise<number | null> {
  const text = await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = parsePostmasterFile(text)?.pid ?? null;
  return pid !== null && isAlive(pid) ? pid : null;
}

/** Sends a signal to every process of a data directory's database: SIGSTOP freezes it, SIGCONT wakes it up, SIGKILL is a crash. */
export async function signalDatabase(dataDir: string, signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): Promise<void> {
  const postmaster = await postmasterOf(dataDir);
  if (postmaster === null) throw new Error('No database runs there');
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const processes = stdout.trim().split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  // The postmaster first: it must not replace what is stopped after it.
  for (const pid of [postmaster, ...processes.filter(([, parent]) => parent === postmaster).map(([pid = 0]) => pid)]) {
    if (isAlive(pid)) process.kill(pid, signal);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Kills what is left of this file's processes and their databases, and removes their data directories. For `afterAll`. */
export async function disposeProcesses(): Promise<void> {
  for (const child of children) child.kill('SIGKILL');
  await waitUntil('the end of all processes', () => children.size === 0);
  for (const dataDir of dataDirs) {
    const pid = await postmasterOf(dataDir);
    if (pid !== null) {
      await signalDatabase(dataDir, 'SIGCONT');
      process.kill(pid, 'SIGQUIT');
      await waitUntil('the end of a database', async () => (await postmasterOf(dataDir)) === null);
    }
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    dataDirs.delete(dataDir);
  }
}
