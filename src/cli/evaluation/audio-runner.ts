import { randomUUID } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { describeEnding } from '../../simulator/call-report.js';
import { dialFailures, type FakeDialOutcome } from '../../simulator/fake-cloudonix.js';
import { placeCall, type PlacedCall } from '../../simulator/place-call.js';
import type { SimulatedSpeech } from '../../simulator/simulated-speech.js';
import { renderSpeech } from '../../simulator/speech-clip.js';
import type { AgentFileContent } from '../agent-file.js';
import { agentShape, readAnswer, type RunAnswer, type RunEventAnswer } from '../api-shapes.js';
import { CliError } from '../cli-error.js';
import { exitCodes } from '../exit-codes.js';
import type { CallStage } from './call-stage.js';
import { playScenario, type CallerAct } from './evaluation-caller.js';
import { heardOutcomes, type HeardOutcome } from './heard-outcomes.js';
import { judgeTurn } from './judge-turn.js';
import { createFixtures } from './fixtures.js';
import type { LocalClip } from './local-clips.js';
import type { LocalDocument } from './local-documents.js';
import type { ToolDefinition } from '../../workflow/tools/tool-definition.js';
import { followRun } from './run-feed.js';
import type { Scenario } from './scenario-file.js';
import { afterTheEnd, describeInput, type JudgedTurn, type ScenarioResult, type ScenarioRunner, type UsedModel } from './scenario-runner.js';

/** How often a call is held anew because the simulated recogniser lost words, as it does where this machine is busy. */
const MAX_REPEATS = 2;

/** What calls of one evaluation file need. */
export interface AudioRunnerPorts {
  readonly stage: Pick<CallStage, 'client' | 'cleaner' | 'cloudonix' | 'freeDomains'>;
  /** The agent's name, for whoever lists agents meanwhile. */
  readonly name: string;
  readonly content: AgentFileContent;
  readonly documents: readonly LocalDocument[];
  readonly clips: readonly LocalClip[];
  readonly tools: readonly ToolDefinition[];
  /** Of the agent and the file. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly idleTimeoutMs: number;
  readonly edgeNames: ReadonlySet<string>;
  readonly speech: SimulatedSpeech;
  readonly clock: Clock;
}

/** A call that was held, and what the run has of it. */
interface HeldCall {
  readonly placed: PlacedCall;
  readonly acts: readonly CallerAct[];
  readonly events: readonly RunEventAnswer[];
  readonly run: RunAnswer;
}

/** Agents of one content, one for each set of variables, made when they are needed. */
function createAgents(ports: AudioRunnerPorts) {
  const { stage, name, variables } = ports;
  const made = new Map<string, Promise<string>>();
  const fixtures = createFixtures(ports);
  const create = async (values: Readonly<Record<string, unknown>>) => {
    const body = { ...(await fixtures.place()), name: `Evaluation: ${name}`, template_context_variables: values };
    return readAnswer(agentShape.pick({ uuid: true }), await stage.client.request('POST', '/agents', { body }), 'create the agent').uuid;
  };
  return {
    uuidFor(scenario: Scenario): Promise<string> {
      const values = { ...variables, ...scenario.variables };
      const key = JSON.stringify(values);
      const agent = made.get(key) ?? create(values);
      made.set(key, agent);
      return agent;
    },
    async archive() {
      const uuids = (await Promise.allSettled(made.values())).flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      for (const uuid of uuids) await stage.cleaner.request('POST', `/agents/${uuid}/archive`);
      await fixtures.remove();
    },
  };
}

/** What becomes of the scenario's transfers: those of its turns fail, the others reach somebody. */
function transfersOf({ turns }: Scenario): readonly FakeDialOutcome[] {
  return turns.flatMap(({ transfer_fails: reason }) => (reason === undefined ? [] : [dialFailures.find((failure) => failure === reason) ?? 'failed']));
}

/** Plays scenarios through calls: real audio over the stream's socket, in real time, with a simulated caller and carrier. */
export function createAudioRunner(ports: AudioRunnerPorts): ScenarioRunner {
  const { stage, speech, clock } = ports;
  const agents = createAgents(ports);
  let models: Readonly<Record<string, UsedModel>> = {};

  async function hold(scenario: Scenario, domain: string, signal: AbortSignal): Promise<HeldCall> {
    const agentUuid = await agents.uuidFor(scenario);
    const clips = new Map<number, Uint8Array>();
    for (const [index, { caller }] of scenario.turns.entries())
      if (caller !== undefined) clips.set(index, await renderSpeech(speech.voice, caller, clock, signal));
    stage.cloudonix.planTransfers(domain, transfersOf(scenario));
    const session = randomUUID();
    const feed = followRun(stage.client, session, clock, signal);
    const acts: CallerAct[] = [];
    const { idleTimeoutMs, edgeNames } = ports;
    const knowledge = { scenario, clips, events: feed.events, edgeNames, idleTimeoutMs, onAct: (act: CallerAct) => void acts.push(act) };
    const placed = await placeCall({
      url: `${stage.client.serverUrl.replace(/^http/, 'ws')}/api/v1/agent-stream/cloudonix/${agentUuid}`,
      ...{ domain, cloudonix: stage.cloudonix, session, ...numbersOf({ ...ports.variables, ...scenario.variables }) },
      steps: (line) => playScenario(line, knowledge),
      ...{ speech, clock, signal },
    });
    signal.throwIfAborted();
    if (placed.ending.type !== 'closed' || placed.durationMs === 0) throw new CliError(exitCodes.callFailed, describeEnding(placed));
    return { placed, acts, events: feed.events, run: await feed.ended };
  }

  return {
    models: () => models,
    async run(scenario, signal) {
      const domain = stage.freeDomains.shift();
      if (domain === undefined) throw new CliError(exitCodes.failure, 'more calls at once than there are lines');
      try {
        const startMs = clock.nowMs();
        for (let repeats = 0; ; repeats += 1) {
          const call = await hold(scenario, domain, signal);
          models = modelsOf(call.events) ?? models;
          const outcomes = heardOutcomes({ ...call, turns: call.placed.turns });
          if (repeats < MAX_REPEATS && hasLostWords(scenario, outcomes, call.events)) continue;
          const again = repeats === 0 ? [] : [`the simulated recogniser lost words: call ${repeats + 1}`];
          return { ...judgeCall(scenario, outcomes, call), durationMs: clock.nowMs() - startMs, notes: [`run ${call.run.name} ${call.run.id}`, ...again] };
        }
      } finally {
        stage.freeDomains.push(domain);
      }
    },
    close: () => agents.archive(),
  };
}

/** Who calls whom, where the variables say so. */
function numbersOf({ caller_number: from, called_number: to }: Readonly<Record<string, unknown>>): { from?: string; to?: string } {
  return { ...(typeof from === 'string' ? { from } : {}), ...(typeof to === 'string' ? { to } : {}) };
}

const deeds: Readonly<Record<string, string>> = { stt: 'heard by', llm: 'thought up by', tts: 'spoken by' };

/** The vendors of a call, as its run tells of them. */
function modelsOf(events: readonly RunEventAnswer[]): Readonly<Record<string, UsedModel>> | null {
  const models = events.find(({ type }) => type === 'call-answered')?.data.models;
  if (typeof models !== 'object' || models === null) return null;
  const read = ([leg, model]: [string, Record<string, unknown>]) =>
    [deeds[leg] ?? leg, { name: `${String(model.vendor)}/${String(model.model)}`, isSimulated: model.is_simulated === true }] as const;
  return Object.fromEntries((Object.entries(models) as [string, Record<string, unknown>][]).map(read));
}

const wordsOf = (text: string): string => text.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, ' ').trim();

