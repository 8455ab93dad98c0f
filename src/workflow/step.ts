import type { ModelToolCall } from '../speech/language-model.js';
import { appendEntry, appendHeard } from './conversation.js';
import type { ConversationEntry, WorkflowEvent, WorkflowPhase, WorkflowState, WorkflowStep } from './engine.js';
import type { GraphEdge, PromptedNode, WorkflowGraph } from './graph.js';
import {
  askModel,
  beginReply,
  enter,
  failPass,
  fallbackText,
  nodeAt,
  promptedAt,
  renderFor,
  resumeReply,
  sayGoodbye,
  speak,
  thenListen,
  type Reply,
  type StepContext,
} from './reply.js';
import { failTransfer, takeEdge } from './transition.js';
import { copyVariables } from './variables.js';

export type { StepContext } from './reply.js';

type EventOf<Type extends WorkflowEvent['type']> = Extract<WorkflowEvent, { type: Type }>;
type Replying = Extract<WorkflowPhase, { name: 'replying' }>;

/** A key of a phone (RFC 4733 §3.2). */
const phoneKey = /^[0-9*#A-D]$/;

const stay = (state: WorkflowState): WorkflowStep => ({ state, actions: [] });

const withEntry = (state: WorkflowState, entry: ConversationEntry): WorkflowState => ({
  ...state,
  conversation: appendEntry(state.conversation, entry),
});

/** The state of a run before its call begins. `variables` (the run's initial context) are copied as plain data. */
export function startWorkflow(graph: WorkflowGraph, variables: Readonly<Record<string, unknown>>): WorkflowState {
  return {
    nodeId: graph.startId,
    phase: { name: 'not-started' },
    nodesVisited: [],
    variables: copyVariables(variables),
    conversation: [],
    failedPasses: 0,
  };
}

/** True where a caller's turn is answered: nobody is ending or handing over the call. */
const isConversing = ({ phase }: WorkflowState): boolean => phase.name === 'listening' || (phase.name === 'replying' && phase.then === 'listen');

function onCallStarted(reply: Reply): WorkflowStep {
  const { graph, state } = reply;
  const start = promptedAt(graph, graph.startId);
  if (state.phase.name !== 'not-started' || start === undefined) return stay(state);
  const entered = enter(reply, start);
  const greeting = start.greeting === null ? '' : renderFor(entered, start.greeting);
  return greeting === '' ? askModel(entered, start) : thenListen(speak(entered, greeting, start.allowInterrupt));
}

function onCallerTurn(reply: Reply, { text, turnId }: EventOf<'caller-turn'>): WorkflowStep {
  const words = text.trim();
  if (words === '') return stay(reply.state);
  const state = withEntry(reply.state, { role: 'caller', text: words, turnId });
  const node = promptedAt(reply.graph, state.nodeId);
  return isConversing(state) && node !== undefined ? askModel({ ...reply, state }, node) : stay(state);
}

const chosenEdge = (node: PromptedNode, toolCalls: readonly ModelToolCall[]): GraphEdge | undefined => {
  const call = toolCalls.find(({ name }) => Object.hasOwn(node.edgesByTool, name));
  return call === undefined ? undefined : node.edgesByTool[call.name];
};

function onModelFinished(reply: Reply, event: EventOf<'model-finished'>): WorkflowStep {
  const { state } = reply;
  const { phase } = state;
  const node = promptedAt(reply.graph, state.nodeId);
  if (phase.name !== 'replying' || !phase.isModelPending || node === undefined) return stay(state);
  const words = event.text.trim();
  const resumed = resumeReply(reply, phase, words);
  const edge = chosenEdge(node, event.toolCalls);
  if (edge === undefined && words === '') return failPass(resumed, node, fallbackText(resumed, node, false));
  const hasProgressed = words !== '' || (edge !== undefined && nodeAt(reply.graph, edge.targetId)?.type !== 'agentNode');
  const passed: Reply = hasProgressed ? { ...resumed, state: { ...state, failedPasses: 0 } } : resumed;
  if (edge !== undefined) return takeEdge(passed, edge, words !== '');
  return stay({ ...passed.state, phase: { ...phase, isModelPending: false, spoken: passed.spoken } });
}

function onModelFailed(reply: Reply): WorkflowStep {
  const { state } = reply;
  const node = promptedAt(reply.graph, state.nodeId);
  if (state.phase.name !== 'replying' || !state.phase.isModelPending || node === undefined) return stay(state);
  const resumed = resumeReply(reply, state.phase, '');
  return failPass(resumed, node, fallbackText(resumed, node, true));
}

/** The reply is over: what it leads to begins. */
function endReply(reply: Reply, phase: Replying, isInterrupted: boolean): WorkflowStep {
  const { state } = reply;
  switch (phase.then) {
    case 'listen':
      return stay({ ...state, phase: { name: 'listening' } });
    case 'hang-up':
      if (isInterrupted && !phase.isForced) return sayGoodbye(reply, reply.graph.texts.goodbye, phase.reason);
      return { state: { ...state, phase: { name: 'ended', reason: phase.reason } }, actions: [{ type: 'hang-up', reason: phase.reason }] };
    case 'transfer': {
      const { destination, mode, timeoutSeconds } = phase.transfer;
      return {
        state: { ...state, phase: { name: 'transferring', passesLeft: phase.passesLeft, transfer: phase.transfer } },
        actions: [{ type: 'transfer', destination, mode, timeoutSeconds }],
      };
    }
  }
}

function onReplyHeard(reply: Reply, { heardText, isInterrupted }: EventOf<'reply-heard'>): WorkflowStep {
  const { phase, conversation } = reply.state;
  const state = { ...reply.state, conversation: appendHeard(conversation, heardText, isInterrupted) };
  if (phase.name !== 'replying') return stay(state);
  if (phase.isModelPending && !isInterrupted) return stay({ ...state, phase: { ...phase, spoken: '' } });
  return endReply({ ...reply, state }, phase, isInterrupted);
}

function onDigit(reply: Reply, digit: string): WorkflowStep {
  if (!phoneKey.test(digit)) return stay(reply.state);
  const noted = withEntry(reply.state, { role: 'note', text: `The caller pressed ${digit}.` });
  const variables: WorkflowState['variables'] = Object.assign(Object.create(null) as Record<string, unknown>, noted.variables, { last_digit: digit });
  const state = { ...noted, variables };
  const node = promptedAt(reply.graph, state.nodeId);
  const edge = node === undefined || !Object.hasOwn(node.edgesByDigit, digit) ? undefined : node.edgesByDigit[digit];
  return edge !== undefined && isConversing(state) ? takeEdge({ ...reply, state }, edge, false) : stay(state);
}

function onIdle(reply: Reply, count: number): WorkflowStep {
  const { graph, state } = reply;
  const { phase } = state;
  if (phase.name === 'replying' && !phase.isModelPending) {
    // Both sides are silent, so the reply is over even though nobody said so: never wait for a report that was lost.
    const ended = endReply(reply, phase, false);
    return phase.then === 'listen' ? onIdle({ ...reply, state: ended.state }, count) : ended;
  }
  if (phase.name !== 'listening') return stay(state);
  const check = graph.idle.checks[Math.max(0, count - 1)];
  return check === undefined ? sayGoodbye(reply, graph.idle.goodbye, 'idle_timeout') : thenListen(speak(reply, check, true));
}

function onTransferFailed(reply: Reply, reason: string): WorkflowStep {
  const { graph, state } = reply;
  const { phase } = state;
  const node = nodeAt(graph, state.nodeId);
  if (phase.name !== 'transferring' || node?.type !== 'transferCall') return stay(state);
  return failTransfer({ ...reply, passesLeft: phase.passesLeft }, node, reason);
}

function onEndRequested(reply: Reply, reason: EventOf<'end-requested'>['reason']): WorkflowStep {
  const { phase } = reply.state;
  const isEnding = phase.name === 'replying' && phase.then === 'hang-up';
  return isEnding ? stay(reply.state) : sayGoodbye(reply, reply.graph.texts[reason], reason);
}

/**
 * The engine: what one event makes of a run's workflow. Pure and total: any event is legal in any state, nothing is thrown, and
 * events that mean nothing in a state leave it as it is. Every reply gives the caller something to hear.
 */
export function step(graph: WorkflowGraph, state: WorkflowState, event: WorkflowEvent, context: StepContext): WorkflowStep {
  if (state.phase.name === 'ended') return stay(state);
  const reply = beginReply(graph, state, context);
  switch (event.type) {
    case 'call-started':
      return onCallStarted(reply);
    case 'caller-turn':
      return onCallerTurn(reply, event);
    case 'model-finished':
      return onModelFinished(reply, event);
    case 'model-failed':
      return onModelFailed(reply);
    case 'reply-heard':
      return onReplyHeard(reply, event);
    case 'dtmf-received':
      return onDigit(reply, event.digit);
    case 'caller-idle':
      return onIdle(reply, event.count);
    case 'transfer-failed':
      return onTransferFailed(reply, event.reason);
    case 'end-requested':
      return onEndRequested(reply, event.reason);
  }
}
