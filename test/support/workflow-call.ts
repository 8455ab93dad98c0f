import { compileWorkflow, type CompileOptions } from '../../src/workflow/compile.js';
import { deepFreeze } from '../../src/workflow/deep-freeze.js';
import type { WorkflowAction, WorkflowEvent, WorkflowState } from '../../src/workflow/engine.js';
import type { WorkflowGraph } from '../../src/workflow/graph.js';
import { startWorkflow, step } from '../../src/workflow/step.js';
import type { CallableTool } from '../../src/workflow/tools/callable-tool.js';

/** A tool as nodes name it: `uuid` is its function's name too. */
export const callableTool = (uuid: string, given: Partial<CallableTool> = {}): CallableTool => ({
  kind: 'test',
  uuid,
  declaration: {
    name: uuid,
    description: `Does ${uuid}.`,
    parameters: { type: 'object', properties: { order: { type: 'string' } }, required: ['order'], additionalProperties: false },
  },
  config: {},
  filler: null,
  ...given,
});

/** Tools as documents are compiled with them. */
export const toolsOf = (...tools: readonly CallableTool[]): ReadonlyMap<string, CallableTool> => new Map(tools.map((tool) => [tool.uuid ?? '', tool]));

type AskModel = Extract<WorkflowAction, { type: 'ask-model' }>;

/** 2026-01-01T09:05:00Z, a Thursday. */
export const testWallMs = Date.UTC(2026, 0, 1, 9, 5);

/** A node, as documents write it. */
export const node = (id: string, type: string, data: Record<string, unknown> = {}) => ({
  id,
  type,
  data: { name: id, ...(['startCall', 'agentNode', 'endCall'].includes(type) ? { prompt: `Prompt of ${id}.` } : {}), ...data },
});

/** An edge taken by the model; `data` overrides. */
export const edge = (source: string, target: string, data: Record<string, unknown> = {}, id = `${source}-${target}`) => ({
  id,
  source,
  target,
  data: { label: `Go to ${target}`, condition: `The caller wants ${target}.`, ...data },
});

/** Compiles a document that must be sound. */
export function graphOf(nodes: readonly unknown[], edges: readonly unknown[], options: CompileOptions = {}): WorkflowGraph {
  const result = compileWorkflow({ nodes, edges }, options);
  if (!result.ok) throw new Error(result.problems.map(({ id, field, message }) => `${id} ${field}: ${message}`).join('; '));
  return result.graph;
}

/** A call without audio: it keeps the engine's rules (workflow/engine.ts) and remembers what was heard. */
export interface WorkflowCall {
  readonly state: WorkflowState;
  /** Every action so far. */
  readonly actions: readonly WorkflowAction[];
  /** What the caller heard, reply by reply. */
  readonly heard: readonly string[];
  /** Words queued and not yet heard. */
  readonly queued: readonly string[];
  /** The pass in flight. */
  readonly pass: AskModel | null;
  send(event: WorkflowEvent): readonly WorkflowAction[];
  /** The caller speaks. */
  caller(text: string): readonly WorkflowAction[];
  /** The model's pass ends. */
  model(text: string, ...toolNames: string[]): readonly WorkflowAction[];
  modelFails(): readonly WorkflowAction[];
  /** The reply is heard to its end. */
  hear(): readonly WorkflowAction[];
  /** The reply is cut off after these words. */
  interrupt(heardText: string): readonly WorkflowAction[];
}

/** Starts a call that is not yet answered. */
export function createWorkflowCall(graph: WorkflowGraph, variables: Record<string, unknown> = {}): WorkflowCall {
  let state = deepFreeze(startWorkflow(graph, variables));
  let pass: AskModel | null = null;
  let turnId = 0;
  const actions: WorkflowAction[] = [];
  const heard: string[] = [];
  let queued: string[] = [];

  const send = (event: WorkflowEvent): readonly WorkflowAction[] => {
    const result = step(graph, state, deepFreeze(event), { wallMs: testWallMs });
    state = deepFreeze(result.state);
    actions.push(...result.actions);
    for (const action of result.actions) {
      if (action.type === 'say') queued.push(action.text);
      if (action.type === 'ask-model') pass = action;
    }
    return result.actions;
  };

  const finishPass = () => {
    if (pass === null) throw new Error('no pass in flight');
    pass = null;
  };

  return {
    get state() {
      return state;
    },
    get pass() {
      return pass;
    },
    get queued() {
      return queued;
    },
    actions,
    heard,
    send,
    caller(text) {
      turnId += 1;
      return send({ type: 'caller-turn', text, turnId });
    },
    model(text, ...toolNames) {
      finishPass();
      if (text.trim() !== '') queued.push(text.trim());
      const toolCalls = toolNames.map((name, index) => ({ id: `call-${index}`, name, argumentsJson: '{"order":"5"}' }));
      return send({ type: 'model-finished', text, toolCalls });
    },
    modelFails() {
      finishPass();
      return send({ type: 'model-failed' });
    },
    hear() {
      const text = queued.join(' ');
      queued = [];
      heard.push(text);
      return send({ type: 'reply-heard', heardText: text, isInterrupted: false });
    },
    interrupt(heardText) {
      queued = [];
      pass = null;
      if (heardText !== '') heard.push(heardText);
      return send({ type: 'reply-heard', heardText, isInterrupted: true });
    },
  };
}