/** True where the recogniser is the simulated one and did not hand on what the caller said: nothing can be judged by such a call. */
function hasLostWords({ turns }: Scenario, outcomes: readonly HeardOutcome[], events: readonly RunEventAnswer[]): boolean {
  if (modelsOf(events)?.[deeds.stt ?? '']?.isSimulated !== true) return false;
  return turns.some(({ caller }, index) => {
    const outcome = outcomes[index + 1];
    return caller !== undefined && outcome !== undefined && wordsOf(outcome.understood.join(' ')) !== wordsOf(caller);
  });
}

function judgeCall(scenario: Scenario, outcomes: readonly HeardOutcome[], { placed }: HeldCall): Pick<ScenarioResult, 'name' | 'turns'> {
  const ended = outcomes.at(-1)?.ending ?? 'caller_hangup';
  const expectations = [scenario.opening, ...scenario.turns.map(({ expect }) => expect)];
  const inputs = ['', ...scenario.turns.map(describeInput)];
  const turns = expectations.map((expectation, index): JudgedTurn => {
    const outcome = outcomes[index];
    const input = inputs[index] ?? '';
    if (outcome === undefined) return { input, said: [], problems: [afterTheEnd(ended)], durationMs: 0 };
    return { input, said: outcome.said, problems: judgeTurn(expectation, outcome), durationMs: outcome.answerMs ?? 0 };
  });
  const { violations } = placed.stats;
  const broken = violations.length === 0 ? [] : [{ input: '', said: [], problems: [`the server sent what no carrier understands: ${violations.join('; ')}`], durationMs: 0 }];
  return { name: scenario.name, turns: [...turns, ...broken] };
}
