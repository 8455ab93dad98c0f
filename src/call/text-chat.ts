import type { Clock } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { LanguageModel, ModelToolCall } from '../speech/language-model.js';
import type { Retrieval, ExtractionRequest, ToolCall, ToolResult, Variables, WorkflowAction, WorkflowEvent, WorkflowState } from '../workflow/engine.js';
import { extractionOf } from '../workflow/extraction.js';
import type { WorkflowGraph } from '../workflow/graph.js';
import { startWorkflow, step } from '../workflow/step.js';
import { streamModelPass } from '../speech/model-pass.js';
import { collectVariables } from './chat-extraction.js';
import { passLimits } from './reply.js';
import type { ToolRunner } from './tools/run-tool.js';

/** Steps of the engine one input may cause; a sound document needs a handful. */
const MAX_STEPS = 200;

/** What happens on the caller's side of a chat. */
export type ChatInput =
  | { readonly type: 'say'; readonly text: string }
  /** Keys of a phone, one after the other. */
  | { readonly type: 'press'; readonly digits: string }
  /** The caller says nothing for the idle time-out. */
  | { readonly type: 'stay-silent' }
  /** Nobody takes the call where it was transferred to. */
  | { readonly type: 'fail-transfer'; readonly reason: string };

/** What an input led to, in order. */
export type ChatEvent =
  | { readonly type: 'agent-said'; readonly text: string }
  | { readonly type: 'node-entered'; readonly nodeId: string; readonly name: string }
  | { readonly type: 'tool-called'; readonly name: string; readonly argumentsJson: string }
  | { readonly type: 'tool-finished'; readonly name: string; readonly result: string; readonly isError: boolean; readonly durationMs: number }
  /** As a chat begins, of each MCP server. */
  | { readonly type: 'functions-listed'; readonly toolUuid: string; readonly count: number }
  | { readonly type: 'tool-server-failed'; readonly toolUuid: string; readonly code: string; readonly message: string }
  /** A search of documents; what it found stands in its result. */
  | ({ readonly type: 'knowledge-retrieved' } & Pick<Retrieval, 'citations' | 'ranking'>)
  /** Why that search went by words alone. */
  | ({ readonly type: 'embedding-failed' } & NonNullable<Retrieval['failure']>)
  | { readonly type: 'tones-played'; readonly digits: string }
  /** Collected from the conversation; `problems`: what could not be read as the declared type. */
  | {
      readonly type: 'variables-extracted';
      readonly nodeId: string;
      readonly values: Variables;
      readonly problems: readonly { readonly name: string; readonly message: string }[];
    }
  | { readonly type: 'extraction-failed'; readonly nodeId: string; readonly code: string; readonly message: string }
  | { readonly type: 'model-failed'; readonly code: string; readonly message: string }
  | { readonly type: 'transfer-requested'; readonly destination: string; readonly mode: 'cold' | 'warm' }
  | { readonly type: 'ended'; readonly reason: string };

/** A chat between two inputs: plain data. Going on from an older one replays the chat from there. */
export interface ChatSnapshot {
  readonly workflow: WorkflowState;
  readonly turnId: number;
  /** Silences in a row. */
  readonly idleCount: number;
}

/** What the engine was told, and when: enough to bring a chat back without asking anyone again ({@link rebuildChat}). */
export interface RecordedStep {
  readonly event: WorkflowEvent;
  readonly wallMs: number;
}

/** A chat after an input. */
export interface ChatStep {
  readonly snapshot: ChatSnapshot;
  readonly events: readonly ChatEvent[];
  /** The engine's events of this input, in order. */
  readonly steps: readonly RecordedStep[];
}

/** What a chat runs with. */
export interface ChatPorts {
  readonly graph: WorkflowGraph;
  readonly model: LanguageModel;
  readonly clock: Clock;
  /** Ends the chat's requests to the model, and its tools. */
  readonly signal: AbortSignal;
  /** Default: no tool can be used. */
  readonly tools?: Pick<ToolRunner, 'run'> | undefined;
}

/**
 * Begins a conversation with an agent in writing: the engine of a call without audio, every word heard as soon as it is said.
 * `variables` are the run's initial context.
 * @throws AgentStreamError `internal-error` where the document never comes to rest; the signal's reason on abort
 */
export function startChat(variables: Readonly<Record<string, unknown>>, ports: ChatPorts): Promise<ChatStep> {
  return new ChatRun(emptyChat(ports.graph, variables), ports).feed({ type: 'call-started' });
}

/**
 * Goes on with a conversation. Inputs after its end change nothing.
 * @throws AgentStreamError as {@link startChat}
 */
