import type { WorkflowAction, WorkflowState } from './engine.js';
import type { WorkflowGraph } from './graph.js';
import { nodeAt } from './reply.js';

/** How long a key that may be the first of several waits for the next one. RFC 3435 §2.1.5 knows 4 s at the most after a match. */
export const INTER_DIGIT_MS = 2000;
/** A `collectDigits` node waits by its own timer; silence is noticed only where that was lost. */
const LOST_TIMER_MARGIN_MS = 5000;

/** A wait that a state asks for; another `key` is another wait. */
interface Wait {
  readonly key: string;
  readonly delayMs: number;
}

/** The wait a state is in: for the caller to speak first, for a key, for one more key. Null: none. */
export function waitOf(graph: WorkflowGraph, { nodeId, phase, keys }: WorkflowState): Wait | null {
  const node = nodeAt(graph, nodeId);
  if (phase.name === 'delayed') return { key: 'start', delayMs: (node?.type === 'startCall' ? node.startDelayMs : null) ?? 0 };
  const key = `${nodeId} ${keys.attempt} ${keys.digits}`;
  if (node?.type === 'collectDigits') return phase.name === 'listening' ? { key, delayMs: node.timeoutMs } : null;
  const isEnding = phase.name === 'ended' || (phase.name === 'replying' && phase.then === 'hang-up');
  return keys.digits === '' || isEnding ? null : { key, delayMs: INTER_DIGIT_MS };
}

/** The silence after which the node is left; null: the idle ladder's. */
function silenceLimitOf(graph: WorkflowGraph, { nodeId, phase }: WorkflowState): number | null {
  const node = phase.name === 'not-started' ? undefined : nodeAt(graph, nodeId);
  if (node?.type === 'collectDigits') return node.timeoutMs + LOST_TIMER_MARGIN_MS;
  return node !== undefined && 'onSilence' in node ? (node.onSilence?.delayMs ?? null) : null;
}

/** What the shell must change of its timer and silence limit between two states. */
export function waitActions(graph: WorkflowGraph, before: WorkflowState, after: WorkflowState): readonly WorkflowAction[] {
  const actions: WorkflowAction[] = [];
  const [wait, former] = [waitOf(graph, after), waitOf(graph, before)];
  if (wait === null && former !== null) actions.push({ type: 'cancel-timer' });
  if (wait !== null && wait.key !== former?.key) actions.push({ type: 'set-timer', delayMs: wait.delayMs });
  const limitMs = silenceLimitOf(graph, after);
  if (limitMs !== silenceLimitOf(graph, before)) actions.push({ type: 'set-silence-limit', delayMs: limitMs });
  return actions;
}
