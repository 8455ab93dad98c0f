import type { Clock } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { LanguageModel, ModelToolCall } from '../speech/language-model.js';
import type { WorkflowAction, WorkflowEvent, WorkflowState } from '../workflow/engine.js';
import type { WorkflowGraph } from '../workflow/graph.js';
import { startWorkflow, step } from '../workflow/step.js';
import { streamModelPass } from '../speech/model-pass.js';
import { passLimits } from './reply.js';

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

/** A chat after an input. */
export interface ChatStep {
  readonly snapshot: ChatSnapshot;
  readonly events: readonly ChatEvent[];
}

/** What a chat runs with. */
export interface ChatPorts {
  readonly graph: WorkflowGraph;
  readonly model: LanguageModel;
  readonly clock: Pick<Clock, 'wallMs'>;
  /** Ends the chat's requests to the model. */
  readonly signal: AbortSignal;
}

/**
 * Begins a conversation with an agent in writing: the engine of a call without audio, every word heard as soon as it is said.
 * `variables` are the run's initial context.
 * @throws AgentStreamError `internal-error` where the document never comes to rest; the signal's reason on abort
 */
export function startChat(variables: Readonly<Record<string, unknown>>, ports: ChatPorts): Promise<ChatStep> {
  const snapshot: ChatSnapshot = { workflow: startWorkflow(ports.graph, variables), turnId: 0, idleCount: 0 };
  return new ChatRun(snapshot, ports).feed({ type: 'call-started' });
}

/**
 * Goes on with a conversation. Inputs after its end change nothing.
 * @throws AgentStreamError as {@link startChat}
 */
export async function continueChat(snapshot: ChatSnapshot, input: ChatInput, ports: ChatPorts): Promise<ChatStep> {
  switch (input.type) {
    case 'say': {
      const turnId = snapshot.turnId + 1;
      return new ChatRun({ ...snapshot, turnId, idleCount: 0 }, ports).feed({ type: 'caller-turn', text: input.text, turnId });
    }
    case 'press': {
      const run = new ChatRun({ ...snapshot, idleCount: 0 }, ports);
      for (const digit of input.digits) await run.feed({ type: 'dtmf-received', digit });
      // No more keys come: what there is counts.
      return run.result.snapshot.workflow.keys.digits === '' ? run.result : run.feed({ type: 'timer-fired' });
    }
    case 'stay-silent': {
      const idleCount = snapshot.idleCount + 1;
      return new ChatRun({ ...snapshot, idleCount }, ports).feed({ type: 'caller-idle', count: idleCount });
    }
    case 'fail-transfer':
      return new ChatRun(snapshot, ports).feed({ type: 'transfer-failed', reason: input.reason });
  }
}

/** True where no input changes anything any more. */
export const hasEnded = ({ workflow }: ChatSnapshot): boolean => workflow.phase.name === 'ended';

/** One input on its way through the engine. */
class ChatRun {
  readonly #ports: ChatPorts;
  readonly #events: ChatEvent[] = [];
  readonly #snapshot: ChatSnapshot;
  #state: WorkflowState;
  /** Words of the reply in progress. */
  #spoken: string[] = [];
  #steps = 0;

  constructor(snapshot: ChatSnapshot, ports: ChatPorts) {
    this.#snapshot = snapshot;
    this.#state = snapshot.workflow;
    this.#ports = ports;
  }

  get result(): ChatStep {
    return { snapshot: { ...this.#snapshot, workflow: this.#state }, events: this.#events };
  }

  async feed(event: WorkflowEvent): Promise<ChatStep> {
    await this.#perform(this.#step(event));
    // Everything said is heard at once; what that leads to may say more.
    while (this.#state.phase.name === 'replying') {
      const heardText = this.#spoken.join(' ');
      this.#spoken = [];
      await this.#perform(this.#step({ type: 'reply-heard', heardText, isInterrupted: false }));
    }
    return this.result;
  }

  #step(event: WorkflowEvent): readonly WorkflowAction[] {
    this.#steps += 1;
    if (this.#steps > MAX_STEPS) throw new AgentStreamError('internal-error', { message: 'The workflow does not come to rest' });
    const { state, actions } = step(this.#ports.graph, this.#state, event, { wallMs: this.#ports.clock.wallMs() });
    this.#state = state;
    return actions;
  }

  async #perform(actions: readonly WorkflowAction[]): Promise<void> {
    const queue = [...actions];
    for (let action = queue.shift(); action !== undefined; action = queue.shift()) {
      if (action.type === 'ask-model') queue.push(...(await this.#askModel(action)));
      else this.#note(action);
    }
  }

  #note(action: Exclude<WorkflowAction, { type: 'ask-model' }>): void {
    switch (action.type) {
      case 'say':
        return this.#say(action.text);
      case 'node-entered':
        return void this.#events.push(action);
      case 'transfer':
        return void this.#events.push({ type: 'transfer-requested', destination: action.destination, mode: action.mode });
      case 'hang-up':
        return void this.#events.push({ type: 'ended', reason: action.reason });
      case 'set-timer':
      case 'cancel-timer':
      case 'set-silence-limit':
      case 'stop-speech':
      case 'cancel-transfer':
      case 'extract-variables':
        // A chat has no time, no speech and no background: silence is an input, and variables are not collected.
        return;
    }
  }

  #say(text: string): void {
    if (text.trim() === '') return;
    this.#spoken.push(text.trim());
    this.#events.push({ type: 'agent-said', text: text.trim() });
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
