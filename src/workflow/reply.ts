import { appendEntry, modelMessages } from './conversation.js';
import type {
  ConversationEntry,
  HangUpReason,
  KeysPressed,
  TransferPlan,
  Variables,
  WorkflowAction,
  WorkflowPhase,
  WorkflowState,
  WorkflowStep,
} from './engine.js';
import { isExpressionTrue } from './expression.js';
import type { ConditionalEdge, FixedSpeech, GraphEdge, GraphNode, PromptedNode, WorkflowGraph } from './graph.js';
import { renderSystemPrompt } from './prompt.js';
import { renderTemplate, type Template } from './template.js';
import type { Filler } from './tools/callable-tool.js';

/** Model passes one caller's turn may cost. */
export const MAX_PASSES = 3;
/** Rounds of tools one caller's turn may cost; each is followed by one more pass. */
export const MAX_TOOL_ROUNDS = 5;
/** Failed passes in a row after which the agent says goodbye. */
const MAX_FAILED_PASSES = 3;
/** Names kept in `nodesVisited`; the oldest go first. */
const MAX_NODES_VISITED = 1000;

/** No key was pressed at this node. */
export const noKeys: KeysPressed = { digits: '', attempt: 0 };

/** What the engine is told with every event. */
export interface StepContext {
  /** Wall-clock time, ms since the Unix epoch: for templates. */
  readonly wallMs: number;
}

/** A reply being put together within one step: plain data, replaced and never changed. */
export interface Reply {
  readonly graph: WorkflowGraph;
  readonly wallMs: number;
  readonly state: WorkflowState;
  readonly actions: readonly WorkflowAction[];
  readonly spoken: string;
  readonly passesLeft: number;
  readonly toolRoundsLeft: number;
}

/** The node with this id. A compiled graph has it; a state of another graph may not. */
export const nodeAt = (graph: WorkflowGraph, id: string): GraphNode | undefined => (Object.hasOwn(graph.nodes, id) ? graph.nodes[id] : undefined);

/** The prompted node with this id, if it is one. */
export function promptedAt(graph: WorkflowGraph, id: string): PromptedNode | undefined {
  const node = nodeAt(graph, id);
  return node !== undefined && isPrompted(node) ? node : undefined;
}

const isPrompted = (node: GraphNode): node is PromptedNode => node.type === 'startCall' || node.type === 'agentNode' || node.type === 'endCall';

/** True where a caller's turn is answered: nobody is ending or handing over the call. */
export const isConversing = ({ phase }: WorkflowState): boolean =>
  phase.name === 'listening' || phase.name === 'delayed' || (phase.name === 'replying' && phase.then === 'listen');

/** The first edge whose condition holds. */
export const holdingEdge = (conditions: readonly ConditionalEdge[], variables: Variables): GraphEdge | undefined =>
  conditions.find(({ condition }) => isExpressionTrue(condition, variables))?.edge;

/** Nothing happens. */
export const stay = (state: WorkflowState): WorkflowStep => ({ state, actions: [] });

/** The reply's state with one entry of the conversation more. */
export const withEntry = (reply: Reply, entry: ConversationEntry): Reply => ({
  ...reply,
  state: { ...reply.state, conversation: appendEntry(reply.state.conversation, entry) },
});

/** The variables with one more or another value. */
export const withVariable = (variables: Variables, name: string, value: unknown): Variables =>
  Object.assign(Object.create(null) as Record<string, unknown>, variables, { [name]: value });

/** A new reply, with every pass still allowed. */
export const beginReply = (graph: WorkflowGraph, state: WorkflowState, { wallMs }: StepContext): Reply => ({
  graph,
  wallMs,
  state,
  actions: [],
  spoken: '',
  passesLeft: MAX_PASSES,
  toolRoundsLeft: MAX_TOOL_ROUNDS,
});

/** The reply in progress, taken up after the model's pass or its tools. */
export const resumeReply = (reply: Reply, phase: Extract<WorkflowPhase, { name: 'replying' }>, words: string): Reply => ({
  ...reply,
  spoken: `${phase.spoken} ${words}`.trim(),
  passesLeft: phase.passesLeft,
  toolRoundsLeft: phase.toolRoundsLeft,
});

/** Fills a template in with the run's variables. */
export const renderFor = (reply: Reply, template: Template): string => renderTemplate(template, reply.state.variables, reply.wallMs).trim();

/** Adds fixed words; nothing where they are empty. */
export function speak(reply: Reply, text: string, allowInterrupt: boolean): Reply {
  if (text.trim() === '') return reply;
  return { ...reply, actions: [...reply.actions, { type: 'say', text, allowInterrupt }], spoken: `${reply.spoken} ${text}`.trim() };
}

/** Adds fixed speech: its clip where that is there, else its text; the same reply where there is nothing. The conversation holds what the clip says. */
export function speakFixed(reply: Reply, speech: FixedSpeech | null, allowInterrupt: boolean): Reply {
  if (speech === null) return reply;
  const text = speech.text === null ? '' : renderFor(reply, speech.text);
  const clip = speech.kind === 'recording' ? reply.graph.clips[speech.recordingId] : undefined;
  if (clip === undefined) return speak(reply, text, allowInterrupt);
  const words = [clip.transcript.trim(), text].find((candidate) => candidate !== '') ?? `[Recording: ${clip.name}]`;
  const action: WorkflowAction = { type: 'say', text: words, allowInterrupt, clipId: clip.uuid };
  return { ...reply, actions: [...reply.actions, action], spoken: `${reply.spoken} ${words}`.trim() };
}

