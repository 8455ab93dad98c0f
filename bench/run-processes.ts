import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { benchBearerToken, benchDomains } from './bench-call.js';
import { childrenOf } from './cpu-usage.js';
import type { ProbeReport, ProbeRequest, TurnTimes, VendorDelays, VendorMessage, VendorRequest } from './messages.js';
import { sharedNowMs } from './shared-clock.js';

/** Root of the repository. */
export const repositoryRoot = new URL('..', import.meta.url).pathname;

/** A process must be ready after this long. */
const READY_TIMEOUT_MS = 60_000;

/** A process must be gone this long after SIGTERM. */
const STOP_TIMEOUT_MS = 20_000;

const hasTaskset = spawnSync('taskset', ['-V']).status === 0;

/** Core the measured process runs on, and the core of everything else. */
export const cores = { server: '0', rest: '1' } as const;

/** Whether processes are held on their cores. */
export const isPinned = hasTaskset;

/** The command line that runs `command` on one core, where the machine can. */
function pinned(core: string, command: readonly string[]): readonly string[] {
  return hasTaskset ? ['taskset', '-c', core, ...command] : command;
}

function start(command: readonly string[], options: { env?: NodeJS.ProcessEnv; ipc?: boolean; cwd?: string }): ChildProcess {
  const [file = '', ...args] = command;
  return spawn(file, args, {
    cwd: options.cwd ?? repositoryRoot,
    env: options.env ?? process.env,
    stdio: options.ipc === true ? ['ignore', 'inherit', 'inherit', 'ipc'] : ['ignore', 'pipe', 'pipe'],
  });
}

/** Ends a child of this run: SIGTERM, then SIGKILL. */
export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await gone;
  clearTimeout(timer);
}

/** The next message of one kind from a child. */
async function nextMessage<T extends { readonly type: string }>(child: ChildProcess, type: T['type']): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(() => reject(new Error(`no ${type} from a child process`))), READY_TIMEOUT_MS);
    const onExit = () => settle(() => reject(new Error(`a child process ended before it said ${type}`)));
    const onMessage = (message: T) => {
      if (message.type === type) settle(() => resolve(message));
    };
    const settle = (done: () => void) => {
      clearTimeout(timer);
      child.off('exit', onExit).off('message', onMessage);
      done();
    };
    child.on('exit', onExit).on('message', onMessage);
  });
}

const script = (name: string, ...args: string[]) => [process.execPath, '--import', 'tsx', join(repositoryRoot, 'bench', name), ...args];

/** The process of fake vendors. */
export interface VendorsProcess {
  readonly urls: Extract<VendorMessage, { type: 'ready' }>;
  /** What was timed since the last time. */
  takeTurns(): Promise<Readonly<Record<string, TurnTimes>>>;
  close(): Promise<void>;
}

/** Starts the fake vendors on the core of everything else. */
export async function startVendors(delays: VendorDelays): Promise<VendorsProcess> {
  const child = start(pinned(cores.rest, script('vendors.ts', JSON.stringify(delays))), { ipc: true });
  const urls = await nextMessage<Extract<VendorMessage, { type: 'ready' }>>(child, 'ready');
  return {
    urls,
    async takeTurns() {
      const answer = nextMessage<Extract<VendorMessage, { type: 'turns' }>>(child, 'turns');
      const request: VendorRequest = { type: 'take-turns' };
      child.send(request);
      return (await answer).turns;
    },
    close: () => stopProcess(child),
  };
}

/** The control probe. */
export interface ProbeProcess {
  take(): Promise<ProbeReport>;
  close(): Promise<void>;
}

/** Starts the control probe, on whichever core is free. */
export async function startProbe(): Promise<ProbeProcess> {
  const child = start(script('control-probe.ts'), { ipc: true });
  await once(child, 'spawn');
  return {
    async take() {
      const answer = nextMessage<ProbeReport>(child, 'probe');
      const request: ProbeRequest = { type: 'take-probe' };
      child.send(request);
      return answer;
    },
    close: () => stopProcess(child),
  };
}

/** A turn of a run's `latency` (docs/run-record.md). */
export type TurnParts = Readonly<Record<string, number | boolean>>;

