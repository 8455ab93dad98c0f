import { readFile, writeFile } from 'node:fs/promises';
import { InvalidArgumentError, Option } from 'commander';
import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { decodeMulaw } from '../../audio/g711.js';
import { encodeWav } from '../../audio/wav.js';
import { describeEnding, describeTurn } from '../../simulator/call-report.js';
import { parseCallerScript, parseDurationMs, type CallerStep } from '../../simulator/caller-script.js';
import { startFakeCloudonix, type FakeCloudonix } from '../../simulator/fake-cloudonix.js';
import {
  DEFAULT_FROM,
  DEFAULT_MAX_DURATION_MS,
  DEFAULT_TO,
  placeCall,
  SIMULATOR_BEARER_TOKEN,
  SIMULATOR_DOMAIN,
  type PlacedCall,
} from '../../simulator/place-call.js';
import { createSimulatedSpeech } from '../../simulator/simulated-speech.js';
import { agentShape, pageOf, readAnswer, type RunAnswer } from '../api-shapes.js';
import { CliError } from '../cli-error.js';
import type { CliContext, RegisterCommand } from '../command.js';
import { apiKeyFor, connect, serverUrlOf, withServerOption, type ConnectionOptions } from '../connection.js';
import { ensureDomains } from '../ensure-domains.js';
import { exitCodes } from '../exit-codes.js';
import { findPlacedRun } from '../placed-run.js';
import { describeRunInBrief } from '../run-report.js';
import { printTurn } from '../turn-lines.js';

/** Where the fake Cloudonix listens unless told otherwise; a server started with CLOUDONIX_API_BASE_URL set to it takes simulated calls. */
const defaultCloudonixPort = 8095;

const help = `
The call is made of real audio in real time over the real socket; the carrier and the caller's voice and ears are simulated.
The server asks Cloudonix' API whether the call is live. This command plays that API too, so the server must have been started with
  CLOUDONIX_API_BASE_URL=http://127.0.0.1:${defaultCloudonixPort} agent-stream serve
With an API key at hand, the telephony configuration for ${SIMULATOR_DOMAIN} is created where it is missing.

Script, one step per line:
  caller: When do you open?          said once the agent has finished
  interrupt 1500: Stop, please.      said 1500 ms into the agent's turn
  now: Hello?                        said at once; any of these may play a file instead: "caller: wav question.wav"
  dtmf: 5#                           keys
  wait: 2s      listen      hangup      drop

Examples:
  $ agent-stream call --say "When do you open on Sundays?" --say "Goodbye."
  $ agent-stream call --agent UUID --form path --script caller.txt --record call.wav
  $ agent-stream call --silence --duration 30s --json

Exit status: 0 the call took place and ended well, 2 usage, 3 cannot connect, 4 refused (the close code is printed), 5 the call failed,
130 interrupted.
`;

interface CallOptions extends ConnectionOptions {
  readonly agent?: string;
  readonly form: 'path' | 'query';
  readonly streamToken?: string;
  readonly script?: string;
  readonly wav?: string;
  readonly say?: readonly string[];
  readonly silence?: boolean;
  readonly domain: string;
  readonly bearerToken: string;
  readonly session?: string;
  readonly cloudonixPort: number;
  readonly from: string;
  readonly to: string;
  readonly alaw?: boolean;
  readonly marks: 'yes' | 'never' | 'late';
  readonly duration: number;
  readonly record?: string;
  readonly json?: boolean;
}

/** Registers `call`. */
export const register: RegisterCommand = (command, context) => {
  withServerOption(command)
    .option('--agent <uuid>', 'agent to call (default: the only active one, which takes an API key to find)')
    .addOption(new Option('--form <form>', 'form of the stream URL').choices(['path', 'query']).default('query'))
    .option('--stream-token <token>', 'stream token of the agent, where it requires one')
    .addOption(new Option('--script <file>', 'what the caller does, step by step').conflicts(['wav', 'say', 'silence']))
    .addOption(new Option('--wav <file>', 'recording that the caller plays once the agent has greeted').conflicts(['say', 'silence']))
    .addOption(new Option('--say <text...>', 'sentences the caller says, each after the agent’s answer').conflicts('silence'))
    .option('--silence', 'a caller who says nothing')
    .option('--domain <domain>', 'Cloudonix domain of the call', SIMULATOR_DOMAIN)
    .option('--bearer-token <token>', 'credential the server holds for the domain', SIMULATOR_BEARER_TOKEN)
    .option('--session <token>', 'session token that the server’s Cloudonix knows already: no fake is started')
    .option('--cloudonix-port <port>', 'port of the fake Cloudonix API', parsePort, defaultCloudonixPort)
    .option('--from <number>', 'who calls', DEFAULT_FROM)
    .option('--to <number>', 'who is called', DEFAULT_TO)
    .option('--alaw', 'A-law in place of mu-law')
    .addOption(new Option('--marks <when>', 'when the carrier echoes marks').choices(['yes', 'never', 'late']).default('yes'))
    .option('--duration <time>', 'hang up after this long (30s, 90000ms; at most 10 minutes)', parseDuration, DEFAULT_MAX_DURATION_MS)
    .option('--record <file>', 'write what was said and heard as a two-channel WAV file')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', help)
    .action((options: CallOptions) => call(options, context));
};

