import type { Clock } from '../base/clock.js';
import type { AgentStreamError } from '../base/errors.js';
import type { LanguageModel, ModelUsage } from '../speech/language-model.js';
import type { Playout } from '../telephony/playout.js';
import type { WorkflowGraph } from '../workflow/graph.js';
import type { WorkflowAction, WorkflowEvent, WorkflowState } from '../workflow/engine.js';
import { step } from '../workflow/step.js';
import { startReply, type Reply, type SpeechAction } from './reply.js';
import type { Voice } from './speaker.js';

/** What the agent does besides speaking. */
export type CallAction = Extract<WorkflowAction, { type: 'hang-up' | 'transfer' }>;

/** What the dialogue reports to the session. */
export interface DialogueListener {
  onReplyRequested(replyId: string, allowInterrupt: boolean): void;
  onReplyStarted(reply: Reply, turnId: number | null): void;
  /** The reply is over; `text` is what was heard of it, empty where nothing was. */
  onReplyEnded(replyId: string, said: { text: string; isInterrupted: boolean; turnId: number | null }): void;
  /** Everything said before it was heard. */
  onCallAction(action: CallAction): void;
  onNodeEntered(nodeId: string, name: string): void;
  onToolCalled(name: string): void;
  onModelUsage(usage: ModelUsage): void;
  /** Characters the voice's vendor was given for a reply; cached phrases cost none. */
  onVoiceUsage(chars: number): void;
  onVendorFailed(leg: 'llm' | 'tts', error: AgentStreamError): void;
  /** The voice failed before the caller heard anything of the reply. */
  onVoiceLost(): void;
}

/** What a dialogue is made of. */
export interface DialogueOptions {
  readonly graph: WorkflowGraph;
  readonly initialState: WorkflowState;
  readonly clock: Clock;
  readonly model: LanguageModel;
  readonly voice: Voice;
  readonly playout: Playout;
  readonly signal: AbortSignal;
  readonly listener: DialogueListener;
}

/** A reply on its way to the caller. */
interface LiveReply {
  readonly reply: Reply;
  /** The caller turn it answers; null for a greeting, a check or injected words. */
  readonly turnId: number | null;
  /** What follows once it was heard. */
  readonly then: CallAction[];
  /** False for words that are not the workflow's (injected by an operator). */
  readonly isWorkflowReply: boolean;
}

/** The agent's side of the conversation: runs the workflow's actions and tells the workflow what became of them. */
export interface Dialogue {
  /** Steps the workflow; its speech becomes a reply. */
  feed(event: WorkflowEvent, turnId?: number): void;
  /** Words that are not the workflow's: injected by an operator, a warning. False where the call is saying its goodbye. */
  say(text: string): boolean;
  /** Stops the reply; the conversation keeps what was heard of it. */
  discard(replyId: string): void;
  /** The playout's word: the first frame of the reply is on the wire. */
  onItemStarted(replyId: string): void;
  /** The playout's word: the reply was heard to its end. */
  onItemHeard(replyId: string): void;
  /** The call is over: what was heard of the reply is kept, nothing follows. */
  close(): void;
  readonly state: WorkflowState;
}

