import { createServer, type AddressInfo } from 'node:net';
import { systemClock } from '../../src/base/clock.js';
import type { CliContext } from '../../src/cli/command.js';
import { runCli } from '../../src/cli/main.js';
import { createOutput } from '../../src/cli/output.js';

/** Longest wait for something a command prints; only a failing test waits it out. */
const PATIENCE_MS = 60_000;
const POLL_MS = 20;

/** A command that runs in this process. */
export interface CommandRun {
  readonly status: Promise<number>;
  /** As the first Ctrl-C does. */
  interrupt(): void;
  stdout(): string;
  stderr(): string;
}

/** What a command printed, and its exit status. */
export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a command line with an environment of its own. */
export function startCommand(env: Readonly<Record<string, string>>, ...argv: string[]): CommandRun {
  const controller = new AbortController();
  const written = { stdout: '', stderr: '' };
  const output = createOutput({
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { write: (text) => (written.stderr += text) },
    hasColor: false,
  });
  const context: CliContext = { env, output, clock: systemClock, fetch, signal: controller.signal };
  return { status: runCli(argv, context), interrupt: () => controller.abort(), stdout: () => written.stdout, stderr: () => written.stderr };
}

/** Runs a command line to its end. */
export async function runCommand(env: Readonly<Record<string, string>>, ...argv: string[]): Promise<CommandResult> {
  const command = startCommand(env, ...argv);
  const status = await command.status;
  return { status, stdout: command.stdout(), stderr: command.stderr() };
}

/** Waits until a command has printed something on stdout. @throws where it ends or nothing comes */
export async function untilPrinted(command: CommandRun, text: string): Promise<void> {
  const untilMs = systemClock.nowMs() + PATIENCE_MS;
  let ended: number | null = null;
  void command.status.then((status) => (ended = status));
  while (!command.stdout().includes(text)) {
    if (ended !== null || systemClock.nowMs() > untilMs) {
      throw new Error(`"${text}" was not printed (exit ${ended ?? 'none'}): ${command.stdout()}${command.stderr()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  return port;
}