/** The measured process. */
export interface ServerProcess {
  readonly pid: number;
  /** WebSocket URL of a call's stream. */
  readonly streamUrl: string;
  /** From spawn to the first answer of /readyz. */
  readonly readyMs: number;
  /** Where the time of each turn went, of the runs that have ended, by the server's own record. */
  takeTurnParts(): Promise<readonly TurnParts[]>;
  stop(): Promise<void>;
}

const API_KEY = 'bench-bootstrap-key-0123456789abcdef';
const READY_LINE = /http:\/\/127\.0\.0\.1:(\d+)/;

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net');
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function api(url: string, method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const init: RequestInit = { method, headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' } };
  if (body !== undefined) init.body = JSON.stringify(body);
  const response = await fetch(`${url}/api/v1${path}`, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

async function waitUntilReady(url: string, child: ChildProcess, startMs: number): Promise<number> {
  while (sharedNowMs() - startMs < READY_TIMEOUT_MS) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    const isReady = await fetch(`${url}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
    if (isReady) return sharedNowMs() - startMs;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the server was not ready in time');
}

/** How the measured server is run. */
export interface ServerOptions {
  /** Null: no vendors, only the start is measured. */
  readonly vendors: VendorsProcess | null;
  readonly dataDir: string;
  readonly maxCalls: number;
  /** Recording on, as it is in production, or off. */
  readonly isRecording: boolean;
  /** Replies are begun on the caller's pause, as in production, or once the turn is over. */
  readonly isPreemptive: boolean;
  /** Silence that ends a turn whose words sound complete, as the fakes' do, ms. */
  readonly minDelayMs: number;
  /** A request to the model that brings nothing for so long is sent twice; null or absent: none is. */
  readonly hedgeAfterMs?: number | null;
}

/** A data directory for one run of the benchmark. */
export function createDataDir(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'agent-stream-bench-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

function serverEnv(options: ServerOptions, port: number): NodeJS.ProcessEnv {
  const { vendors } = options;
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    NODE_ENV: 'production',
    PORT: String(port),
    AGENT_STREAM_DATA_DIR: options.dataDir,
    AGENT_STREAM_BOOTSTRAP_API_KEY: API_KEY,
    AGENT_STREAM_MAX_CALLS: String(options.maxCalls),
    AGENT_STREAM_DRAIN_TIMEOUT_SECONDS: '2',
    LOG_LEVEL: 'warn',
    ...(process.env.AGENT_STREAM_VOICE_ACTIVITY === undefined ? {} : { AGENT_STREAM_VOICE_ACTIVITY: process.env.AGENT_STREAM_VOICE_ACTIVITY }),
    ...(vendors === null
      ? {}
      : {
          DEEPGRAM_API_KEY: 'bench',
          OPENAI_API_KEY: 'bench',
          CARTESIA_API_KEY: 'bench',
          DEEPGRAM_BASE_URL: vendors.urls.deepgramUrl,
          OPENAI_BASE_URL: vendors.urls.openaiUrl,
          CARTESIA_BASE_URL: vendors.urls.cartesiaUrl,
          CLOUDONIX_API_BASE_URL: vendors.urls.cloudonixUrl,
        }),
  };
}

/** The agent of the base table. */
const benchAgent = ({ isRecording, isPreemptive, minDelayMs, hedgeAfterMs = null }: ServerOptions) => ({
  name: 'Bench',
  workflow_definition: {
    nodes: [
      {
        id: 'start',
        type: 'startCall',
        position: { x: 0, y: 0 },
        data: { name: 'Start', greeting: 'Hello, this is the benchmark. How can I help you?', prompt: 'Answer.' },
      },
      { id: 'end', type: 'endCall', position: { x: 0, y: 0 }, data: { name: 'End', prompt: 'Say goodbye.' } },
    ],
    edges: [{ id: 'edge', source: 'start', target: 'end', data: { label: 'End', condition: 'The caller says goodbye.' } }],
  },
  settings: {
    max_call_duration: 14_400,
    max_user_idle_timeout: 300,
    recording: { enabled: isRecording },
    turn: {
      endpointing: { min_delay_ms: minDelayMs, max_delay_ms: Math.max(600, minDelayMs) },
      preemptive_generation: { enabled: isPreemptive },
      // The first sound is to be the answer's.
      filler: { enabled: false },
    },
    models: { stt: { vendor: 'deepgram', early_finalize: true }, llm: { vendor: 'openai', ...(hedgeAfterMs === null ? {} : { hedge_after_ms: hedgeAfterMs }) }, tts: { vendor: 'cartesia' } },
  },
});

async function setUp(url: string, options: ServerOptions): Promise<string> {
  const agents = await api(url, 'GET', '/agents');
  const existing = (agents['items'] as { uuid: string }[])[0];
  if (existing !== undefined) return existing.uuid;
  await api(url, 'PUT', '/organization/limits', { concurrent_calls: options.maxCalls });
  for (const domain of benchDomains(options.maxCalls)) {
    const credentials = { domain_id: domain, bearer_token: benchBearerToken };
    await api(url, 'POST', '/telephony-configs', { name: domain, provider: 'cloudonix', credentials });
  }
  return String((await api(url, 'POST', '/agents', benchAgent(options)))['uuid']);
}

/** Runs that are looked at, one page of the list. */
const RUNS_LIMIT = 100;

async function turnPartsOf(url: string): Promise<readonly TurnParts[]> {
  const { items } = (await api(url, 'GET', `/runs?state=completed&limit=${RUNS_LIMIT}`)) as { items: readonly { latency: { turns?: readonly TurnParts[] } }[] };
  return items.flatMap(({ latency }) => latency.turns ?? []);
}

const serveBuilt = fileURLToPath(new URL('serve-built.mjs', import.meta.url));

/** Builds the server where that is needed. */
export function buildServer(): void {
  const { status } = spawnSync(process.execPath, [join(repositoryRoot, 'bin', 'agent-stream.js'), '--version'], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error('the server does not build');
}

/** Node.js's flags for a process that has one core to itself, as docs/deployment.md advises: there, the collector's threads only take the core from the calls. */
const oneCoreFlags = ['--heap-growing-percent=100', '--v8-pool-size=1'];

/** Starts the built server on its core, with the embedded database moved to the other one, and gives it an agent. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const command = pinned(cores.server, [process.execPath, ...(hasTaskset ? oneCoreFlags : []), serveBuilt]);
  const startMs = sharedNowMs();
  const child = start(command, { env: serverEnv(options, port) });
  let output = '';
  const keep = (chunk: Buffer) => (output = `${output}${chunk.toString('utf8')}`.slice(-4000));
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  try {
    const readyMs = await waitUntilReady(url, child, startMs);
    const agent = options.vendors === null ? '' : await setUp(url, options);
    const pid = child.pid ?? 0;
    if (hasTaskset) for (const below of childrenOf(pid)) spawnSync('taskset', ['-pc', cores.rest, String(below)]);
    const streamUrl = `ws://127.0.0.1:${port}/api/v1/agent-stream/cloudonix/${agent}`;
    return { pid, readyMs, streamUrl, takeTurnParts: () => turnPartsOf(url), stop: () => stopProcess(child) };
  } catch (error) {
    await stopProcess(child);
    throw new Error(`the server did not start: ${output.trim()}`, { cause: error });
  }
}

/** Starts the naive baseline on the server's core. */
export async function startBaseline(vendors: VendorsProcess): Promise<ServerProcess> {
  const { deepgramUrl, openaiUrl, cartesiaUrl } = vendors.urls;
  const startMs = sharedNowMs();
  const child = start(pinned(cores.server, script('naive-baseline.ts', deepgramUrl, openaiUrl, cartesiaUrl)), {});
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  const port = READY_LINE.exec(line.toString('utf8'))?.[1];
  if (port === undefined) throw new Error('the baseline did not start');
  return { pid: child.pid ?? 0, readyMs: sharedNowMs() - startMs, streamUrl: `ws://127.0.0.1:${port}/`, takeTurnParts: () => Promise.resolve([]), stop: () => stopProcess(child) };
}
