import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { repeat, sleep } from '../../base/clock.js';
import { parseConfig, type Config } from '../../config.js';
import { describeEnding, describeTurn, type GapParts } from '../../simulator/call-report.js';
import { parseCallerScript } from '../../simulator/caller-script.js';
import { startFakeCloudonix, type FakeCloudonix } from '../../simulator/fake-cloudonix.js';
import { placeCall, SIMULATOR_BEARER_TOKEN, SIMULATOR_DOMAIN, type PlacedCall } from '../../simulator/place-call.js';
import { createSimulatedSpeech } from '../../simulator/simulated-speech.js';
import type { ConversationTurn } from '../../simulator/turn-log.js';
import type { Agent, Run, Store } from '../../store/store.js';
import { CliError } from '../cli-error.js';
import type { CliContext, RegisterCommand } from '../command.js';
import { ensureDemoAgent } from '../demo-agent.js';
import { exitCodes } from '../exit-codes.js';
import { printTurn } from '../turn-lines.js';
import { serve, type RunningServer } from './serve.js';

/** Two questions, the long answer to the second one cut short, and a goodbye without a pause in it that could end the turn. */
const script = parseCallerScript(`
  caller: When are you open on Sunday?
  caller: How much is a ticket?
  interrupt 1000: Thank you and goodbye.
`);

/** How long the run may take to be finished once the stream has ended. */
const finishTimeoutMs = 10_000;
const finishPollMs = 50;

/** How often a slow start says that it is still alive. */
const progressPeriodMs = 3_000;

/** A reply starts on the wire at most this long before it is heard, and is stamped at most this long after. */
const replyMatchMs = { before: 1500, after: 300 };

const help = `
Starts a server on a free port with the embedded database in the data directory, plays Cloudonix and a caller against it over the real
socket, with real audio, and prints the conversation as it happens. Needs no key and no network. Speech recognition, language model and
voice are simulated vendors; what they say travels as audio all the same.

Exit status: 0 the run ended completed and as scripted, 1 it did not, 130 interrupted.
`;

/** Registers `demo`. */
export const register: RegisterCommand = (command, context) => {
  command.addHelpText('after', help).action(() => demo(context));
};

async function demo(context: CliContext): Promise<void> {
  const cloudonix = await startFakeCloudonix({ domains: { [SIMULATOR_DOMAIN]: { bearerToken: SIMULATOR_BEARER_TOKEN } } });
  try {
    const config = demoConfig(context.env, cloudonix.baseUrl);
    const server = await startServer(config, context);
    try {
      await holdCall({ server, cloudonix, config, context });
    } finally {
      await server.stop();
    }
  } finally {
    await cloudonix.close();
  }
}

/** The user's data directory, but a port, a database and a Cloudonix of the demo's own: it must not touch what is in production. */
function demoConfig(env: CliContext['env'], cloudonixUrl: string): Config {
  return parseConfig({
    AGENT_STREAM_DATA_DIR: env.AGENT_STREAM_DATA_DIR,
    AGENT_STREAM_SECRET_KEY: env.AGENT_STREAM_SECRET_KEY,
    LOG_LEVEL: env.LOG_LEVEL ?? 'error',
    HOST: '127.0.0.1',
    PORT: '0',
    CLOUDONIX_API_BASE_URL: cloudonixUrl,
  });
}

async function startServer(config: Config, context: CliContext): Promise<RunningServer> {
  const { clock, output } = context;
  const startedMs = clock.nowMs();
  const elapsed = () => `${((clock.nowMs() - startedMs) / 1000).toFixed(1)} s`;
  output.line(`Starting the server on the embedded database in ${config.dataDir} …`);
  const progress = repeat(clock, progressPeriodMs, () => output.line(`  … still preparing it (${elapsed()}; only the first start takes this long)`));
  try {
    const server = await serve(config);
    output.line(`Ready after ${elapsed()} at ${server.url}`);
    return server;
  } finally {
    progress.cancel();
  }
}

interface Stage {
  readonly server: RunningServer;
  readonly cloudonix: FakeCloudonix;
  readonly config: Config;
  readonly context: CliContext;
}

async function holdCall(stage: Stage): Promise<void> {
  const { server, cloudonix, config, context } = stage;
  const { output, clock, signal } = context;
  const { store } = server;
  const agent = await ensureDemoAgent(store, config.dataDir);
  const speech = createSimulatedSpeech(clock);
  const voice = speech.voiceName === 'espeak-ng' ? 'espeak-ng' : 'the bundled voice (espeak-ng is not installed)';
  output.line(`Calling agent "${agent.name}". Simulated vendors hear, think and speak; their voice is ${voice}.\n`);
  let printing = Promise.resolve();
  const printWithParts = async (turn: ConversationTurn) => printTurn(output, describeTurn(turn, await gapParts(store, agent, turn)));
  const call = await placeCall({
    url: `${server.url.replace(/^http/, 'ws')}/api/v1/agent-stream/cloudonix/${agent.uuid}`,
    domain: SIMULATOR_DOMAIN,
    cloudonix,
    steps: script,
    speech,
    clock,
    signal,
    onTurn: (turn) => {
      printing = printing.then(() => printWithParts(turn));
    },
  });
  await printing;
  if (signal.aborted) throw new CliError(exitCodes.interrupted, 'interrupted');
  const run = await findFinishedRun(stage, agent, call);
  await report(stage, call, run);
}

