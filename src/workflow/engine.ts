import type { ModelMessage, ModelTool, ModelToolCall } from '../speech/language-model.js';
import type { CallableTool, Filler } from './tools/callable-tool.js';

/**
 * The contract between the workflow engine (step.ts, pure) and the call that runs it.
 *
 * A *reply* begins with the first `say` or `ask-model` and ends with one `reply-heard`; the speech of its actions is played in order.
 * The call keeps these rules:
 * - An uninterrupted `reply-heard` is sent once every action of the reply is done: the model's pass reported, all speech played.
 * - An interruption aborts the pass in flight and drops the rest. Then `reply-heard` with `isInterrupted`, also where nothing was
 *   heard, and no `model-finished` of the aborted pass.
 * - `caller-turn`, `transfer-failed`, `end-requested`, and a `dtmf-received` or `timer-fired` that takes an edge begin a new reply. Sent while
 *   one is in progress they count as its end: the pass in flight is aborted and not reported. End it with `reply-heard` first where it can be.
 * - There is one timer: `set-timer` replaces the one that runs. Actions that need no speech (timer, silence limit, `stop-speech`,
 *   `cancel-transfer`) are carried out at once.
 * - `hang-up` and `transfer` come once the words before them were heard; `hang-up` is the last action of a run.
 * - `call-tools` begins at once and is reported by one `tools-finished`, whatever becomes of the reply: an interruption stops the words, not
 *   the tools. `await-tools` keeps the reply open until then; what the report leads to belongs to the same reply.
 */

/** Variables of the run: initial context overlaid by what was gathered. Null-prototype; no prototype keys. */
export type Variables = Readonly<Record<string, unknown>>;

/** One entry of the conversation. Agent entries hold what was heard, not what was generated. */
export type ConversationEntry =
  | { readonly role: 'caller'; readonly text: string; readonly turnId: number }
  | { readonly role: 'agent'; readonly text: string; readonly isInterrupted: boolean; readonly toolCalls?: readonly ModelToolCall[] }
  | { readonly role: 'tool'; readonly toolCallId: string; readonly toolName: string; readonly result: string }
  /** A note to the model that nobody said, such as "the caller has been silent". */
  | { readonly role: 'note'; readonly text: string };

/** Why the engine hangs up. `vendor_error`: the language model failed too often in a row. */
export type HangUpReason =
  | 'agent_hangup'
  | 'idle_timeout'
  | 'max_duration'
  | 'quota_exceeded'
  | 'drained'
  | 'operator_hangup'
  | 'vendor_error'
  | 'voicemail';

/** Where a transfer goes. */
export interface TransferPlan {
  readonly destination: string;
  readonly mode: 'cold' | 'warm';
  readonly timeoutSeconds: number;
}

/** What a tool wants to happen with the call, once its result is there. */
export type ToolFollowUp =
  | {
      readonly type: 'hang-up';
      /** Last words; empty: those of the settings, where the reply has none. */
      readonly text: string;
      /** Why, as the model says: the variable `call_disposition`. */
      readonly disposition?: string | undefined;
    }
  | { readonly type: 'transfer'; readonly transfer: TransferPlan; /** Announces it; empty: as above. */ readonly text: string }
  /** Keys of a phone, for whoever listens on the other side; a comma is a pause. */
  | { readonly type: 'play-tones'; readonly digits: string };

/** A part of a document that a tool's result rests on. */
export interface Citation {
  readonly documentUuid: string;
  readonly documentName: string;
  readonly heading: readonly string[];
  readonly page: number | null;
  /** Of the part within its document, counted from 0. */
  readonly position: number;
  /** Comparable within one result only. */
  readonly score: number;
}

/** What a search of documents came to. */
export interface Retrieval {
  /** Empty where it found nothing. */
  readonly citations: readonly Citation[];
  /** `fused`: by words and embeddings; `lexical`: by words alone. */
  readonly ranking: 'lexical' | 'fused';
  /** What the embedding model failed with, so that it went by words alone; null: nothing failed. */
  readonly failure: { readonly vendor: string | null; readonly model: string | null; readonly code: string; readonly message: string } | null;
}

/** What one call of a tool came to. */
export interface ToolResult {
  readonly toolCallId: string;
  /** For the model. */
  readonly text: string;
  readonly isError: boolean;
  readonly followUp?: ToolFollowUp | undefined;
  /** Set by a search of documents. */
  readonly retrieval?: Retrieval | undefined;
}

