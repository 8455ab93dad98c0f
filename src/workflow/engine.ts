import type { ModelMessage, ModelTool, ModelToolCall } from '../speech/language-model.js';

/** Variables of the run: initial context overlaid by what was gathered. Null-prototype; no prototype keys. */
export type Variables = Readonly<Record<string, unknown>>;

/** One entry of the conversation. Agent entries hold what was heard, not what was generated. */
export type ConversationEntry =
  | { readonly role: 'caller'; readonly text: string; readonly turnId: number }
  | { readonly role: 'agent'; readonly text: string; readonly isInterrupted: boolean; readonly toolCalls?: readonly ModelToolCall[] }
  | { readonly role: 'tool'; readonly toolCallId: string; readonly toolName: string; readonly result: string }
  /** A note to the model that nobody said, such as "the caller has been silent". */
  | { readonly role: 'note'; readonly text: string };

/** What the engine is waiting for. */
export type WorkflowPhase =
  | { readonly name: 'not-started' }
  /** The agent speaks fixed words or the model is asked; `passesLeft` bounds chains of model passes without a caller's turn. */
  | { readonly name: 'replying'; readonly passesLeft: number; readonly then: 'listen' | 'hang-up' | 'transfer' }
  | { readonly name: 'listening' }
  | { readonly name: 'transferring' }
  | { readonly name: 'ended' };

/** The whole state of one run's workflow: plain data, replayable from the run's events. */
export interface WorkflowState {
  readonly nodeId: string;
  readonly phase: WorkflowPhase;
  readonly nodesVisited: readonly string[];
  readonly variables: Variables;
  readonly conversation: readonly ConversationEntry[];
}

/** What happens to the workflow. */
export type WorkflowEvent =
  | { readonly type: 'call-started' }
  /** The caller's turn is over. */
  | { readonly type: 'caller-turn'; readonly text: string; readonly turnId: number }
  /** The model's pass is over: what it generated and which functions it called, in order. Speech may still be playing. */
  | { readonly type: 'model-finished'; readonly text: string; readonly toolCalls: readonly ModelToolCall[] }
  /** The model failed or gave nothing. */
  | { readonly type: 'model-failed' }
  /** All queued speech of the reply has been heard, or was cut off after `heardText`. */
  | { readonly type: 'reply-heard'; readonly heardText: string; readonly isInterrupted: boolean }
  | { readonly type: 'dtmf-received'; readonly digit: string }
  /** The caller has been silent for the idle time-out, for the `count`th time in a row. */
  | { readonly type: 'caller-idle'; readonly count: number }
  | { readonly type: 'transfer-failed'; readonly reason: string }
  /** The call must end: maximum duration, quota, drain. The engine says goodbye first. */
  | { readonly type: 'end-requested'; readonly reason: 'max_duration' | 'quota_exceeded' | 'drained' | 'operator_hangup' };

/** What the shell must do, in order. */
export type WorkflowAction =
  /** Speak fixed words. `isFinal`: nothing follows in this reply. */
  | { readonly type: 'say'; readonly text: string; readonly allowInterrupt: boolean }
  /** Ask the model and speak what it streams. */
  | {
      readonly type: 'ask-model';
      readonly messages: readonly ModelMessage[];
      readonly tools: readonly ModelTool[];
      readonly allowInterrupt: boolean;
      /** What to say if the model gives nothing speakable, so that the caller always hears something. */
      readonly fallbackText: string;
    }
  /** Hang up once everything said was heard. */
  | { readonly type: 'hang-up'; readonly reason: 'agent_hangup' | 'idle_timeout' | 'max_duration' | 'quota_exceeded' | 'drained' | 'operator_hangup' }
  /** Transfer once everything said was heard. */
  | { readonly type: 'transfer'; readonly destination: string; readonly mode: 'cold' | 'warm'; readonly timeoutSeconds: number }
  | { readonly type: 'node-entered'; readonly nodeId: string; readonly name: string };

/** The result of one step. */
export interface WorkflowStep {
  readonly state: WorkflowState;
  readonly actions: readonly WorkflowAction[];
}
