import type { ModelToolCall } from '../speech/language-model.js';
import { appendHeard } from './conversation.js';
import type { WorkflowEvent, WorkflowPhase, WorkflowState, WorkflowStep } from './engine.js';
import type { GraphEdge, PromptedNode, WorkflowGraph } from './graph.js';
import {
  askModel,
  beginReply,
  enter,
  failPass,
  fallbackText,
  holdingEdge,
  isConversing,
  nodeAt,
  noKeys,
  promptedAt,
  resumeReply,
  sayGoodbye,
  speak,
  speakFixed,
  stay,
  thenListen,
  withEntry,
  withVariable,
  type Reply,
  type StepContext,
} from './reply.js';
import { collectKey, finishInput, MAX_SILENCES, pressKey, settleKeys, takeHolding } from './keys.js';
import { answerAfterTools, asksForTools, beginTools, finishTools, overtakeTools, owesAnswer, refuseCalls, unknownFunction } from './tool-round.js';
import { failTransfer, takeEdge } from './transition.js';
import { copyVariables, overlayVariables } from './variables.js';
import { waitActions, waitOf } from './waits.js';

export type { StepContext } from './reply.js';

type EventOf<Type extends WorkflowEvent['type']> = Extract<WorkflowEvent, { type: Type }>;
type Replying = Extract<WorkflowPhase, { name: 'replying' }>;

