import type { RunEventAnswer } from '../api-shapes.js';
import { ANSWER_TIMEOUT_MS, pressKeys, type CallerStage } from '../../simulator/caller.js';
import { TURN_PAUSE_MS } from '../../simulator/conversation.js';
import type { Scenario, ScenarioTurn } from './scenario-file.js';

/** Quiet after which an answer is over, beyond the pause that ends a turn: events of the run take this long to arrive. */
const SETTLE_MS = 600;

/** Longest answer that is waited for. */
const ANSWER_LIMIT_MS = 120_000;

/** Longest wait for a transfer to fail: ringing takes its time. */
const TRANSFER_TIMEOUT_MS = 60_000;

/** How long the call may take to end once the last words were heard. */
const END_TIMEOUT_MS = 10_000;

/** Something the caller did. */
export interface CallerAct {
  /** Whose time it is in: the carrier's, or that of the run's events. */
  readonly clock: 'carrier' | 'run';
  readonly startMs: number;
  /** What an answer's time counts from; null: from what the run says set the answer off. */
  readonly doneMs: number | null;
}

/** What a caller of an evaluation knows of the call besides what is heard. */
export interface CallerKnowledge {
  readonly scenario: Scenario;
  /** The audio of the turns with words, by the turn's index. */
  readonly clips: ReadonlyMap<number, Uint8Array>;
  /** The run's events so far. */
  readonly events: readonly RunEventAnswer[];
  /** Functions that are edges: no tool runs. What else there is to call, a call may learn as late as from an MCP server. */
  readonly edgeNames: ReadonlySet<string>;
  readonly idleTimeoutMs: number;
  /** Told of every act, in the order of the scenario's turns; what the call's end left undone is not. */
  onAct(act: CallerAct): void;
}

const eventsOf = (events: readonly RunEventAnswer[], type: string): readonly RunEventAnswer[] => events.filter((event) => event.type === type);

/** True while a tool runs: every call of one is finished. */
function isToolRunning({ events, edgeNames }: Pick<CallerKnowledge, 'events' | 'edgeNames'>): boolean {
  const count = (type: string) => eventsOf(events, type).filter(({ data }) => !edgeNames.has(String(data.name))).length;
  return count('tool-called') > count('tool-finished');
}

/** Waits until the agent has answered what the caller did last, and has nothing to add. */
async function waitForAnswer(stage: CallerStage, knowledge: CallerKnowledge, patienceMs: number): Promise<void> {
  const { conversation, stream, waits } = stage;
  const sinceMs = stage.lastActMs;
  const hasAnswered = () => conversation.agentTurnStartMs > sinceMs;
  if (!(await waits.until(() => hasAnswered() || isToolRunning(knowledge), patienceMs))) return;
  let heardUntilMs = conversation.agentTurnStartMs;
  await waits.until(() => {
    const nowMs = stream.nowMs();
    if (conversation.isAgentSpeaking) heardUntilMs = nowMs - TURN_PAUSE_MS;
    if (conversation.isAgentSpeaking || isToolRunning(knowledge) || !hasAnswered()) return false;
    const toolEndMs = eventsOf(knowledge.events, 'tool-finished').at(-1)?.at_ms ?? -1;
    // What a tool found is told after it; where nothing comes, nothing is to be told.
    const quietMs = nowMs - Math.max(heardUntilMs, toolEndMs);
    return quietMs >= (toolEndMs > heardUntilMs ? ANSWER_TIMEOUT_MS : TURN_PAUSE_MS + SETTLE_MS);
  }, ANSWER_LIMIT_MS);
}

/** Waits until the agent has spoken for so long in answer to what the caller did last. */
async function waitToInterrupt({ conversation, stream, waits, lastActMs }: CallerStage, afterMs: number): Promise<void> {
  const isDue = () =>
    conversation.isAgentSpeaking && conversation.agentTurnStartMs > lastActMs && stream.nowMs() - conversation.agentTurnStartMs >= afterMs;
  await waits.until(isDue, ANSWER_TIMEOUT_MS + afterMs);
}

