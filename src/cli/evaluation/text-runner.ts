import { openCallFunctions } from '../../call/mcp/call-functions.js';
import type { ToolRunner } from '../../call/tools/run-tool.js';
import { continueChat, startChat, type ChatInput, type ChatPorts, type ChatStep } from '../../call/text-chat.js';
import { judgeTurn, type TurnOutcome } from './judge-turn.js';
import type { Expectation, Scenario, ScenarioTurn } from './scenario-file.js';
import { afterTheEnd, describeInput, type JudgedTurn, type ScenarioResult, type ScenarioRunner } from './scenario-runner.js';

/** What conversations in writing need. `variables`: of the agent and the file. */
export interface TextRunnerPorts extends Omit<ChatPorts, 'signal' | 'tools'> {
  readonly tools: ToolRunner;
  /** Puts away what the file brought along. */
  readonly close: () => Promise<void>;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Plays scenarios in writing, with the workflow engine of a call. */
export function createTextRunner(ports: TextRunnerPorts): ScenarioRunner {
  const { vendor, model } = ports.model;
  return {
    models: () => ({ 'thought up by': { name: `${vendor}/${model}`, isSimulated: vendor === 'builtin' } }),
    run: (scenario, signal) => withFunctions(ports, signal, (chat, notes) => runInWriting(scenario, ports.variables, chat, notes)),
    close: () => ports.close(),
  };
}

/** Plays with the functions of the agent's MCP servers, in sessions that end with the scenario. A server that fails is noted. */
async function withFunctions<T>({ graph, tools, model, clock }: TextRunnerPorts, signal: AbortSignal, play: (chat: ChatPorts, notes: readonly string[]) => Promise<T>): Promise<T> {
  const conversation = new AbortController();
  const ended = AbortSignal.any([signal, conversation.signal]);
  const notes: string[] = [];
  const functions = openCallFunctions({
    graph,
    runner: tools,
    signal: ended,
    onNews: (news) => {
      if (news.type === 'failed') notes.push(`the MCP server ${news.toolUuid} failed: ${news.error.message}`);
    },
  });
  try {
    await functions.ready;
    return await play({ graph: functions.graph, model, clock, signal: ended, tools: functions.runner }, notes);
  } finally {
    conversation.abort();
  }
}

/** What comes after the conversation's end is a problem of its turn. */
async function runInWriting(
  scenario: Scenario,
  variables: Readonly<Record<string, unknown>>,
  ports: ChatPorts,
  notes: readonly string[],
): Promise<ScenarioResult> {
  const turns: JudgedTurn[] = [];
  let ending: string | null = null;

  const play = async (input: string, expectation: Expectation, advance: () => Promise<ChatStep>): Promise<ChatStep> => {
    const startMs = ports.clock.nowMs();
    const isOver = ending !== null && ending !== 'transfer';
    const step = await advance();
    const durationMs = ports.clock.nowMs() - startMs;
    const outcome = outcomeOf(step, ports, durationMs);
    ending = outcome.ending ?? (isOver ? ending : null);
    turns.push({ input, said: outcome.said, problems: isOver ? [afterTheEnd(String(ending))] : judgeTurn(expectation, outcome), durationMs });
    return step;
  };

  const startMs = ports.clock.nowMs();
  let step = await play('', scenario.opening, () => startChat({ ...variables, ...scenario.variables }, ports));
  for (const turn of scenario.turns) {
    const { snapshot } = step;
    step = await play(describeInput(turn), turn.expect, () => continueChat(snapshot, inputOf(turn), ports));
  }
  return { name: scenario.name, turns, durationMs: ports.clock.nowMs() - startMs, notes };
}

function outcomeOf({ snapshot, events }: ChatStep, { graph }: ChatPorts, durationMs: number): TurnOutcome {
  const endings = events.flatMap((event) => (event.type === 'ended' ? [event.reason] : event.type === 'transfer-requested' ? ['transfer'] : []));
  const said = events.flatMap((event) => (event.type === 'agent-said' ? [event.text] : []));
  return {
    said,
    visits: events.flatMap((event) => (event.type === 'node-entered' ? [event.name] : [])),
    node: graph.nodes[snapshot.workflow.nodeId]?.name ?? snapshot.workflow.nodeId,
    tools: events.flatMap((event) => (event.type === 'tool-called' ? [event] : [])),
    variables: snapshot.workflow.variables,
    ending: endings.at(-1) ?? null,
    answerMs: said.length === 0 ? null : durationMs,
  };
}

function inputOf({ caller, press, transfer_fails: reason }: ScenarioTurn): ChatInput {
  if (caller !== undefined) return { type: 'say', text: caller };
  if (press !== undefined) return { type: 'press', digits: press };
  return reason === undefined ? { type: 'stay-silent' } : { type: 'fail-transfer', reason };
}