/** Creates the dialogue of one call. */
export function createDialogue(options: DialogueOptions): Dialogue {
  const { graph, clock, playout, listener } = options;
  let state = options.initialState;
  let live: LiveReply | null = null;
  let replyCount = 0;

  const preview = (event: WorkflowEvent) => step(graph, state, event, { wallMs: clock.wallMs() }).actions;

  const advance = (event: WorkflowEvent): readonly WorkflowAction[] => {
    const next = step(graph, state, event, { wallMs: clock.wallMs() });
    state = next.state;
    for (const action of next.actions) if (action.type === 'node-entered') listener.onNodeEntered(action.nodeId, action.name);
    return next.actions;
  };

  const split = (actions: readonly WorkflowAction[]) => ({
    speech: actions.filter((action): action is SpeechAction => action.type === 'say' || action.type === 'ask-model'),
    then: actions.filter((action): action is CallAction => action.type === 'hang-up' || action.type === 'transfer'),
  });

  /** What a model pass leads to, in the same reply. */
  const continueWith = (event: WorkflowEvent, current: () => LiveReply | null): readonly SpeechAction[] => {
    const { speech, then } = split(advance(event));
    current()?.then.push(...then);
    return speech;
  };

  /** Reports what was heard of a reply; `heardMs` infinite: all of it. */
  const report = (entry: LiveReply, heardMs: number) => {
    live = null;
    const isInterrupted = heardMs !== Number.POSITIVE_INFINITY;
    const text = entry.reply.heardText(heardMs);
    listener.onVoiceUsage(entry.reply.vendorChars());
    listener.onReplyEnded(entry.reply.id, { text, isInterrupted, turnId: entry.turnId });
    return { text, isInterrupted };
  };

  const end = (entry: LiveReply, heardMs: number) => {
    if (live !== entry) return;
    const { text, isInterrupted } = report(entry, heardMs);
    const following = entry.isWorkflowReply ? advance({ type: 'reply-heard', heardText: text, isInterrupted }) : [];
    const { speech, then } = split(following);
    const calls = [...entry.then, ...then];
    if (speech.length > 0) speak(speech, calls, { turnId: null, isWorkflowReply: true });
    else for (const action of calls) listener.onCallAction(action);
  };

  const speak = (speech: readonly SpeechAction[], then: CallAction[], about: { turnId: number | null; isWorkflowReply: boolean }) => {
    replyCount += 1;
    const id = `reply-${replyCount}`;
    // Once the call is to end, what is said is a goodbye: it is heard whole.
    const allowInterrupt = then.length === 0 && speech.every((action) => action.allowInterrupt);
    listener.onReplyRequested(id, allowInterrupt);
    playout.begin(id);
    let entry: LiveReply | null = null;
    const reply = startReply(
      speech,
      { id, clock, model: options.model, voice: options.voice, signal: options.signal },
      {
        onAudio: (audio) => playout.append(id, audio),
        onModelFinished(text, toolCalls, usage) {
          if (usage !== undefined) listener.onModelUsage(usage);
          for (const call of toolCalls) listener.onToolCalled(call.name);
          return continueWith({ type: 'model-finished', text, toolCalls }, () => entry);
        },
        onModelFailed(error) {
          listener.onVendorFailed('llm', error);
          return continueWith({ type: 'model-failed' }, () => entry);
        },
        onComplete(hasAudio) {
          playout.end(id);
          if (!hasAudio && entry !== null) end(entry, Number.POSITIVE_INFINITY);
        },
        onVoiceFailed(error) {
          playout.end(id);
          const isSilent = playout.position(id).totalMs === 0;
          if (entry !== null && isSilent) end(entry, 0);
          listener.onVendorFailed('tts', error);
          if (isSilent) listener.onVoiceLost();
        },
      },
    );
    entry = { reply, turnId: about.turnId, then, isWorkflowReply: about.isWorkflowReply };
    live = entry;
  };

  /** Stops model, voice and playout; returns how much of the reply was heard. */
  const cut = (entry: LiveReply): number => {
    entry.reply.cancel();
    playout.interrupt();
    const { heardMs } = playout.position(entry.reply.id);
    playout.discard();
    return heardMs;
  };

  const discard = (replyId: string) => {
    if (live?.reply.id === replyId) end(live, cut(live));
  };

  return {
    get state() {
      return state;
    },
    feed(event, turnId) {
      // The workflow must learn what became of a reply before it is told what cuts it off.
      if (live !== null && split(preview(event)).speech.length > 0) discard(live.reply.id);
      const { speech, then } = split(advance(event));
      if (speech.length > 0) speak(speech, then, { turnId: turnId ?? null, isWorkflowReply: true });
      else for (const action of then) listener.onCallAction(action);
    },
    say(text) {
      const { phase } = state;
      if (phase.name === 'ended' || (phase.name === 'replying' && phase.then !== 'listen')) return false;
      if (live !== null) discard(live.reply.id);
      speak([{ type: 'say', text, allowInterrupt: true }], [], { turnId: null, isWorkflowReply: false });
      return true;
    },
    discard,
    close() {
      if (live !== null) report(live, cut(live));
    },
    onItemStarted(replyId) {
      if (live?.reply.id !== replyId) return;
      live.reply.timings.firstFrameAtMs ??= clock.nowMs();
      listener.onReplyStarted(live.reply, live.turnId);
    },
    onItemHeard(replyId) {
      if (live?.reply.id === replyId) end(live, Number.POSITIVE_INFINITY);
    },
  };
}
