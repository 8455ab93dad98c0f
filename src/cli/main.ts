import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { systemClock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { errorCatalogue } from '../base/error-catalogue.js';
import { CliError } from './cli-error.js';
import type { CliContext, RegisterCommand } from './command.js';
import { exitCodes } from './exit-codes.js';
import { createOutput, printable, type Output } from './output.js';

/** A command before its module is loaded: `--help` needs no more than this. */
interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly register: RegisterCommand }>;
}

/** In the order of `--help`. Modules are imported only when their command is named, so that start-up stays fast. */
const commandEntries: readonly CommandEntry[] = [
  { name: 'serve', summary: 'run the server', load: () => import('./commands/serve.js') },
  { name: 'demo', summary: 'hold one simulated call against a fresh server and print it turn by turn', load: () => import('./commands/demo.js') },
  { name: 'call', summary: 'play a carrier and a caller against a server', load: () => import('./commands/call.js') },
  { name: 'agents', summary: 'list, create, edit and publish agents', load: () => import('./commands/agents.js') },
  { name: 'runs', summary: 'list, follow and show runs', load: () => import('./commands/runs.js') },
  { name: 'chat', summary: 'talk with an agent of the server in writing', load: () => import('./commands/chat.js') },
  { name: 'eval', summary: 'play written conversations with an agent and judge its answers', load: () => import('./commands/eval.js') },
  { name: 'clips', summary: 'upload, list and delete recordings that agents play', load: () => import('./commands/clips.js') },
  { name: 'documents', summary: 'upload, list, search and delete what agents answer from', load: () => import('./commands/documents.js') },
  { name: 'keys', summary: 'list, create and delete API keys', load: () => import('./commands/keys.js') },
  { name: 'doctor', summary: 'check this machine, the configuration and the server', load: () => import('./commands/doctor.js') },
];

const generalHelp = `
Examples:
  $ agent-stream demo                       a whole conversation, offline, no keys
  $ agent-stream serve                      the server on http://127.0.0.1:8080
  $ agent-stream agents list                agents of the server at AGENT_STREAM_URL
  $ agent-stream runs tail                  follow the newest run while it lives
  $ agent-stream doctor                     what is missing for a real call

Environment:
  AGENT_STREAM_URL       server the commands talk to (default http://127.0.0.1:8080)
  AGENT_STREAM_API_KEY   API key; without it the key file of a server on this machine is used

Exit status: 0 done, 1 failure, 2 usage, 3 cannot connect, 4 refused, 5 call failed, 6 doctor found problems, 130 interrupted.
`;

/** Runs one command line (without `node` and script) and resolves to the exit status. Prints everything itself; never throws. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  try {
    const program = await createProgram(argv, context);
    await program.parseAsync([...argv], { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    return reportFailure(error, context);
  }
}

async function createProgram(argv: readonly string[], context: CliContext): Promise<Command> {
  const program = new Command('agent-stream')
    .description('One WebSocket URL that answers phone calls with AI voice agents.')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .addHelpText('after', generalHelp)
    .showHelpAfterError('Run with --help for the commands and options.')
    .configureOutput({
      writeOut: (text) => context.output.line(text.trimEnd()),
      writeErr: (text) => context.output.note(text.trimEnd()),
    })
    .exitOverride();
  const named = commandNamed(argv);
  for (const entry of commandEntries) {
    const command = program.command(entry.name).description(entry.summary);
    if (entry.name !== named) continue;
    const { register } = await entry.load();
    register(command, context);
  }
  return program;
}

/** The command that `argv` names, also in `help COMMAND`. */
function commandNamed(argv: readonly string[]): string | undefined {
  const operands = argv.filter((argument) => !argument.startsWith('-'));
  return operands[0] === 'help' ? operands[1] : operands[0];
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest && typeof manifest.version === 'string') return manifest.version;
  return 'unknown';
}

/** Prints one clear line for whatever ended the command, and tells the exit status. */
function reportFailure(error: unknown, context: CliContext): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  if (context.signal.aborted && !(error instanceof CliError)) return exitCodes.interrupted;
  if (error instanceof CliError) {
    printFailure(context.output, error.message, error.cure);
    return error.exitCode;
  }
  if (error instanceof AgentStreamError) {
    const problem = `${error.message} (${error.code})`;
    const isConfiguration = error.code === 'configuration-invalid';
    // What is wrong with the environment is said in one line, cure included.
    printFailure(context.output, problem, isConfiguration ? undefined : errorCatalogue[error.code].cure);
    return isConfiguration ? exitCodes.usage : exitCodes.failure;
  }
  const message = error instanceof Error ? error.message : String(error);
  const trace = error instanceof Error && context.env.DEBUG !== undefined ? error.stack : undefined;
  printFailure(context.output, message, trace ?? 'Set DEBUG=1 to see where it happened.');
  return exitCodes.failure;
}

function printFailure(output: Output, message: string, cure: string | undefined): void {
  output.note(`${output.colors.red('error:')} ${printable(message)}`);
  if (cure !== undefined) output.note(`  ${cure}`);
}

/** The program: terminal, signals and broken pipes around {@link runCli}. Resolves to the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (!controller.signal.aborted) controller.abort(new CliError(exitCodes.interrupted, 'interrupted'));
    // A command that listens too has something to close first; it gets this signal, and the next one ends the process.
    else if (process.listenerCount(name) === 1) process.exit(exitCodes.interrupted);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // `agent-stream runs list | head` closes the pipe: that is the reader's choice, not an error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failure));
  const hasColor = process.stdout.isTTY && process.env.NO_COLOR === undefined && process.env.TERM !== 'dumb';
  const output = createOutput({ stdout: process.stdout, stderr: process.stderr, hasColor });
  return runCli(argv, { env: process.env, output, clock: systemClock, fetch, signal: controller.signal });
}
