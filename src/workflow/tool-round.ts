import { isTransferDestination } from '../base/transfer-destination.js';
import type { ModelToolCall } from '../speech/language-model.js';
import type { RefusedCall, ToolBatch, ToolCall, ToolFollowUp, ToolResult, WorkflowEvent, WorkflowState, WorkflowStep } from './engine.js';
import type { GraphEdge, PromptedNode } from './graph.js';
import {
  askModel,
  awaitTools,
  failPass,
  fallbackText,
  MAX_PASSES,
  promptedAt,
  resumeReply,
  sayGoodbye,
  speak,
  stay,
  thenListen,
  thenTransfer,
  withEntry,
  withVariable,
  type Reply,
} from './reply.js';
import { readArguments } from './tools/arguments.js';
import type { Filler } from './tools/callable-tool.js';
import { takeEdge } from './transition.js';
import { withoutVariables } from './variables.js';

/** Calls of one round that are run. */
const MAX_CALLS_PER_ROUND = 8;
/** Calls of tools in one run. */
const MAX_TOOL_CALLS = 200;
/** Batches that run at once: a caller who presses keys leaves some behind. */
const MAX_RUNNING_BATCHES = 4;
/** Longest name that is told back to the model, characters. */
const MAX_TOLD_NAME_LENGTH = 64;

const refusal = (toolCallId: string, text: string): ToolResult => ({ toolCallId, text: `Error: ${text}.`, isError: true });

/** What nobody carries out is noted: every function that the model called comes to a result, or is the edge that is taken. */
export function refuseCalls(reply: Reply, calls: readonly ModelToolCall[], reasonOf: (call: ModelToolCall) => string): Reply {
  return noteRefusals(reply, calls.map((call) => ({ name: call.name, result: refusal(call.id, reasonOf(call)) })));
}

const noteRefusals = (reply: Reply, refusals: readonly RefusedCall[]): Reply =>
  refusals.length === 0 ? reply : { ...reply, actions: [...reply.actions, { type: 'calls-refused', refusals }] };

/** Told of a function that a node does not have. */
export const unknownFunction = ({ name }: ModelToolCall): string => `there is no function "${name.slice(0, MAX_TOLD_NAME_LENGTH)}" here`;

/** True where the pass called tools, or functions that do not exist at a node with tools: the model is to be answered. */
export const asksForTools = (node: PromptedNode, calls: readonly ModelToolCall[]): boolean =>
  calls.length > 0 && Object.keys(node.callables).length > 0;

/** Vendors tie results to calls by id: one that came before, or none, gets another. */
function withOwnIds(calls: readonly ModelToolCall[], { conversation, tools }: WorkflowState): readonly ModelToolCall[] {
  const former = conversation.flatMap((entry) => (entry.role === 'agent' ? (entry.toolCalls ?? []) : []));
  const used = new Set([...former, ...tools.running.flatMap((batch) => batch.calls)].map(({ id }) => id));
  return calls.map((call, index) => {
    const id = call.id === '' || used.has(call.id) ? `call_${tools.batchCount + 1}_${index + 1}` : call.id;
    used.add(id);
    return id === call.id ? call : { ...call, id };
  });
}

/** The call ready to run, or why it is not. */
function readCall(node: PromptedNode, call: ModelToolCall, isTooMany: boolean): ToolCall | ToolResult {
  const tool = Object.hasOwn(node.callables, call.name) ? node.callables[call.name] : undefined;
  if (tool === undefined) return refusal(call.id, unknownFunction(call));
  if (isTooMany) return refusal(call.id, 'too many calls; it was not carried out');
  const given = readArguments(tool.declaration, call.argumentsJson);
  return given.ok ? { id: call.id, tool, arguments: given.values } : refusal(call.id, given.message);
}

const isReady = (read: ToolCall | ToolResult): read is ToolCall => 'tool' in read;
const isRefused = (read: ToolCall | ToolResult): read is ToolResult => !isReady(read);

/** What a call came to, with what nobody carried out said so. */
function toldOf(result: ToolResult, isCurrent: boolean): ToolResult {
  const { followUp, toolCallId } = result;
  if (followUp === undefined) return result;
  if (!isCurrent) return refusal(toolCallId, 'not carried out, because the caller said something else meanwhile');
  if (followUp.type === 'transfer' && !isTransferDestination(followUp.transfer.destination))
    return refusal(toolCallId, 'the destination is not a number or SIP address');
  return result;
}

/** The conversation with calls and results, together: a call never stands there without its result. */
function withResults(reply: Reply, calls: readonly ModelToolCall[], results: readonly ToolResult[]): Reply {
  const called = withEntry(reply, { role: 'agent', text: '', isInterrupted: false, toolCalls: calls });
  return calls.reduce((told, { id, name }) => {
    const result = results.find(({ toolCallId }) => toolCallId === id) ?? refusal(id, 'it was not carried out');
    return withEntry(told, { role: 'tool', toolCallId: id, toolName: name, result: result.text });
  }, called);
}

/** One more pass, which the round pays for. */
const answerResults = (reply: Reply, node: PromptedNode): WorkflowStep =>
  askModel({ ...reply, passesLeft: Math.min(MAX_PASSES, reply.passesLeft + 1) }, node);

/**
 * A pass called tools. What cannot be run is told to the model as a result. An edge of the same pass is taken when the tools are done, so
 * that the node it leads to knows what they found; where nothing can be run, at once.
 */