async function call(options: CallOptions, context: CliContext): Promise<void> {
  const serverUrl = serverUrlOf(options, context.env);
  const steps = await readSteps(options);
  const agent = options.agent ?? (await findAgent(options, context));
  const hasApiKey = apiKeyFor(serverUrl, context.env) !== undefined;
  if (hasApiKey) await storeTelephonyConfig(options, context);
  const cloudonix = options.session === undefined ? await openCloudonix(options) : null;
  const { output, clock, signal } = context;
  try {
    const placed = await placeCall({
      url: streamUrl(serverUrl, agent, options),
      domain: options.domain,
      cloudonix,
      session: options.session,
      from: options.from,
      to: options.to,
      mediaFormat: options.alaw === true ? 'alaw' : 'mulaw',
      echoMarks: options.marks,
      steps,
      speech: createSimulatedSpeech(clock),
      clock,
      maxDurationMs: options.duration,
      lingerMs: options.silence === true ? options.duration : undefined,
      signal,
      onTurn: (turn) => {
        if (options.json !== true) printTurn(output, describeTurn(turn));
      },
    });
    if (options.record !== undefined) await writeRecording(options.record, placed);
    const run = hasApiKey && placed.ending.type === 'closed' && !signal.aborted ? await findPlacedRun(connect(options, context), placed.session, context) : null;
    if (options.json === true) output.json(jsonOf(placed, run));
    else if (run !== null) output.line(`\n${describeRunInBrief(run)}`);
    judge(placed, options, context);
    if (options.json !== true) output.line(describeEnding(placed));
  } finally {
    await cloudonix?.close();
  }
}

async function readSteps(options: CallOptions): Promise<readonly CallerStep[]> {
  if (options.silence === true) return [];
  if (options.wav !== undefined) return parseCallerScript(`caller: wav ${options.wav}`);
  if (options.script === undefined) {
    return (options.say ?? ['Hello.', 'Goodbye.']).map((text) => ({ type: 'say', text, when: { type: 'agent-finished' } }));
  }
  const { script } = options;
  const text = await readFile(script, 'utf8').catch((cause: unknown) => {
    throw new CliError(exitCodes.usage, `cannot read ${script}`, { cause });
  });
  return parseCallerScript(text);
}

async function findAgent(options: CallOptions, context: CliContext): Promise<string> {
  const agents = readAnswer(pageOf(agentShape), await connect(options, context).request('GET', '/agents'), 'list agents').items;
  const [first, second] = agents.filter((agent) => agent.status === 'active');
  if (first !== undefined && second === undefined) return first.uuid;
  throw new CliError(exitCodes.usage, first === undefined ? 'there is no active agent to call' : 'which agent? There are several', {
    cure: 'Name one: agent-stream call --agent UUID (agent-stream agents list shows them).',
  });
}

async function storeTelephonyConfig({ domain, bearerToken, ...options }: CallOptions, context: CliContext): Promise<void> {
  const stored = await ensureDomains(connect(options, context), [domain], bearerToken);
  for (const name of stored) context.output.note(`Stored a telephony configuration "${name}" for ${domain}.`);
}

async function openCloudonix(options: CallOptions): Promise<FakeCloudonix> {
  const { cloudonixPort: port, domain, bearerToken } = options;
  try {
    return await startFakeCloudonix({ port, domains: { [domain]: { bearerToken } } });
  } catch (cause) {
    throw new CliError(exitCodes.failure, `cannot play Cloudonix on port ${port}`, {
      cure: 'Free the port, or name another with --cloudonix-port and start the server with a matching CLOUDONIX_API_BASE_URL.',
      cause,
    });
  }
}