/** Where the time of a heard answer went, from the event that its reply left in the run's log. */
async function gapParts(store: Store, agent: Agent, turn: ConversationTurn): Promise<GapParts> {
  if (turn.who !== 'agent' || turn.gapFrom !== 'caller') return {};
  const run = (await store.runs.list(agent.organizationId, { agentUuid: agent.uuid, state: 'running', limit: 1 })).items[0];
  const events = run === undefined ? null : await store.runs.listEvents(agent.organizationId, run.id, 0, 1000);
  const reply = events?.findLast(
    (event) =>
      event.type === 'reply-started' &&
      event.atMs >= turn.startMs - replyMatchMs.before &&
      event.atMs <= turn.startMs + replyMatchMs.after,
  );
  return readParts(reply?.data['latency']);
}

function readParts(latency: unknown): GapParts {
  if (typeof latency !== 'object' || latency === null) return {};
  const fields = latency as Readonly<Record<string, unknown>>;
  const read = (...names: string[]) => {
    const values = names.flatMap((name) => (typeof fields[name] === 'number' ? [fields[name]] : []));
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
  };
  return {
    eou: read('endpointing_ms'),
    ahead: read('head_start_ms'),
    llm: read('model_first_token_ms', 'first_clause_ms'),
    tts: read('voice_first_byte_ms'),
    out: read('first_frame_ms'),
  };
}

async function findFinishedRun(stage: Stage, agent: Agent, call: PlacedCall): Promise<Run | null> {
  const { clock } = stage.context;
  const untilMs = clock.nowMs() + finishTimeoutMs;
  for (;;) {
    const run = await stage.server.store.runs.findBySession(agent.organizationId, call.session);
    if (run === null && call.ending.type !== 'closed') return null;
    if (run?.state === 'completed' || run?.state === 'failed' || clock.nowMs() > untilMs) return run;
    await sleep(clock, finishPollMs);
  }
}

/** What is not as the script means it to be; empty: the demo worked. */
async function problemsOf(call: PlacedCall, run: Run | null, dataDir: string): Promise<readonly string[]> {
  const agentTurns = call.turns.filter((turn) => turn.who === 'agent');
  const bargeIns = call.turns.flatMap((turn) => (turn.who === 'caller' && turn.bargeIn !== null ? [turn.bargeIn] : []));
  const recordingPath = run?.recordingPath ?? null;
  const hasRecording = recordingPath !== null && (await exists(join(dataDir, recordingPath)));
  const checks: readonly (readonly [isGood: boolean, problem: string])[] = [
    [run !== null, 'no run was found for the call'],
    [run?.state === 'completed', `the run ended as ${run?.state ?? 'nothing'} (${run?.endReason ?? 'no reason'})`],
    [run?.endReason === 'agent_hangup', `the agent did not hang up (${run?.endReason ?? 'no reason'})`],
    [agentTurns.length >= 4, `the agent spoke ${agentTurns.length} times instead of 4`],
    [agentTurns.every((turn) => turn.text !== ''), 'the caller did not understand the agent'],
    [bargeIns.some((bargeIn) => bargeIn.clearAfterMs !== null), 'the barge-in did not stop the agent'],
    [call.stats.violationCount === 0, `the carrier did not understand ${call.stats.violationCount} messages`],
    [hasRecording, 'there is no recording'],
  ];
  return [...checks.filter(([isGood]) => !isGood).map(([, problem]) => problem), ...call.problems];
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function report({ config, context }: Stage, call: PlacedCall, run: Run | null): Promise<void> {
  const { output } = context;
  const { colors } = output;
  const publicUrl = parseConfig({ HOST: context.env.HOST, PORT: context.env.PORT, AGENT_STREAM_PUBLIC_URL: context.env.AGENT_STREAM_PUBLIC_URL }).publicUrl;
  output.line();
  if (run !== null) {
    const state = run.state === 'completed' ? colors.green(run.state) : colors.red(run.state);
    output.line(`Run ${run.name}: ${state}, ${run.endReason ?? 'no reason'}, ${((run.durationMs ?? 0) / 1000).toFixed(1)} s`);
    if (run.recordingPath !== null) output.line(`Recording   ${join(config.dataDir, run.recordingPath)}`);
    output.line(`Run's link  ${publicUrl}/api/v1/runs/${run.id} (once "npm start" runs)`);
    output.line(`In full     npx agent-stream runs show ${run.id}`);
  }
  const problems = await problemsOf(call, run, config.dataDir);
  if (problems.length > 0) {
    throw new CliError(exitCodes.failure, `the demo did not go as scripted: ${problems.join('; ')}`, { cure: `The stream: ${describeEnding(call)}.` });
  }
}