export function beginTools(reply: Reply, node: PromptedNode, given: readonly ModelToolCall[], edge: GraphEdge | undefined): WorkflowStep {
  if (reply.toolRoundsLeft <= 0) {
    const refusing = refuseCalls(reply, given, () => 'too many rounds of calls; it was not carried out');
    return edge === undefined ? failPass(refusing, node, fallbackText(refusing, node, false)) : takeEdge(refusing, edge, false);
  }
  const { tools } = reply.state;
  const calls = withOwnIds(given, reply.state);
  const room = tools.running.length < MAX_RUNNING_BATCHES ? Math.min(MAX_CALLS_PER_ROUND, MAX_TOOL_CALLS - tools.callCount) : 0;
  const read = calls.map((call, index) => readCall(node, call, index >= room));
  const [ready, refused] = [read.filter(isReady), read.filter(isRefused)];
  const id = tools.batchCount + 1;
  const counted: Reply = { ...reply, toolRoundsLeft: reply.toolRoundsLeft - 1, state: { ...reply.state, tools: { ...tools, batchCount: id } } };
  const round = noteRefusals(counted, refused.map((result) => ({ name: calls.find(({ id }) => id === result.toolCallId)?.name ?? '', result })));
  if (ready.length === 0) return edge === undefined ? answerResults(withResults(round, calls, refused), node) : takeEdge(round, edge, false);
  const batch: ToolBatch = { id, nodeId: node.id, calls, refused, edgeId: edge?.id ?? null, isOvertaken: false };
  const begun: Reply = {
    ...round,
    state: { ...round.state, tools: { callCount: tools.callCount + ready.length, batchCount: id, running: [...tools.running, batch] } },
    actions: [...round.actions, { type: 'call-tools', batchId: id, calls: ready, variables: withoutVariables(reply.state.variables, reply.graph.sensitiveVariables) }],
  };
  return awaitTools(begun, node, fillerOf(node, calls));
}

const fillerOf = (node: PromptedNode, calls: readonly ModelToolCall[]): Filler | null =>
  calls.map(({ name }) => node.callables[name]?.filler ?? null).find((filler) => filler !== null) ?? null;

/** The caller has gone on: tools that run are finished, but nothing follows from them but their results. */
export function overtakeTools(state: WorkflowState): WorkflowState {
  if (state.tools.running.length === 0) return state;
  return { ...state, tools: { ...state.tools, running: state.tools.running.map((batch) => ({ ...batch, isOvertaken: true })) } };
}

/** The caller spoke while tools run: both are answered together. */
export function answerAfterTools(reply: Reply, node: PromptedNode): WorkflowStep {
  return awaitTools(reply, node, fillerOf(node, reply.state.tools.running.flatMap(({ calls }) => calls)));
}

/** True where a result came after the last words: the caller is owed an answer. */
export const owesAnswer = ({ conversation, tools }: WorkflowState): boolean => conversation.at(-1)?.role === 'tool' && tools.running.length === 0;

const withDisposition = (reply: Reply, disposition: string | undefined): Reply =>
  disposition === undefined ? reply : { ...reply, state: { ...reply.state, variables: withVariable(reply.state.variables, 'call_disposition', disposition) } };

function carryOut(reply: Reply, node: PromptedNode, followUp: ToolFollowUp): WorkflowStep {
  const { texts } = reply.graph;
  const wordsOr = (standard: string) => (followUp.type === 'play-tones' || followUp.text.trim() === '' ? (reply.spoken === '' ? standard : '') : followUp.text);
  switch (followUp.type) {
    case 'hang-up':
      return sayGoodbye(withDisposition(reply, followUp.disposition), wordsOr(texts.goodbye), 'agent_hangup');
    case 'transfer':
      return thenTransfer(speak(reply, wordsOr(texts.transfer), false), followUp.transfer);
    case 'play-tones':
      return answerResults({ ...reply, actions: [...reply.actions, { ...followUp, allowInterrupt: node.allowInterrupt }] }, node);
  }
}

/** Tools reported: the model is told, and what they lead to happens where the caller has not gone on meanwhile. */
export function finishTools(reply: Reply, event: Extract<WorkflowEvent, { type: 'tools-finished' }>): WorkflowStep {
  const { state } = reply;
  const { phase, tools } = state;
  const batch = tools.running.find(({ id }) => id === event.batchId);
  if (batch === undefined) return stay(state);
  const running = tools.running.filter((other) => other !== batch);
  const isAwaited = phase.name === 'replying' && phase.pending === 'tools';
  const isCurrent = isAwaited && !batch.isOvertaken && batch.nodeId === state.nodeId;
  const results = [...batch.refused, ...event.results.map((result) => toldOf(result, isCurrent))];
  const told = withResults({ ...reply, state: { ...state, tools: { ...tools, running } } }, batch.calls, results);
  if (!isAwaited) return stay(told.state);
  const node = promptedAt(reply.graph, state.nodeId);
  const resumed = resumeReply(told, phase, '');
  if (node === undefined) return thenListen(speak(resumed, reply.graph.texts.fallback, true));
  const followUp = results.find((result) => result.followUp !== undefined)?.followUp;
  if (followUp !== undefined) return carryOut(resumed, node, followUp);
  if (running.length > 0) return stay(told.state);
  const edge = isCurrent ? Object.values(node.edgesByTool).find(({ id }) => id === batch.edgeId) : undefined;
  return edge === undefined ? answerResults(resumed, node) : takeEdge(resumed, edge, false);
}
