import type { Clock } from '../base/clock.js';
import type { AgentStreamError } from '../base/errors.js';
import type { LanguageModel } from '../speech/language-model.js';
import type { Playout } from '../telephony/playout.js';
import type { HangUpReason, WorkflowAction, WorkflowEvent, WorkflowState } from '../workflow/engine.js';
import { extractionOf } from '../workflow/extraction.js';
import { areKeysPrivate } from '../workflow/keys.js';
import { step } from '../workflow/step.js';
import { isTimeLeft } from './dead-air.js';
import type { CallAction, DialogueListener, ReplyEnding } from './dialogue-listener.js';
import type { CallFunctions } from './mcp/call-functions.js';
import { createInstantActions, type InstantActions } from './instant-actions.js';
import { createReplies, type Replies } from './replies.js';
import type { ModelPass, Reply, ReplyListener, SpeechAction } from './reply.js';
import type { Responder } from './responder.js';
import type { Voice } from './speaker.js';
import { createToolDesk, type ToolDesk } from './tool-desk.js';

/**
 * Between the last words and taking the call away: the carrier plays them later than our clock says, by the network and its own buffer,
 * and what it has not played by then is lost.
 */
const LAST_WORDS_MARGIN_MS = 300;

/** What a dialogue is made of. */
export interface DialogueOptions {
  /** What the call can do; its graph is read anew at every step. */
  readonly functions: CallFunctions;
  readonly initialState: WorkflowState;
  readonly clock: Clock;
  /** Collects variables in the background. */
  readonly model: LanguageModel;
  /** Answers the caller. */
  readonly responder: Responder;
  readonly voice: Voice;
  readonly playout: Playout;
  readonly signal: AbortSignal;
  readonly listener: DialogueListener;
}

/** A reply on its way to the caller. */
interface LiveReply {
  readonly reply: Reply;
  readonly waitingSinceMs: number;
  /** The caller turn it answers; null for a greeting, a check or injected words. */
  readonly turnId: number | null;
  /** What follows once it was heard. */
  readonly then: CallAction[];
  /** False for words that are not the workflow's (injected by an operator). */
  readonly isWorkflowReply: boolean;
  /** The voice failed; what it gave before is still being heard. */
  isLost: boolean;
}

/** What a reply is for. */
interface ReplyPurpose {
  readonly turnId: number | null;
  readonly isWorkflowReply: boolean;
  /** When the caller began to wait, where that was before now. */
  readonly waitingSinceMs?: number;
}

/** The agent's side of the conversation: runs the workflow's actions and tells the workflow what became of them. */
export interface Dialogue {
  readonly state: WorkflowState;
  /** True where the keys pressed now must not be recorded. */
  readonly hidesKeys: boolean;
  /** Steps the workflow; its speech becomes a reply. */
  feed(event: WorkflowEvent, turnId?: number): void;
  /** Begins the reply to what may become the caller's turn. It is heard only if the turn is fed with the same words. */
  prepare(text: string, turnId: number): void;
  /** The caller goes on. */
  dropPrepared(): void;
  /** Words that are not the workflow's: injected by an operator, a warning. False where the call is saying its goodbye. */
  say(text: string): boolean;
  /** Says words instead of those that the voice lost. */
  apologise(text: string): void;
  /** From now on nothing is said but a farewell: somebody else is to be let out. */
  fallSilent(): void;
  /** Last words that are not the workflow's; then the call is hung up. False where it is saying its goodbye already. */
  sayFarewell(text: string, reason: HangUpReason): boolean;
  /** Stops the reply; the conversation keeps what was heard of it. */
  discard(replyId: string): void;
  /** The playout's word: the first frame of the reply is on the wire. */
  onItemStarted(replyId: string): void;
  /** The playout's word: the reply was heard to its end. */
  onItemHeard(replyId: string): void;
  /** The call is over: what was heard of the reply is kept, nothing follows. */
  close(): void;
  /** After {@link close}: collects the variables of the last node, and waits briefly for those under way. `hasTime` false: they are given up. */
  settle(hasTime: boolean): Promise<void>;
}

/** Creates the dialogue of one call. */
export function createDialogue(options: DialogueOptions): Dialogue {
  return new CallDialogue(options);
}