function streamUrl(serverUrl: string, agent: string, options: CallOptions): string {
  const origin = serverUrl.replace(/^http/, 'ws');
  const token = options.streamToken === undefined ? '' : `/${encodeURIComponent(options.streamToken)}`;
  const uuid = encodeURIComponent(agent);
  if (options.form === 'path') return `${origin}/api/v1/agent-stream/cloudonix/${uuid}${token}`;
  const query = Object.entries({ provider: 'cloudonix', Domain: options.domain, from: options.from, to: options.to });
  return `${origin}/api/v1/agent-stream/${uuid}${token}?${query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}`;
}

async function writeRecording(path: string, placed: PlacedCall): Promise<void> {
  const { caller, agent } = placed.recording;
  const wav = encodeWav({ sampleRateHz: SAMPLE_RATE_HZ, channels: [decodeMulaw(caller), decodeMulaw(agent)] }, 'mulaw');
  await writeFile(path, wav).catch((cause: unknown) => {
    throw new CliError(exitCodes.failure, `cannot write ${path}`, { cause });
  });
}

/** Result as the API would write it: snake_case, durations in ms. */
function jsonOf(placed: PlacedCall, run: RunAnswer | null): unknown {
  return {
    session: placed.session,
    run: run === null ? null : { id: run.id, name: run.name, state: run.state, end_reason: run.end_reason },
    ending: placed.ending,
    asked: placed.asked,
    duration_ms: placed.durationMs,
    turns: placed.turns.map((turn) => ({
      who: turn.who,
      start_ms: turn.startMs,
      end_ms: turn.endMs,
      ...(turn.who === 'caller-key' ? { digit: turn.digit } : { text: turn.text }),
      ...(turn.who === 'agent' ? { gap_ms: turn.gapMs, gap_from: turn.gapFrom, is_cut: turn.isCut } : {}),
      ...(turn.who === 'caller' && turn.bargeIn !== null
        ? { barge_in: { clear_after_ms: turn.bargeIn.clearAfterMs, agent_heard_for_ms: turn.bargeIn.agentHeardForMs } }
        : {}),
    })),
    playout: {
      received_ms: placed.stats.receivedMs,
      cleared_ms: placed.stats.clearedMs,
      max_lead_ms: placed.stats.maxLeadMs,
      underruns: placed.stats.underruns,
      violations: placed.stats.violations,
    },
    problems: placed.problems,
  };
}

/** What to do about the refusals that a simulated call typically meets. */
function cureOf(reason: string, options: CallOptions): string | undefined {
  if (reason === 'Session validation failed') {
    return (
      'The server asked another Cloudonix than the one this command plays. ' +
      `Start it with CLOUDONIX_API_BASE_URL=http://127.0.0.1:${options.cloudonixPort} (and the same credential: --bearer-token).`
    );
  }
  if (reason === 'No matching telephony configuration') {
    return `Store one for ${options.domain}, or set AGENT_STREAM_API_KEY so that this command can.`;
  }
  return undefined;
}

/** @throws CliError with the exit status of a call that did not end well */
function judge(placed: PlacedCall, options: CallOptions, context: CliContext): void {
  const { ending, stats, problems } = placed;
  if (context.signal.aborted) throw new CliError(exitCodes.interrupted, 'interrupted');
  if (ending.type === 'unreachable') {
    throw new CliError(exitCodes.cannotConnect, describeEnding(placed), { cure: 'Start the server with "agent-stream serve", or name another with --server.' });
  }
  if (ending.type === 'not-upgraded') throw new CliError(exitCodes.refused, describeEnding(placed));
  if (ending.by === 'server' && ending.code !== 1000) {
    const wasTalking = placed.turns.some((turn) => turn.who === 'agent');
    throw new CliError(wasTalking ? exitCodes.callFailed : exitCodes.refused, describeEnding(placed), { cure: cureOf(ending.reason, options) });
  }
  if (stats.violationCount > 0) throw new CliError(exitCodes.callFailed, `the server sent ${stats.violationCount} messages that no carrier understands: ${stats.violations.join('; ')}`);
  if (problems.length > 0) throw new CliError(exitCodes.callFailed, problems.join('; '));
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new InvalidArgumentError('It must be a port number.');
  return port;
}

function parseDuration(text: string): number {
  const durationMs = parseDurationMs(text);
  if (durationMs === null || durationMs === 0) throw new InvalidArgumentError('It must be a time such as 30s, at most 10 minutes.');
  return durationMs;
}