/** The transfer that is under way has failed, and what there is to say about it was heard. */
async function waitForFailure(stage: CallerStage, { events }: CallerKnowledge, count: number): Promise<CallerAct | null> {
  const failure = () => eventsOf(events, 'transfer-failed')[count];
  if (!(await stage.waits.until(() => failure() !== undefined, TRANSFER_TIMEOUT_MS))) return null;
  const atMs = failure()?.at_ms ?? 0;
  return { clock: 'run', startMs: atMs, doneMs: atMs };
}

async function act(stage: CallerStage, knowledge: CallerKnowledge, index: number, turn: ScenarioTurn): Promise<CallerAct> {
  const startMs = stage.stream.nowMs();
  stage.lastActMs = startMs;
  if (turn.press !== undefined) {
    await pressKeys(stage, turn.press);
    return { clock: 'carrier', startMs, doneMs: stage.lastActMs };
  }
  if (turn.caller === undefined) return { clock: 'carrier', startMs, doneMs: null };
  stage.conversation.announce(turn.caller);
  const { endMs } = await stage.stream.speak(knowledge.clips.get(index) ?? new Uint8Array(0));
  return { clock: 'carrier', startMs, doneMs: endMs };
}

/**
 * Plays the caller of a scenario and hangs up: waits for each answer to be over, with the run's events as a second pair of ears, so that
 * what comes late is not cut off and belongs to its turn.
 */
export async function playScenario(stage: CallerStage, knowledge: CallerKnowledge): Promise<void> {
  const { scenario, events, idleTimeoutMs } = knowledge;
  const { stream, waits } = stage;
  let failedTransfers = 0;
  const over = new AbortController();
  void stream.ended.then(() => over.abort());

  /** `turn`: what is answered; `next`: who does not wait for the whole answer. */
  const listen = async (turn: ScenarioTurn | null, next: ScenarioTurn | undefined) => {
    if (next?.interrupts !== undefined) return waitToInterrupt(stage, next.interrupts);
    if (next?.transfer_fails !== undefined) {
      const isTransferring = () => eventsOf(events, 'transfer-started').length > failedTransfers;
      await waits.until(isTransferring, ANSWER_LIMIT_MS);
      return;
    }
    if (turn?.transfer_fails !== undefined) {
      const failedAtMs = stage.lastActMs;
      const hasSpoken = () => eventsOf(events, 'agent-said').some(({ data }) => Number(data.start_ms) >= failedAtMs);
      await waits.until(() => hasSpoken() && !stage.conversation.isAgentSpeaking, ANSWER_LIMIT_MS);
      return;
    }
    await waitForAnswer(stage, knowledge, turn?.silence === true ? idleTimeoutMs + ANSWER_TIMEOUT_MS : ANSWER_TIMEOUT_MS);
    const { ends } = turn === null ? scenario.opening : turn.expect;
    if (ends === 'transfer') await waits.until(() => eventsOf(events, 'transfer-started').length > failedTransfers, END_TIMEOUT_MS);
    else if (ends !== undefined) await waits.until(() => false, END_TIMEOUT_MS);
  };

  await listen(null, scenario.turns[0]);
  for (const [index, turn] of scenario.turns.entries()) {
    if (over.signal.aborted) break;
    if (turn.transfer_fails === undefined) {
      knowledge.onAct(await act(stage, knowledge, index, turn));
    } else {
      const failure = await waitForFailure(stage, knowledge, failedTransfers);
      if (failure === null) break;
      failedTransfers += 1;
      stage.lastActMs = failure.startMs;
      knowledge.onAct(failure);
    }
    await listen(turn, scenario.turns[index + 1]);
  }
  // A transfer that is under way ends the call by itself.
  if (eventsOf(events, 'transfer-started').length > failedTransfers) await waits.until(() => false, END_TIMEOUT_MS);
  stream.hangUp();
}