export async function continueChat(snapshot: ChatSnapshot, input: ChatInput, ports: ChatPorts): Promise<ChatStep> {
  const advanced = counted(snapshot, input);
  const run = new ChatRun(advanced, ports);
  switch (input.type) {
    case 'say':
      return run.feed({ type: 'caller-turn', text: input.text, turnId: advanced.turnId });
    case 'press':
      for (const digit of input.digits) await run.feed({ type: 'dtmf-received', digit });
      // No more keys come: what there is counts.
      return run.result.snapshot.workflow.keys.digits === '' ? run.result : run.feed({ type: 'timer-fired' });
    case 'stay-silent':
      return run.feed({ type: 'caller-idle', count: advanced.idleCount });
    case 'fail-transfer':
      return run.feed({ type: 'transfer-failed', reason: input.reason });
  }
}

/**
 * The chat as it was after these turns, from what the engine was told then: no model is asked and no tool runs. The first turn is the
 * opening, without an input.
 */
export function rebuildChat(
  graph: WorkflowGraph,
  variables: Readonly<Record<string, unknown>>,
  turns: readonly { readonly input: ChatInput | null; readonly steps: readonly RecordedStep[] }[],
): ChatSnapshot {
  return turns.reduce((snapshot, { input, steps }) => {
    const advanced = input === null ? snapshot : counted(snapshot, input);
    const workflow = steps.reduce((state, { event, wallMs }) => step(graph, state, event, { wallMs }).state, advanced.workflow);
    return { ...advanced, workflow };
  }, emptyChat(graph, variables));
}

const emptyChat = (graph: WorkflowGraph, variables: Readonly<Record<string, unknown>>): ChatSnapshot => ({
  workflow: startWorkflow(graph, variables),
  turnId: 0,
  idleCount: 0,
});

/** What an input counts as, whatever it leads to. */
function counted(snapshot: ChatSnapshot, { type }: ChatInput): ChatSnapshot {
  switch (type) {
    case 'say':
      return { ...snapshot, turnId: snapshot.turnId + 1, idleCount: 0 };
    case 'press':
      return { ...snapshot, idleCount: 0 };
    case 'stay-silent':
      return { ...snapshot, idleCount: snapshot.idleCount + 1 };
    case 'fail-transfer':
      return snapshot;
  }
}

/** True where no input changes anything any more. */
export const hasEnded = ({ workflow }: ChatSnapshot): boolean => workflow.phase.name === 'ended';

const unusable = ({ id }: ToolCall): ToolResult => ({ toolCallId: id, text: 'Error: tools cannot be used here.', isError: true });

/** One input on its way through the engine. */
class ChatRun {
  readonly #ports: ChatPorts;
  readonly #events: ChatEvent[] = [];
  readonly #snapshot: ChatSnapshot;
  #state: WorkflowState;
  /** Words of the reply in progress. */
  #spoken: string[] = [];
  readonly #steps: RecordedStep[] = [];
  /** What nodes that were left want to know. */
  #asked: ExtractionRequest[] = [];

  constructor(snapshot: ChatSnapshot, ports: ChatPorts) {
    this.#snapshot = snapshot;
    this.#state = snapshot.workflow;
    this.#ports = ports;
  }