/** Moves to a node. */
export function enter(reply: Reply, node: GraphNode): Reply {
  const { state } = reply;
  return {
    ...reply,
    state: {
      ...state,
      nodeId: node.id,
      originId: isPrompted(node) ? node.id : state.originId,
      keys: noKeys,
      nodesVisited: [...state.nodesVisited.slice(1 - MAX_NODES_VISITED), node.name],
    },
    actions: [...reply.actions, { type: 'node-entered', nodeId: node.id, name: node.name }],
  };
}

/** Ends the step in a phase. */
const finish = ({ state, actions }: Reply, phase: WorkflowPhase): WorkflowStep => ({ state: { ...state, phase }, actions });

const replying = ({ passesLeft, toolRoundsLeft, spoken }: Reply, pending: 'model' | 'tools' | null) =>
  ({ name: 'replying', passesLeft, toolRoundsLeft, pending, spoken }) as const;

/** The reply ends with the caller's turn. */
export const thenListen = (reply: Reply): WorkflowStep => finish(reply, { ...replying(reply, null), then: 'listen' });

/** The reply ends the call. `isForced`: an interruption does not bring another goodbye. */
const thenHangUp = (reply: Reply, reason: HangUpReason, isForced: boolean): WorkflowStep =>
  finish(reply, { ...replying(reply, null), then: 'hang-up', reason, isForced });

/** The reply ends with a transfer. */
export const thenTransfer = (reply: Reply, transfer: TransferPlan): WorkflowStep =>
  finish(reply, { ...replying(reply, null), then: 'transfer', transfer });

/** The last words of the call, which nothing interrupts. */
export const sayGoodbye = (reply: Reply, text: string, reason: HangUpReason): WorkflowStep => thenHangUp(speak(reply, text, false), reason, true);

/** What the caller hears when a pass at this node fails (`apology`) or gives nothing. */
export function fallbackText({ graph, state, spoken }: Reply, node: PromptedNode, isFailure: boolean): string {
  if (node.type === 'endCall') return graph.texts.goodbye;
  if (state.conversation.length === 0 && spoken === '') return graph.texts.greeting;
  return isFailure ? graph.texts.apology : graph.texts.fallback;
}

/** A pass that gave the caller nothing: something is said instead; after too many in a row, goodbye. */
export function failPass(reply: Reply, node: PromptedNode, text: string): WorkflowStep {
  const failedPasses = reply.state.failedPasses + 1;
  const failed: Reply = { ...reply, state: { ...reply.state, failedPasses } };
  if (node.type === 'endCall') return sayGoodbye(failed, text, 'agent_hangup');
  if (failedPasses >= MAX_FAILED_PASSES) return sayGoodbye(failed, reply.graph.texts.vendor_error, 'vendor_error');
  return thenListen(speak(failed, text, node.allowInterrupt));
}

const passPrompts = {
  startCall: 'The call was answered. Greet the caller.',
  agentNode: 'It is your turn to speak.',
  endCall: 'Say your closing words now.',
} as const;

/**
 * Asks the model to speak at a node; without a pass left, fixed words do. At an endCall the call ends after them. `isArrival`: an edge
 * was just taken, for what the caller said or did; the model must not answer that with another one.
 */
export function askModel(reply: Reply, node: PromptedNode, { isArrival = false } = {}): WorkflowStep {
  if (reply.passesLeft <= 0) return failPass(reply, node, fallbackText(reply, node, false));
  const systemPrompt = renderSystemPrompt(node, reply.state.variables, reply.wallMs);
  const action: WorkflowAction = {
    type: 'ask-model',
    messages: modelMessages(systemPrompt, reply.state.conversation, { spoken: reply.spoken, prompt: passPrompts[node.type], isArrival }),
    tools: node.tools,
    allowInterrupt: node.allowInterrupt,
    fallbackText: fallbackText(reply, node, false),
    // Before a greeting or a goodbye nobody expects it, and where something was said already nobody needs it.
    filler: reply.spoken === '' && reply.state.conversation.length > 0 && node.type !== 'endCall' ? reply.graph.filler : null,
  };
  const asked: Reply = { ...reply, actions: [...reply.actions, action], passesLeft: reply.passesLeft - 1 };
  return whilePending(asked, node, 'model');
}

/** The reply goes on when the model, or tools, have reported; at an endCall the call ends after it. */
function whilePending(reply: Reply, node: PromptedNode, pending: 'model' | 'tools'): WorkflowStep {
  const phase = replying(reply, pending);
  return finish(
    reply,
    node.type === 'endCall' ? { ...phase, then: 'hang-up', reason: 'agent_hangup', isForced: false } : { ...phase, then: 'listen' },
  );
}

/** Keeps the reply open for the tools that run. `filler`: what the first of them has the caller told. */
export function awaitTools(reply: Reply, node: PromptedNode, filler: Filler | null): WorkflowStep {
  const action: WorkflowAction = {
    type: 'await-tools',
    // Where the model said that it will look, it need not be said again.
    filler: reply.spoken === '' ? filler : null,
    waitingText: reply.graph.texts.tool_waiting,
    allowInterrupt: node.allowInterrupt,
  };
  return whilePending({ ...reply, actions: [...reply.actions, action] }, node, 'tools');
}