/** A call that is ready to run. */
export interface ToolCall {
  readonly id: string;
  readonly tool: CallableTool;
  /** Null-prototype; of the declared types. */
  readonly arguments: Variables;
}

/** A function that the model called and nobody carries out. */
export interface RefusedCall {
  /** As the model wrote it. */
  readonly name: string;
  readonly result: ToolResult;
}

/** The tools that one pass of the model called and that have not reported. */
export interface ToolBatch {
  readonly id: number;
  readonly nodeId: string;
  readonly calls: readonly ModelToolCall[];
  /** Calls that could not be run. */
  readonly refused: readonly ToolResult[];
  /** The edge that the same pass chose: it is taken when the tools are done. */
  readonly edgeId: string | null;
  /** The caller has said something else since: the results are told to the model, and nothing else follows from them. */
  readonly isOvertaken: boolean;
}

/** The tools of a run. */
export interface ToolsState {
  /** Calls of tools so far. */
  readonly callCount: number;
  readonly batchCount: number;
  readonly running: readonly ToolBatch[];
}

/** A reply in progress, whatever follows it. */
interface Replying {
  readonly name: 'replying';
  /** Model passes still allowed before the caller's next turn. */
  readonly passesLeft: number;
  /** Rounds of tools still allowed before the caller's next turn. */
  readonly toolRoundsLeft: number;
  /** What has not been reported and leads on: the model's pass, or tools. Null: the reply is complete once it was heard. */
  readonly pending: 'model' | 'tools' | null;
  /** Words given to the voice in this reply so far: the model sees them until `reply-heard` says what was heard of them. */
  readonly spoken: string;
}

/** What the engine is waiting for. */
export type WorkflowPhase =
  | { readonly name: 'not-started' }
  /** The caller may speak first; when the time is up, or with the caller's words, the agent greets. */
  | { readonly name: 'delayed' }
  /** The agent speaks fixed words or the model is asked. */
  | (Replying & { readonly then: 'listen' })
  /** The last words. `isForced`: nothing may interrupt them any more. */
  | (Replying & { readonly then: 'hang-up'; readonly reason: HangUpReason; readonly isForced: boolean })
  | (Replying & { readonly then: 'transfer'; readonly transfer: TransferPlan })
  | { readonly name: 'listening' }
  /** `passesLeft` lives on: a transfer that fails and is tried again is no caller's turn. */
  | { readonly name: 'transferring'; readonly passesLeft: number; readonly transfer: TransferPlan }
  | { readonly name: 'ended'; readonly reason: HangUpReason };

/** Keys pressed at the node the call is at, and not yet made use of. */
export interface KeysPressed {
  readonly digits: string;
  /** How often a `collectDigits` node has asked again. */
  readonly attempt: number;
}

/** The whole state of one run's workflow: plain data, replayable from the run's events. */
export interface WorkflowState {
  readonly nodeId: string;
  /** The prompted node the call was at last: it returns there when a transfer fails without an edge for it. */
  readonly originId: string;
  readonly keys: KeysPressed;
  /** Edges that silence took since the caller last said or pressed something. */
  readonly silencesTaken: number;
  readonly phase: WorkflowPhase;
  /** Names of the nodes entered, in order: `gathered_context.nodes_visited`. */
  readonly nodesVisited: readonly string[];
  readonly variables: Variables;
  readonly conversation: readonly ConversationEntry[];
  readonly tools: ToolsState;
  /** Model passes in a row that failed or gave nothing the caller could hear. */
  readonly failedPasses: number;
}

/** One variable that a node collects. */
export interface ExtractionVariable {
  readonly name: string;
  readonly type: 'string' | 'number' | 'boolean';
  /** What to look for; empty: the name says it. */
  readonly prompt: string;
}

/** What the model is asked when a node is left, in the background. */
export interface ExtractionRequest {
  readonly nodeId: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ModelTool[];
  readonly variables: readonly ExtractionVariable[];
}

