import { continueChat, startChat, type ChatInput, type ChatPorts, type ChatStep } from '../../call/text-chat.js';
import type { Clock } from '../../base/clock.js';
import { judgeTurn, type TurnOutcome } from './judge-turn.js';
import type { Expectation, Scenario, ScenarioTurn } from './scenario-file.js';

/** One turn as it went. */
export interface JudgedTurn {
  /** What the caller did; empty for the opening. */
  readonly input: string;
  readonly said: readonly string[];
  readonly problems: readonly string[];
  readonly durationMs: number;
}

/** One conversation as it went. */
export interface ScenarioResult {
  readonly name: string;
  readonly turns: readonly JudgedTurn[];
  readonly durationMs: number;
}

/** True where everything was as expected. */
export const hasPassed = ({ turns }: ScenarioResult): boolean => turns.every(({ problems }) => problems.length === 0);

/**
 * Plays a scenario in writing. What comes after the conversation's end is a problem of its turn.
 * @throws AgentStreamError as the chat does
 */
export async function runScenario(
  scenario: Scenario,
  variables: Readonly<Record<string, unknown>>,
  ports: ChatPorts & { readonly clock: Pick<Clock, 'nowMs' | 'wallMs'> },
): Promise<ScenarioResult> {
  const turns: JudgedTurn[] = [];
  let ending: string | null = null;

  const play = async (input: string, expectation: Expectation, advance: () => Promise<ChatStep>): Promise<ChatStep> => {
    const startMs = ports.clock.nowMs();
    const isOver = ending !== null && ending !== 'transfer';
    const step = await advance();
    const outcome = outcomeOf(step, ports, ports.clock.nowMs() - startMs);
    ending = outcome.ending ?? (isOver ? ending : null);
    const problems = isOver ? [`the conversation had ended before (${String(ending)})`] : judgeTurn(expectation, outcome);
    turns.push({ input, said: outcome.said, problems, durationMs: outcome.durationMs });
    return step;
  };

  const startMs = ports.clock.nowMs();
  let step = await play('', scenario.opening, () => startChat({ ...variables, ...scenario.variables }, ports));
  for (const turn of scenario.turns) {
    const { snapshot } = step;
    step = await play(describeInput(turn), turn.expect, () => continueChat(snapshot, inputOf(turn), ports));
  }
  return { name: scenario.name, turns, durationMs: ports.clock.nowMs() - startMs };
}

function outcomeOf({ snapshot, events }: ChatStep, { graph }: ChatPorts, durationMs: number): TurnOutcome {
  const endings = events.flatMap((event) => (event.type === 'ended' ? [event.reason] : event.type === 'transfer-requested' ? ['transfer'] : []));
  return {
    said: events.flatMap((event) => (event.type === 'agent-said' ? [event.text] : [])),
    visits: events.flatMap((event) => (event.type === 'node-entered' ? [event.name] : [])),
    node: graph.nodes[snapshot.workflow.nodeId]?.name ?? snapshot.workflow.nodeId,
    tools: events.flatMap((event) => (event.type === 'tool-called' ? [event] : [])),
    variables: snapshot.workflow.variables,
    ending: endings.at(-1) ?? null,
    durationMs,
  };
}

function inputOf({ caller, press, transfer_fails: reason }: ScenarioTurn): ChatInput {
  if (caller !== undefined) return { type: 'say', text: caller };
  if (press !== undefined) return { type: 'press', digits: press };
  return reason === undefined ? { type: 'stay-silent' } : { type: 'fail-transfer', reason };
}

function describeInput({ caller, press, transfer_fails: reason }: ScenarioTurn): string {
  if (caller !== undefined) return caller;
  if (press !== undefined) return `[presses ${press}]`;
  return reason === undefined ? '[says nothing]' : `[the transfer fails: ${reason}]`;
}