  get result(): ChatStep {
    return { snapshot: { ...this.#snapshot, workflow: this.#state }, events: this.#events, steps: this.#steps };
  }

  async feed(event: WorkflowEvent): Promise<ChatStep> {
    if (this.#state.phase.name === 'ended') return this.result;
    await this.#perform(this.#step(event));
    // Everything said is heard at once; what that leads to may say more.
    while (this.#state.phase.name === 'replying') {
      const heardText = this.#spoken.join(' ');
      this.#spoken = [];
      await this.#perform(this.#step({ type: 'reply-heard', heardText, isInterrupted: false }));
    }
    await this.#collectVariables();
    return this.result;
  }

  #step(event: WorkflowEvent): readonly WorkflowAction[] {
    if (this.#steps.length >= MAX_STEPS) throw new AgentStreamError('internal-error', { message: 'The workflow does not come to rest' });
    const wallMs = this.#ports.clock.wallMs();
    this.#steps.push({ event, wallMs });
    const { state, actions } = step(this.#ports.graph, this.#state, event, { wallMs });
    this.#state = state;
    return actions;
  }

  async #perform(actions: readonly WorkflowAction[]): Promise<void> {
    const queue = [...actions];
    for (let action = queue.shift(); action !== undefined; action = queue.shift()) {
      if (action.type === 'ask-model') queue.push(...(await this.#askModel(action)));
      else if (action.type === 'call-tools') queue.push(...(await this.#callTools(action)));
      else this.#note(action);
    }
  }

  #note(action: Exclude<WorkflowAction, { type: 'ask-model' | 'call-tools' }>): void {
    switch (action.type) {
      case 'say':
        return this.#say(action.text);
      case 'node-entered':
        return void this.#events.push(action);
      case 'transfer':
        return void this.#events.push({ type: 'transfer-requested', destination: action.destination, mode: action.mode });
      case 'hang-up':
        return void this.#events.push({ type: 'ended', reason: action.reason });
      case 'extract-variables':
        return void this.#asked.push(action.request);
      case 'play-tones':
        return void this.#events.push({ type: 'tones-played', digits: action.digits });
      case 'calls-refused':
        return action.refusals.forEach(({ name, result }) => this.#events.push({ type: 'tool-finished', name, result: result.text, isError: true, durationMs: 0 }));
      case 'await-tools':
      case 'set-timer':
      case 'cancel-timer':
      case 'set-silence-limit':
      case 'stop-speech':
      case 'cancel-transfer':
        // A chat has no time and no speech: silence is an input.
        return;
    }
  }

  #say(text: string): void {
    if (text.trim() === '') return;
    this.#spoken.push(text.trim());
    this.#events.push({ type: 'agent-said', text: text.trim() });
  }

  /** What a call learns in the background, and after its end or its handover; here the next turn waits for it. */
  async #collectVariables(): Promise<void> {
    const { graph, clock } = this.#ports;
    const { phase } = this.#state;
    const last = phase.name === 'ended' || phase.name === 'transferring' ? extractionOf(graph, this.#state, clock.wallMs()) : null;
    const requests = last === null ? this.#asked : [...this.#asked, last];
    this.#asked = [];
    if (requests.length === 0) return;
    for (const result of await collectVariables(requests, this.#ports)) {
      if ('error' in result) {
        const { code, message } = result.error;
        this.#events.push({ type: 'extraction-failed', nodeId: result.nodeId, code, message });
        continue;
      }
      const { values, problems } = result.extraction;
      this.#step({ type: 'variables-learned', values });
      this.#events.push({ type: 'variables-extracted', nodeId: result.nodeId, values, problems });
    }
  }

  async #callTools({ batchId, calls, variables }: Extract<WorkflowAction, { type: 'call-tools' }>): Promise<readonly WorkflowAction[]> {
    const { signal, tools, clock } = this.#ports;
    const runOne = async (call: ToolCall) => {
      const startMs = clock.nowMs();
      const result = tools === undefined ? unusable(call) : await tools.run(call, { signal, variables });
      return { name: call.tool.declaration.name, result, durationMs: Math.round(clock.nowMs() - startMs) };
    };
    const finished = await Promise.all(calls.map(runOne));
    signal.throwIfAborted();
    for (const { name, result, durationMs } of finished) {
      const { text, isError, retrieval } = result;
      this.#events.push({ type: 'tool-finished', name, result: text, isError, durationMs });
      if (retrieval === undefined) continue;
      const { failure, citations, ranking } = retrieval;
      if (failure !== null) this.#events.push({ type: 'embedding-failed', ...failure });
      this.#events.push({ type: 'knowledge-retrieved', ranking, citations });
    }
    return this.#step({ type: 'tools-finished', batchId, results: finished.map(({ result }) => result) });
  }

  async #askModel(action: Extract<WorkflowAction, { type: 'ask-model' }>): Promise<readonly WorkflowAction[]> {
    const { model, signal } = this.#ports;
    const toolCalls: ModelToolCall[] = [];
    let text = '';
    let hasFailed = false;
    try {
      const request = { messages: action.messages, tools: action.tools, signal, maxOutputTokens: passLimits.outputTokens };
      for await (const part of streamModelPass(model, request)) {
        if (part.type === 'text-delta') text += part.text;
        else if (part.type === 'tool-call') toolCalls.push(part.toolCall);
        if (text.length >= passLimits.chars || toolCalls.length >= passLimits.toolCalls) break;
      }
    } catch (error) {
      signal.throwIfAborted();
      const { code, message } = toAgentStreamError(error, 'vendor-failed');
      this.#events.push({ type: 'model-failed', code, message });
      hasFailed = true;
    }
    this.#say(text);
    for (const { name, argumentsJson } of toolCalls) this.#events.push({ type: 'tool-called', name, argumentsJson });
    const isLost = hasFailed && text.trim() === '' && toolCalls.length === 0;
    return this.#step(isLost ? { type: 'model-failed' } : { type: 'model-finished', text, toolCalls });
  }
}
