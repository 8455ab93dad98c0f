import type { AgentStreamError } from '../base/errors.js';
import type { Hedge, ModelToolCall } from '../speech/language-model.js';
import type { WorkflowAction } from '../workflow/engine.js';
import type { InstantListener } from './instant-actions.js';
import type { Reply } from './reply.js';

/** What the agent does besides speaking. */
export type CallAction = Extract<WorkflowAction, { type: 'hang-up' | 'transfer' }>;

/** What the dialogue reports to the session. */
export interface DialogueListener extends InstantListener {
  onReplyRequested(replyId: string, allowInterrupt: boolean): void;
  onReplyStarted(reply: Reply, turnId: number | null): void;
  /** A reply was begun in case the caller's turn is over. */
  onReplyPrepared(replyId: string, turnId: number): void;
  /** It was of no use, and nobody heard of it. */
  onPreparedReplyDropped(replyId: string): void;
  /** The reply is over; `text` is what was heard of it, empty where nothing was. `hasSpoken`: the voice's vendor gave audio for it. */
  onReplyEnded(replyId: string, said: { text: string; ending: ReplyEnding; turnId: number | null; hasSpoken: boolean }): void;
  /** Everything said before it was heard. */
  onCallAction(action: CallAction): void;
  /** The model called a function: an edge, or a tool. */
  onToolCalled(call: ModelToolCall): void;
  /** Characters the voice's vendor was given for a reply; cached phrases cost none. */
  onVoiceUsage(chars: number): void;
  /** A request to the model was sent twice, for a reply that may be heard or not. */
  onHedged(replyId: string, hedge: Hedge): void;
  /** The model keeps the caller waiting: a filler is said. */
  onFillerSaid(replyId: string): void;
  onVendorFailed(leg: 'llm' | 'tts', error: AgentStreamError): void;
  /** The voice failed, and what came before was heard. `canApologise`: the caller has not waited for too long to hear something else. */
  onVoiceLost(canApologise: boolean): void;
}

/** How a reply came to its end: heard to the end, cut off, or lost by the voice. */
export type ReplyEnding = 'heard' | 'interrupted' | 'lost';