/** A key of a phone (RFC 4733 §3.2). */
const phoneKey = /^[0-9*#A-D]$/;

/** The state of a run before its call begins. `variables` (the run's initial context) are copied as plain data. */
export function startWorkflow(graph: WorkflowGraph, variables: Readonly<Record<string, unknown>>): WorkflowState {
  return {
    nodeId: graph.startId,
    originId: graph.startId,
    keys: noKeys,
    silencesTaken: 0,
    phase: { name: 'not-started' },
    nodesVisited: [],
    variables: copyVariables(variables),
    conversation: [],
    tools: { callCount: 0, batchCount: 0, running: [] },
    failedPasses: 0,
  };
}

function onCallStarted(reply: Reply): WorkflowStep {
  const { graph, state } = reply;
  const start = promptedAt(graph, graph.startId);
  if (state.phase.name !== 'not-started' || start === undefined) return stay(state);
  const entered = enter(reply, start);
  const edge = holdingEdge(start.conditions, state.variables);
  if (edge !== undefined) return takeEdge(entered, edge, false);
  if (start.startDelayMs === null) return greet(entered, start, false);
  return { state: { ...entered.state, phase: { name: 'delayed' } }, actions: entered.actions };
}

/** The first words. A caller who spoke first is answered in the same breath. */
function greet(reply: Reply, start: PromptedNode, hasCallerSpoken: boolean): WorkflowStep {
  const greeted = speakFixed(reply, start.greeting, start.allowInterrupt);
  return greeted === reply || hasCallerSpoken ? askModel(greeted, start) : thenListen(greeted);
}

/** The caller was heard: the silences before no longer count. */
const heardFrom = (reply: Reply): Reply => ({ ...reply, state: { ...reply.state, silencesTaken: 0 } });

function onCallerTurn(reply: Reply, { text, turnId }: EventOf<'caller-turn'>): WorkflowStep {
  const words = text.trim();
  if (words === '') return stay(reply.state);
  const heard = heardFrom(reply);
  const told = withEntry({ ...heard, state: overtakeTools(heard.state) }, { role: 'caller', text: words, turnId });
  const node = promptedAt(reply.graph, told.state.nodeId);
  if (!isConversing(told.state) || node === undefined) return stay(told.state);
  const edge = holdingEdge(node.conditions, told.state.variables);
  if (edge !== undefined) return takeEdge(told, edge, false);
  if (told.state.tools.running.length > 0) return answerAfterTools(told, node);
  return told.state.phase.name === 'delayed' ? greet(told, node, true) : askModel(told, node);
}

/** The functions of a pass: the first edge is taken, others are not. */
function sortCalls(node: PromptedNode, toolCalls: readonly ModelToolCall[]) {
  const isEdge = ({ name }: ModelToolCall) => Object.hasOwn(node.edgesByTool, name);
  const [taken, ...otherEdges] = toolCalls.filter(isEdge);
  const edge: GraphEdge | undefined = taken === undefined ? undefined : node.edgesByTool[taken.name];
  return { edge, otherEdges, calls: toolCalls.filter((call) => !isEdge(call)) };
}

function onModelFinished(reply: Reply, event: EventOf<'model-finished'>): WorkflowStep {
  const { state } = reply;
  const { phase } = state;
  const node = promptedAt(reply.graph, state.nodeId);
  if (phase.name !== 'replying' || phase.pending !== 'model' || node === undefined) return stay(state);
  const words = event.text.trim();
  const { edge, otherEdges, calls } = sortCalls(node, event.toolCalls);
  const told = refuseCalls(resumeReply(reply, phase, words), otherEdges, () => 'not carried out, because another way was taken');
  if (asksForTools(node, calls)) return beginTools(words === '' ? told : { ...told, state: { ...state, failedPasses: 0 } }, node, calls, edge);
  const resumed = refuseCalls(told, calls, unknownFunction);
  if (edge === undefined && words === '') return failPass(resumed, node, fallbackText(resumed, node, false));
  const hasProgressed = words !== '' || (edge !== undefined && nodeAt(reply.graph, edge.targetId)?.type !== 'agentNode');
  const passed: Reply = hasProgressed ? { ...resumed, state: { ...state, failedPasses: 0 } } : resumed;
  if (edge !== undefined) return takeEdge(passed, edge, words !== '');
  return { state: { ...passed.state, phase: { ...phase, pending: null, spoken: passed.spoken } }, actions: passed.actions };
}

function onModelFailed(reply: Reply): WorkflowStep {
  const { state } = reply;
  const node = promptedAt(reply.graph, state.nodeId);
  if (state.phase.name !== 'replying' || state.phase.pending !== 'model' || node === undefined) return stay(state);
  const resumed = resumeReply(reply, state.phase, '');
  return failPass(resumed, node, fallbackText(resumed, node, true));
}

/** The reply is over: what it leads to begins. */
function endReply(reply: Reply, phase: Replying, isInterrupted: boolean): WorkflowStep {
  const { state } = reply;
  switch (phase.then) {
    case 'listen': {
      const listening: Reply = { ...reply, state: { ...state, phase: { name: 'listening' } } };
      // What was learnt while the agent spoke. A caller who interrupts is heard first.
      return isInterrupted ? stay(listening.state) : takeHolding(listening);
    }
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
  const heard = { ...reply.state, conversation: appendHeard(conversation, heardText, isInterrupted) };
  const state = isInterrupted ? overtakeTools(heard) : heard;
  if (phase.name !== 'replying') return stay(state);
  if (phase.pending !== null && !isInterrupted) return stay({ ...state, phase: { ...phase, spoken: '' } });
  return endReply({ ...reply, state }, phase, isInterrupted);
}

function onDigit(reply: Reply, digit: string): WorkflowStep {
  if (!phoneKey.test(digit)) return stay(reply.state);
  const pressed = heardFrom(reply);
  const node = nodeAt(reply.graph, reply.state.nodeId);
  if (node?.type === 'collectDigits') return collectKey(pressed, node, digit);
  const noted = withEntry(pressed, { role: 'note', text: `The caller pressed ${digit}.` });
  return pressKey({ ...noted, state: { ...noted.state, variables: withVariable(noted.state.variables, 'last_digit', digit) } }, digit);
}

function onTimerFired(reply: Reply): WorkflowStep {
  const { graph, state } = reply;
  const node = nodeAt(graph, state.nodeId);
  if (waitOf(graph, state) === null || node === undefined) return stay(state);
  if (node.type === 'startCall' && state.phase.name === 'delayed') return greet(reply, node, false);
  return node.type === 'collectDigits' ? finishInput(reply, node) : settleKeys(reply);
}

/** The silence of a node is over: along its edge, but not for ever. */
function takeSilence(reply: Reply, edge: GraphEdge): WorkflowStep {
  const { graph, state } = reply;
  if (state.silencesTaken >= MAX_SILENCES) return sayGoodbye(reply, graph.idle.goodbye, 'idle_timeout');
  const silent: Reply = { ...reply, state: { ...state, silencesTaken: state.silencesTaken + 1 } };
  return takeEdge(withEntry(silent, { role: 'note', text: 'The caller was silent.' }), edge, false);
}

function onIdle(reply: Reply, count: number): WorkflowStep {
  const { graph, state } = reply;
  const { phase } = state;
  if (phase.name === 'replying' && phase.pending === null) {
    // Both sides are silent, so the reply is over even though nobody said so: never wait for a report that was lost.
    const ended = endReply(reply, phase, false);
    return ended.state.phase.name === 'listening' ? onIdle({ ...reply, state: ended.state }, count) : ended;
  }
  const node = nodeAt(graph, state.nodeId);
  if (phase.name === 'delayed' || (phase.name === 'listening' && node?.type === 'collectDigits')) return onTimerFired(reply);
  if (phase.name !== 'listening') return stay(state);
  const learnt = promptedAt(graph, state.nodeId);
  const holding = holdingEdge(learnt?.conditions ?? [], state.variables);
  if (holding !== undefined) return takeEdge(reply, holding, false);
  if (learnt !== undefined && owesAnswer(state)) return askModel(reply, learnt);
  const onSilence = learnt?.onSilence ?? null;
  if (onSilence !== null) return takeSilence(reply, onSilence.edge);
  const check = graph.idle.checks[Math.max(0, count - state.silencesTaken - 1)];
  return check === undefined ? sayGoodbye(reply, graph.idle.goodbye, 'idle_timeout') : thenListen(speak(reply, check, true));
}

function onTransferFailed(reply: Reply, reason: string): WorkflowStep {
  const { graph, state } = reply;
  const { phase } = state;
  const node = nodeAt(graph, state.nodeId);
  if (phase.name !== 'transferring' || node === undefined) return stay(state);
  return failTransfer({ ...reply, passesLeft: phase.passesLeft }, node.type === 'transferCall' ? node : null, reason);
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
  // What is learnt of a call that has ended belongs to it too.
  if (event.type === 'variables-learned') return stay({ ...state, variables: overlayVariables(state.variables, event.values) });
  if (state.phase.name === 'ended') return stay(state);
  const { state: after, actions } = decide(beginReply(graph, state, context), event);
  return { state: after, actions: [...waitActions(graph, state, after), ...actions] };
}

function decide(reply: Reply, event: Exclude<WorkflowEvent, { type: 'variables-learned' }>): WorkflowStep {
  switch (event.type) {
    case 'call-started':
      return onCallStarted(reply);
    case 'caller-turn':
      return onCallerTurn(reply, event);
    case 'model-finished':
      return onModelFinished(reply, event);
    case 'model-failed':
      return onModelFailed(reply);
    case 'tools-finished':
      return finishTools(reply, event);
    case 'reply-heard':
      return onReplyHeard(reply, event);
    case 'dtmf-received':
      return onDigit(reply, event.digit);
    case 'timer-fired':
      return onTimerFired(reply);
    case 'caller-idle':
      return onIdle(reply, event.count);
    case 'transfer-failed':
      return onTransferFailed(reply, event.reason);
    case 'end-requested':
      return onEndRequested(reply, event.reason);
  }
}