/** What happens to the workflow. */
export type WorkflowEvent =
  | { readonly type: 'call-started' }
  /** The caller's turn is over. */
  | { readonly type: 'caller-turn'; readonly text: string; readonly turnId: number }
  /** The model's pass is over: what it generated and which functions it called, in order. Speech may still be playing. */
  | { readonly type: 'model-finished'; readonly text: string; readonly toolCalls: readonly ModelToolCall[] }
  /** The tools of a `call-tools` are done, or were given up: a result for each of its calls. */
  | { readonly type: 'tools-finished'; readonly batchId: number; readonly results: readonly ToolResult[] }
  /** The model failed or gave nothing. */
  | { readonly type: 'model-failed' }
  /** All queued speech of the reply has been heard, or was cut off after `heardText`. */
  | { readonly type: 'reply-heard'; readonly heardText: string; readonly isInterrupted: boolean }
  | { readonly type: 'dtmf-received'; readonly digit: string }
  /** The time of `set-timer` is up. */
  | { readonly type: 'timer-fired' }
  /** Values were learnt in the background; what they lead to happens at the next change of turn. */
  | { readonly type: 'variables-learned'; readonly values: Variables }
  /** The caller has been silent for the idle time-out, or for the silence limit that was set, for the `count`th time in a row. */
  | { readonly type: 'caller-idle'; readonly count: number }
  | { readonly type: 'transfer-failed'; readonly reason: string }
  /** The call must end: maximum duration, quota, drain. The engine says goodbye first. */
  | { readonly type: 'end-requested'; readonly reason: 'max_duration' | 'quota_exceeded' | 'drained' | 'operator_hangup' };

/** What the shell must do, in order. */
export type WorkflowAction =
  /** Speak fixed words, after whatever of the reply is still being spoken; with `clipId` play that clip, in which `text` is said. */
  | { readonly type: 'say'; readonly text: string; readonly allowInterrupt: boolean; readonly clipId?: string }
  /** Ask the model and speak what it streams. */
  | {
      readonly type: 'ask-model';
      readonly messages: readonly ModelMessage[];
      readonly tools: readonly ModelTool[];
      readonly allowInterrupt: boolean;
      /**
       * What is said when the pass gives nothing speakable. The engine says it itself when `model-finished` comes without words and
       * without an edge; a shell that speaks it on its own reports it as the pass's `text`.
       */
      readonly fallbackText: string;
      /** Said where the model leaves a caller waiting who has spoken; null: nothing is. */
      readonly filler: Filler | null;
    }
  /** Runs tools, side by side. `variables`: the run's, but for those whose values never leave the call. */
  | { readonly type: 'call-tools'; readonly batchId: number; readonly calls: readonly ToolCall[]; readonly variables: Variables }
  /** Functions of the pass that are not carried out; where the pass is answered, the model is told the same. Nothing is to be done but to note it. */
  | { readonly type: 'calls-refused'; readonly refusals: readonly RefusedCall[] }
  /** Keeps the reply open until the tools that run have reported. The caller is told when that takes long. */
  | {
      readonly type: 'await-tools';
      readonly filler: Filler | null;
      /** Said where the wait goes on, or there is no filler. */
      readonly waitingText: string;
      readonly allowInterrupt: boolean;
    }
  /** Play the tones of keys, after whatever of the reply is still being spoken. */
  | { readonly type: 'play-tones'; readonly digits: string; readonly allowInterrupt: boolean }
  /** Hang up: everything said was heard. */
  | { readonly type: 'hang-up'; readonly reason: HangUpReason }
  /** Transfer: everything said was heard. */
  | { readonly type: 'transfer'; readonly destination: string; readonly mode: 'cold' | 'warm'; readonly timeoutSeconds: number }
  /** Ask the model in the background; `variables-learned` brings what it found. Nothing waits for it. */
  | { readonly type: 'extract-variables'; readonly request: ExtractionRequest }
  /** The other side need not answer any more: the caller does something else. */
  | { readonly type: 'cancel-transfer' }
  /** The caller pressed a key: the words being spoken stop. `reply-heard` with `isInterrupted` follows. */
  | { readonly type: 'stop-speech' }
  /** Send `timer-fired` in so many ms. */
  | { readonly type: 'set-timer'; readonly delayMs: number }
  | { readonly type: 'cancel-timer' }
  /** From now on `caller-idle` comes after so much silence of both sides; null: after the idle time-out of the settings. */
  | { readonly type: 'set-silence-limit'; readonly delayMs: number | null }
  | { readonly type: 'node-entered'; readonly nodeId: string; readonly name: string };

/** The result of one step. */
export interface WorkflowStep {
  readonly state: WorkflowState;
  readonly actions: readonly WorkflowAction[];
}