const speechTypes: ReadonlySet<string> = new Set<SpeechAction['type']>(['say', 'ask-model', 'await-tools', 'play-tones']);

const split = (actions: readonly WorkflowAction[]) => ({
  speech: actions.filter((action): action is SpeechAction => speechTypes.has(action.type)),
  then: actions.filter((action): action is CallAction => action.type === 'hang-up' || action.type === 'transfer'),
});

class CallDialogue implements Dialogue {
  readonly #options: DialogueOptions;
  readonly #instant: InstantActions;
  readonly #tools: ToolDesk;
  #state: WorkflowState;
  /** `silent`: the workflow learns nothing more, and nothing but a farewell is said. `leaving`: the last words are being said, whatever the workflow would make of what happens now. */
  #stage: 'talking' | 'silent' | 'leaving' | 'closed' = 'talking';
  #live: LiveReply | null = null;
  readonly #replies: Replies;
  /** When the caller began to wait for the reply that the voice lost. */
  #lostWaitSinceMs = 0;

  constructor(options: DialogueOptions) {
    this.#options = options;
    this.#state = options.initialState;
    const { listener } = options;
    this.#tools = createToolDesk({
      ...options,
      runner: options.functions.runner,
      onToolFinished: (finished) => listener.onToolFinished(finished),
      onBatchFinished: (batchId, results) => this.#onToolsFinished({ type: 'tools-finished', batchId, results }),
      onFault: (error) => listener.onFault(error),
    });
    this.#instant = createInstantActions({
      ...options,
      tools: this.#tools,
      onTimerFired: () => this.feed({ type: 'timer-fired' }),
      onLearned: (values) => void this.#advance({ type: 'variables-learned', values }),
    });
    this.#replies = createReplies({
      ...options,
      listenerOf: (id) => this.#listenerOf(id),
      onModelUsage: (usage) => listener.onModelUsage(usage),
      onDropped(reply) {
        listener.onVoiceUsage(reply.vendorChars);
        listener.onPreparedReplyDropped(reply.id);
      },
    });
  }

  get state(): WorkflowState {
    return this.#state;
  }

  get hidesKeys(): boolean {
    return areKeysPrivate(this.#options.functions.graph, this.#state);
  }

  feed(event: WorkflowEvent, turnId?: number): void {
    // Nobody is there to say goodbye to.
    if (this.#stage === 'silent' && event.type === 'end-requested') return this.#act([{ type: 'hang-up', reason: event.reason }]);
    if (this.#stage !== 'talking') return;
    if (this.#live !== null && this.#wouldSpeak(event)) this.#giveWay(this.#live);
    const actions = this.#advance(event);
    if (this.#live !== null && actions.some((action) => action.type === 'stop-speech')) this.discard(this.#live.reply.id);
    const { speech, then } = split(actions);
    if (speech.length > 0) this.#speak(speech, then, { turnId: turnId ?? null, isWorkflowReply: true });
    else for (const action of then) this.#options.listener.onCallAction(action);
  }

  prepare(text: string, turnId: number): void {
    this.dropPrepared();
    if (this.#isEnding() || this.#live !== null) return;
    const { speech } = split(this.#step({ type: 'caller-turn', text, turnId }).actions);
    // Fixed words are there at once anyway.
    if (speech[0]?.type === 'ask-model') this.#options.listener.onReplyPrepared(this.#replies.prepare(speech), turnId);
  }

  dropPrepared(): void {
    this.#replies.dropPrepared();
  }

  say(text: string): boolean {
    return this.#sayBetween(text, {});
  }

  apologise(text: string): void {
    this.#sayBetween(text, { waitingSinceMs: this.#lostWaitSinceMs });
  }

  fallSilent(): void {
    if (this.#stage !== 'talking') return;
    this.#stage = 'silent';
    this.#instant.close();
    this.dropPrepared();
    this.#drop();
  }

  sayFarewell(text: string, reason: HangUpReason): boolean {
    if (this.#stage !== 'silent' && this.#isEnding()) return false;
    this.#stage = 'leaving';
    this.#drop();
    this.#speak([{ type: 'say', text, allowInterrupt: false }], [{ type: 'hang-up', reason }], { turnId: null, isWorkflowReply: false });
    return true;
  }

  discard(replyId: string): void {
    if (this.#live?.reply.id === replyId) this.#end(this.#live, this.#cut(this.#live), 'interrupted');
  }

  onItemStarted(replyId: string): void {
    if (this.#live?.reply.id !== replyId) return;
    this.#live.reply.timings.firstFrameAtMs ??= this.#options.clock.nowMs();
    this.#options.listener.onReplyStarted(this.#live.reply, this.#live.turnId);
  }

  onItemHeard(replyId: string): void {
    if (this.#live?.reply.id !== replyId) return;
    if (this.#live.isLost) this.#lose(this.#live);
    else this.#end(this.#live, Number.POSITIVE_INFINITY, 'heard');
  }

  close(): void {
    this.#stage = 'closed';
    this.#instant.close();
    this.dropPrepared();
    this.#drop();
  }

  settle(hasTime: boolean): Promise<void> {
    const { clock, functions } = this.#options;
    return this.#instant.settle(extractionOf(functions.graph, this.#state, clock.wallMs()), hasTime);
  }

  #step(event: WorkflowEvent) {
    const { functions, clock } = this.#options;
    return step(functions.graph, this.#state, event, { wallMs: clock.wallMs() });
  }

  #wouldSpeak(event: WorkflowEvent): boolean {
    return split(this.#step(event).actions).speech.length > 0;
  }

  #advance(event: WorkflowEvent): readonly WorkflowAction[] {
    const next = this.#step(event);
    this.#state = next.state;
    for (const action of next.actions) this.#instant.carryOut(action);
    return next.actions;
  }

  /** True once the last words, or those before a transfer, are being said. */
  #isEnding(): boolean {
    const { phase } = this.#state;
    return this.#stage !== 'talking' || phase.name === 'ended' || (phase.name === 'replying' && phase.then !== 'listen');
  }

  #sayBetween(text: string, waiting: { readonly waitingSinceMs?: number }): boolean {
    if (this.#isEnding()) return false;
    if (this.#live !== null) this.discard(this.#live.reply.id);
    this.#speak([{ type: 'say', text, allowInterrupt: true }], [], { turnId: null, isWorkflowReply: false, ...waiting });
    return true;
  }

  #speak(speech: readonly SpeechAction[], then: CallAction[], purpose: ReplyPurpose): void {
    const { clock, listener, playout } = this.#options;
    const waitingSinceMs = purpose.waitingSinceMs ?? clock.nowMs();
    const { reply, gate } = this.#replies.begin(speech, waitingSinceMs);
    // Once the call is to end, what is said is a goodbye: it is heard whole.
    const allowInterrupt = then.length === 0 && speech.every((action) => action.allowInterrupt);
    listener.onReplyRequested(reply.id, allowInterrupt);
    // A former reply may have come to nothing while it was held.
    playout.resume();
    playout.begin(reply.id);
    const { turnId, isWorkflowReply } = purpose;
    this.#live = { reply, waitingSinceMs, turnId, isWorkflowReply, then, isLost: false };
    gate.open();
    if (turnId !== null) reply.beginWait();
  }

  /** What a reply's reports lead to while it is the live one. */
  #listenerOf(id: string): ReplyListener {
    const { listener, playout } = this.#options;
    const live = () => (this.#live?.reply.id === id ? this.#live : null);
    return {
      onAudio: (audio) => playout.append(id, audio),
      onPassEnded: (pass) => {
        const entry = live();
        return entry === null ? [] : this.#onPassEnded(entry, pass);
      },
      onHedged: (hedge) => listener.onHedged(id, hedge),
      onFillerSaid: () => listener.onFillerSaid(id),
      onToolsAwaited: () => this.#tools.following(),
      onComplete: (hasAudio) => {
        playout.end(id);
        const entry = live();
        if (!hasAudio && entry !== null) this.#end(entry, Number.POSITIVE_INFINITY, 'heard');
      },
      onVoiceFailed: (error) => {
        const entry = live();
        if (entry !== null) this.#onVoiceFailed(entry, error);
      },
      onFault: (error) => listener.onFault(error),
    };
  }

  /** What a model pass leads to, in the same reply. */
  #onPassEnded(entry: LiveReply, { text, toolCalls, failure }: ModelPass): readonly SpeechAction[] {
    const { listener } = this.#options;
    for (const call of toolCalls) listener.onToolCalled(call);
    if (failure !== null) listener.onVendorFailed('llm', failure);
    const isLost = failure !== null && text.trim() === '' && toolCalls.length === 0;
    const { speech, then } = split(this.#advance(isLost ? { type: 'model-failed' } : { type: 'model-finished', text, toolCalls }));
    entry.then.push(...then);
    return speech;
  }

  /** What the tools found belongs to the reply that waits for them; where none does, the workflow keeps it. */
  #onToolsFinished(event: Extract<WorkflowEvent, { type: 'tools-finished' }>): void {
    if (this.#stage !== 'talking') return;
    const { speech, then } = split(this.#advance(event));
    this.#live?.then.push(...then);
    const { phase } = this.#state;
    if (phase.name !== 'replying' || phase.pending !== 'tools' || speech.length > 0) this.#tools.goOn(speech);
  }

  #onVoiceFailed(entry: LiveReply, error: AgentStreamError): void {
    const { listener, playout } = this.#options;
    listener.onVendorFailed('tts', error);
    entry.isLost = true;
    // What the voice gave is heard first; where that is nothing, the reply is over at once.
    playout.end(entry.reply.id);
    if (playout.position(entry.reply.id).totalMs === 0) this.#lose(entry);
  }

  #lose(entry: LiveReply): void {
    if (this.#live !== entry) return;
    const { clock, listener, playout } = this.#options;
    const { totalMs } = playout.position(entry.reply.id);
    this.#lostWaitSinceMs = totalMs === 0 ? entry.waitingSinceMs : clock.nowMs();
    this.#end(entry, totalMs, 'lost');
    listener.onVoiceLost(isTimeLeft(clock, this.#lostWaitSinceMs));
  }

  /** The workflow learns what became of the reply; what follows from that begins. */
  #end(entry: LiveReply, heardMs: number, ending: ReplyEnding): void {
    if (this.#live !== entry) return;
    this.#live = null;
    const heardText = entry.reply.settle(heardMs);
    // First: the caller's next turn may begin with the report.
    const following = entry.isWorkflowReply ? this.#advance({ type: 'reply-heard', heardText, isInterrupted: ending !== 'heard' }) : [];
    this.#report(entry, heardText, ending);
    const { speech, then } = split(following);
    const actions = [...entry.then, ...then];
    if (speech.length > 0) this.#speak(speech, actions, { turnId: null, isWorkflowReply: true });
    else if (actions.length > 0 && ending === 'heard' && heardText !== '') this.#actAfterMargin(actions);
    else this.#act(actions);
  }

  /** What happens meanwhile may leave nothing to be done: the call's time may have come to its end. */
  #actAfterMargin(actions: readonly CallAction[]): void {
    const { phase } = this.#state;
    this.#options.clock.setTimer(LAST_WORDS_MARGIN_MS, () => {
      if (this.#state.phase === phase) this.#act(actions);
    });
  }

  #act(actions: readonly CallAction[]): void {
    if (this.#stage !== 'closed') for (const action of actions) this.#options.listener.onCallAction(action);
  }

  /** Makes room for a reply to an event. The conversation keeps what was heard; what the live reply led to is superseded. */
  #giveWay(entry: LiveReply): void {
    if (this.#isEnding()) this.#drop();
    else this.discard(entry.reply.id);
  }

  /** Stops the live reply, and nothing follows from it. */
  #drop(): void {
    const entry = this.#live;
    if (entry === null) return;
    this.#live = null;
    this.#report(entry, entry.reply.settle(this.#cut(entry)), 'interrupted');
  }

  #report({ reply, turnId }: LiveReply, text: string, ending: ReplyEnding): void {
    const { listener } = this.#options;
    listener.onVoiceUsage(reply.vendorChars);
    listener.onReplyEnded(reply.id, { text, ending, turnId, hasSpoken: reply.hasSpoken });
  }

  /** Stops model, voice and playout; returns how much of the reply was heard. */
  #cut(entry: LiveReply): number {
    const { playout } = this.#options;
    entry.reply.cancel();
    playout.interrupt();
    const { heardMs } = playout.position(entry.reply.id);
    playout.discard();
    return heardMs;
  }
}
