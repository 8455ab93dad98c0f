import type { WorkflowState, WorkflowStep } from './engine.js';
import type { CollectNode, EdgesByDigits, GraphEdge, WorkflowGraph } from './graph.js';
import { holdingEdge, isConversing, nodeAt, noKeys, promptedAt, sayGoodbye, stay, withEntry, withVariable, type Reply } from './reply.js';
import { askForKeys, takeEdge } from './transition.js';

/** Edges that silence may take in a row, before the caller says or presses something: then it is goodbye. */
export const MAX_SILENCES = 5;

/** Keys a caller has: the fourth column (RFC 4733 §3.2) is on no phone. */
const callerKey = /^[0-9*#]$/;

const noEdges: EdgesByDigits = Object.freeze(Object.create(null) as Record<string, GraphEdge>);

/** Edges that keys take now. */
function keyEdges(graph: WorkflowGraph, state: WorkflowState): EdgesByDigits {
  const node = nodeAt(graph, state.nodeId);
  const { phase } = state;
  if (node?.type === 'transferCall') {
    const isTransferring = phase.name === 'transferring' || (phase.name === 'replying' && phase.then === 'transfer');
    return isTransferring ? node.edgesByDigits : noEdges;
  }
  return node !== undefined && 'edgesByTool' in node && isConversing(state) ? node.edgesByDigits : noEdges;
}

/** True where the keys pressed now must not be recorded. */
export function areKeysPrivate(graph: WorkflowGraph, { nodeId }: WorkflowState): boolean {
  const node = nodeAt(graph, nodeId);
  return node?.type === 'collectDigits' && node.isSensitive;
}

/** The edge of the longest keys that the pressed ones begin with. */
function longestMatch(edges: EdgesByDigits, digits: string): GraphEdge | undefined {
  for (let length = digits.length; length > 0; length -= 1) {
    const edge = edges[digits.slice(0, length)];
    if (edge !== undefined) return edge;
  }
  return undefined;
}

const leave = (reply: Reply, edge: GraphEdge): WorkflowStep =>
  takeEdge(reply.state.phase.name === 'transferring' ? { ...reply, actions: [...reply.actions, { type: 'cancel-transfer' }] } : reply, edge, false);

const withDigits = (reply: Reply, digits: string): Reply => ({ ...reply, state: { ...reply.state, keys: { ...reply.state.keys, digits } } });

/** Takes the first edge of the node whose condition holds by now, where the call may go on. */
export function takeHolding(reply: Reply): WorkflowStep {
  const { graph, state } = reply;
  const edge = isConversing(state) ? holdingEdge(promptedAt(graph, state.nodeId)?.conditions ?? [], state.variables) : undefined;
  return edge === undefined ? stay(state) : takeEdge(reply, edge, false);
}

/** A key at a node whose edges take some: the longest match is taken, as soon as no longer one can come. */
export function pressKey(reply: Reply, digit: string): WorkflowStep {
  const edges = keyEdges(reply.graph, reply.state);
  const former = reply.state.keys.digits;
  const following = (digits: string) => Object.keys(edges).filter((keys) => keys.startsWith(digits));
  const digits = [former + digit, digit].find((keys) => following(keys).length > 0) ?? '';
  const formerMatch = digits === former + digit ? undefined : longestMatch(edges, former);
  if (formerMatch !== undefined) return leave(reply, formerMatch);
  const exact = edges[digits];
  if (exact !== undefined && following(digits).length === 1) return leave(reply, exact);
  const pressed = withDigits(reply, digits);
  return digits === '' ? takeHolding(pressed) : stay(pressed.state);
}

/** No more keys came: what there is is taken, or dropped. */
export function settleKeys(reply: Reply): WorkflowStep {
  const edge = longestMatch(keyEdges(reply.graph, reply.state), reply.state.keys.digits);
  return edge === undefined ? takeHolding(withDigits(reply, '')) : leave(reply, edge);
}

/** A key at a `collectDigits` node. The first one stops the prompt. */
export function collectKey(reply: Reply, node: CollectNode, digit: string): WorkflowStep {
  const { state } = reply;
  if (!isConversing(state) || !callerKey.test(digit)) return stay(state);
  if (digit === node.terminator) return finishInput(reply, node);
  const collected = withDigits(reply, state.keys.digits + digit);
  if (collected.state.keys.digits.length >= node.maxDigits) return finishInput(collected, node);
  return { state: collected.state, actions: state.phase.name === 'replying' ? [{ type: 'stop-speech' }] : [] };
}

/** The input is over: by its terminator, its length or silence. */
export function finishInput(reply: Reply, node: CollectNode): WorkflowStep {
  const { digits } = reply.state.keys;
  if (digits.length < node.minDigits) return askAgain(reply, node);
  const variables = node.variable === null ? reply.state.variables : withVariable(reply.state.variables, node.variable, digits);
  const edge = node.edgesByDigits[digits] ?? holdingEdge(node.conditions, variables) ?? node.next;
  if (edge === null) return askAgain(reply, node);
  const text = node.isSensitive ? 'The caller entered keys that are kept private.' : `The caller entered ${digits} on the keypad.`;
  const noted = withEntry(reply, { role: 'note', text });
  return takeEdge({ ...noted, state: { ...noted.state, variables } }, edge, false);
}

/** The keys were none, too few, or choose nothing. */
function askAgain(reply: Reply, node: CollectNode): WorkflowStep {
  const { state, graph } = reply;
  const { attempt, digits } = state.keys;
  if (attempt < node.retries) return askForKeys({ ...reply, state: { ...state, keys: { digits: '', attempt: attempt + 1 } } }, node);
  const silencesTaken = state.silencesTaken + (digits === '' ? 1 : 0);
  const noted = withEntry({ ...reply, state: { ...state, keys: noKeys, silencesTaken } }, { role: 'note', text: 'The caller entered no valid keys.' });
  const edge = node.onFailure ?? node.next;
  return edge === null || silencesTaken > MAX_SILENCES ? sayGoodbye(noted, graph.idle.goodbye, 'idle_timeout') : takeEdge(noted, edge, false);
}
