import { repeat } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { EndReason } from '../runs/lifecycle.js';
import type { Fallover } from '../speech/fallback/lineup.js';
import type { SpeechToTextEvent } from '../speech/speech-to-text.js';
import type { RunCommand } from '../store/store.js';
import type { MediaStreamSink } from '../telephony/media-stream.js';
import { createPlayout, type Playout, type PlayoutListener } from '../telephony/playout.js';
import { changedVariables } from '../workflow/variables.js';
import { createCallExit, type CallExit } from './call-exit.js';
import { newsRecord, openCallFunctions } from './mcp/call-functions.js';
import { startCallLimits, type CallLimits, type LimitReason } from './call-limits.js';
import type { CallEnding, CallOptions, CallOutcome } from './call-options.js';
import { createCallReporter, type CallReporter, type RecordEvent } from './call-reporter.js';
import { createDialogue, type Dialogue } from './dialogue.js';
import type { CallAction } from './dialogue-listener.js';
import { createEars, type Ears } from './ears.js';
import { createEchoGuard, type EchoGuard } from './echo-guard.js';
import { endingOf } from './endings.js';
import { createFaultBoundary, type FaultBoundary } from './fault-boundary.js';
import { createFloor, type Floor, type FloorEffect } from './floor.js';
import { createHandover, type Handover } from './handover.js';
import { closeRecorder } from './recorder.js';
import type { TransferOrder } from './transfer.js';
import { watchForVoicemail, type VoicemailWatch } from './voicemail-watch.js';
import { createVendorHealth, type VendorHealth } from './vendor-health.js';

/** Silence after which the detector reports a pause. */
const PAUSE_WINDOW_MS = 200;

/** Silence after which it reports a lull: longer than the closure of most stops, and early enough to have the words before the pause. */
const LULL_WINDOW_MS = 60;

/** How often settled audio goes to disk. */
const RECORDER_FLUSH_MS = 1000;

/** Endings after which nobody waits for anything more about the call. */
const hurriedReasons: ReadonlySet<string> = new Set<EndReason>(['drained', 'node_lost', 'internal_error']);

/** How long the destination of an operator's transfer may ring. */
const OPERATOR_TRANSFER_SECONDS = 30;

/**
 * One call, composed: stream and ears feed the floor (whose turn it is), its effects drive dialogue and playout, and whatever
 * happens first leads through the one exit. The constructor starts it: the agent speaks at once.
 */
export class CallSession {
  readonly #options: CallOptions;
  readonly #boundary: FaultBoundary;
  readonly #floor: Floor;
  readonly #dialogue: Dialogue;
  readonly #playout: Playout;
  readonly #exit: CallExit<CallOutcome>;
  readonly #handover: Handover;
  readonly #limits: CallLimits;
  readonly #reporter: CallReporter;
  readonly #vendors: VendorHealth;

  constructor(given: CallOptions) {
    this.#boundary = createFaultBoundary((error) => this.#onFault(error));
    const options = { ...given, clock: this.#boundary.guardClock(given.clock) };
    this.#options = options;
    const { clock, startedAtMs, settings, turnOptions } = options;
    const nowMs = () => this.#nowMs;
    const record: RecordEvent = (type, data) => this.#record(type, data);
    this.#reporter = createCallReporter({ record, nowMs, originMs: startedAtMs });
    this.#floor = createFloor({ turn: turnOptions, clock, nowMs, onEffect: (effect) => this.#runEffect(effect) });
    const echoGuard = createEchoGuard();
    this.#playout = this.#createPlayout(echoGuard);
    this.#exit = createCallExit({
      clock,
      record,
      hangUpAtProvider: async (signal) => options.control.hangUp(options.call, signal),
      onHangingUp: () => this.#fallSilent(),
      release: (ending) => this.#release(ending, [() => flushing.cancel(), () => ears.close(), () => voicemail.close()]),
    });
    this.#handover = createHandover({ ports: options, exit: this.#exit, record });
    const voicemail = watchForVoicemail({ call: options, nowMs, record, floor: this.#floor, dialogue: () => this.#dialogue, exit: this.#exit });
    const ears = createEars({
      clock,
      nowMs,
      voiceActivity: options.voiceActivity,
      confirmMs: turnOptions.interruption.minDurationMs,
      echoGuard,
      recogniser: options.legs.recogniser,
      pauseWindowMs: PAUSE_WINDOW_MS,
      lullWindowMs: LULL_WINDOW_MS,
      hasVendorTurns: turnOptions.hasVendorTurns,
      onFrame: (frame) => voicemail.hear(frame),
      onTurnEvent: (event) => {
        this.#floor.dispatch(event);
        voicemail.onTurnEvent(event);
      },
    });
    this.#dialogue = this.#createDialogue(voicemail);
    this.#vendors = this.#createVendorHealth();
    const flushing = repeat(clock, RECORDER_FLUSH_MS, () => options.recorder.flush(this.#nowMs));
    this.#limits = startCallLimits({
      clock,
      settings,
      remainingMs: options.remainingMs,
      onWarning: () => this.#warn(),
      onReached: (reason) => this.#sayGoodbye(reason),
      onOverdue: (reason) => this.#exit.hangUp(endingOf(reason)),
    });
    this.#boundary.guard(() => {
      this.#begin(ears);
      if (this.#exit.isLive) voicemail.begin();
    })();
  }

  #begin(ears: Ears): void {
    const { legs, models } = this.#options;
    this.#reporter.onAnswered(models.choice, this.#options.voiceActivity.name);
    models.fallovers.listen(this.#boundary.guard((fallover: Fallover) => this.#vendors.noteFallover(fallover)));
    legs.listen(this.#boundary.guard((event: SpeechToTextEvent) => this.#onSpeechEvent(event, ears)));
    this.#attach(ears);
    // The stream may have ended already, or the recogniser have failed.
    if (this.#exit.isLive) this.#dialogue.feed({ type: 'call-started' });
  }

  get runId(): string {
    return this.#options.runId;
  }

  /** Settles once, when everything the call held is released. Never rejects. */
  get outcome(): Promise<CallOutcome> {
    return this.#exit.outcome;
  }

  /** Carries out live control. @throws AgentStreamError `transfer-*`, `provider-*`, `conflict`, `run-not-live` */
  async command(command: RunCommand): Promise<void> {
    if (!this.#exit.isLive) throw new AgentStreamError('run-not-live');
    this.#record('control-received', { command: command.type });
    try {
      await this.#carryOut(command);
    } catch (error) {
      if (!(error instanceof AgentStreamError)) this.#onFault(error);
      throw error;
    }
  }

  /** Says goodbye, then hangs up. */
  requestEnd(reason: LimitReason): void {
    this.#boundary.guard(() => this.#limits.reach(reason))();
  }

  /** Another node took this one for lost and ended the run: the call has neither slot nor record any more, and is hung up. */
  loseRun(): void {
    if (!this.#exit.isLive) return;
    this.#options.log.warn('A call is hung up because another node ended its run', { runId: this.runId });
    this.#exit.hangUp(endingOf('node_lost'));
  }

  /** Hangs up without a goodbye. */
  abandon(endReason: 'drained' | 'caller_hangup'): void {
    this.#exit.hangUp(endingOf(endReason));
  }

  get #nowMs(): number {
    return this.#options.clock.nowMs() - this.#options.startedAtMs;
  }

  #record(type: string, data: Readonly<Record<string, unknown>> = {}): void {
    this.#boundary.guard(() => this.#options.events.append(type, data, Math.round(this.#nowMs)))();
  }

  async #carryOut(command: RunCommand): Promise<void> {
    switch (command.type) {
      case 'hangup':
        return this.#exit.hangUp(endingOf('operator_hangup'));
      case 'say':
        if (!this.#dialogue.say(command.text)) throw new AgentStreamError('run-not-live', { message: 'The call is saying its goodbye' });
        return;
      case 'transfer':
        return this.#transfer({ destination: command.destination, mode: 'cold', timeoutSeconds: OPERATOR_TRANSFER_SECONDS });
    }
  }

  #createPlayout(echoGuard: EchoGuard): Playout {
    const { clock, metronome, stream, recorder, startedAtMs } = this.#options;
    return createPlayout({
      clock,
      metronome,
      capabilities: this.#options.capabilities,
      send: (frame) => stream.sendMedia(frame),
      sendMark: (name) => stream.sendMark(name),
      sendClear: () => {
        // Nobody is left to hear what is cleared.
        if (this.#exit.signal.aborted) return;
        stream.sendClear();
        this.#record('playout-cleared');
      },
      listener: this.#boundary.guardAll<PlayoutListener>({
        onItemStarted: (replyId) => this.#dialogue.onItemStarted(replyId),
        onItemHeard: (replyId) => this.#dialogue.onItemHeard(replyId),
        onUnderrun: (replyId, ms) => this.#record('playout-underrun', { reply_id: replyId, ms: Math.round(ms) }),
        onFrameSent: (frame, playAtMs) => {
          recorder.agent(frame, playAtMs - startedAtMs);
          echoGuard.noteSent(frame, playAtMs - startedAtMs);
        },
        onCleared: (atMs) => {
          recorder.agentCleared(atMs - startedAtMs);
          echoGuard.noteCleared(atMs - startedAtMs);
        },
        onQueueOverflow: (replyId, ms) => this.#record('playout-overflow', { reply_id: replyId, ms: Math.round(ms) }),
      }),
      onFault: (error) => this.#onFault(error),
    });
  }

  #createDialogue(voicemail: VoicemailWatch): Dialogue {
    const { graph, workflowState, clock, models, tools, legs, phrases, clips, settings } = this.#options;
    return createDialogue({
      functions: openCallFunctions({ graph, runner: tools, signal: this.#exit.signal, onNews: (news) => this.#record(...newsRecord(news)) }),
      initialState: workflowState,
      clock,
      model: models.llm,
      responder: legs.responder,
      voice: { product: legs.voiceProduct, language: settings.language, stream: legs.voice, phrases, clips },
      playout: this.#playout,
      signal: this.#exit.signal,
      listener: {
        ...this.#reporter,
        onReplyRequested: (replyId, allowInterrupt) =>
          this.#floor.dispatch({ type: 'reply-requested', atMs: this.#nowMs, replyId, allowInterrupt }),
        onReplyStarted: (reply, turnId) => {
          this.#reporter.onReplyStarted(reply, turnId);
          this.#floor.dispatch({ type: 'reply-started', atMs: this.#nowMs, replyId: reply.id });
        },
        onReplyEnded: (replyId, { text, ending, turnId, hasSpoken }) => {
          if (ending === 'heard' && hasSpoken) this.#vendors.onReplyHeard();
          if (ending === 'heard' && turnId !== null) voicemail.onTurnAnswered();
          const said = { text, isInterrupted: ending === 'interrupted', turnId: turnId ?? this.#floor.state.turnId };
          this.#reporter.onReplyEnded(replyId, said);
          this.#floor.dispatch({ type: 'reply-ended', atMs: this.#nowMs, replyId });
        },
        onCallAction: (action) => this.#runCallAction(action),
        onTransferCancelled: () => this.#handover.cancel(),
        onSilenceLimit: (delayMs) => this.#floor.limitSilence(delayMs),
        onHedged: (replyId, hedge) => this.#vendors.noteHedge(replyId, hedge),
        onVendorFailed: (leg, error) => this.#vendors.note(leg, error),
        onVoiceLost: (canApologise) => {
          if (this.#exit.isLive) this.#vendors.loseVoice(canApologise);
        },
        onFault: (error) => this.#onFault(error),
      },
    });
  }

  #createVendorHealth(): VendorHealth {
    return createVendorHealth({
      options: this.#options,
      reporter: this.#reporter,
      isBeingMoved: () => this.#handover.isUnderWay,
      endWithoutEars: () => this.#limits.reach('vendor_error'),
      apologise: () => this.#dialogue.apologise(this.#options.graph.texts.apology),
      giveUp: () => this.#exit.hangUp(endingOf('vendor_error')),
    });
  }

  #attach(ears: Ears): void {
    const { stream, recorder, startedAtMs } = this.#options;
    stream.start(this.#boundary.guardAll<MediaStreamSink>({
      onAudio: (frame, atMs) => {
        recorder.caller(frame, atMs - startedAtMs);
        if (this.#exit.isLive) ears.hear(frame, atMs - startedAtMs);
      },
      onDtmf: (digit) => {
        this.#record('dtmf-received', this.#dialogue.hidesKeys ? { is_private: true } : { digit });
        if (!this.#exit.isLive) return;
        this.#floor.dispatch({ type: 'key-pressed', atMs: this.#nowMs });
        this.#dialogue.feed({ type: 'dtmf-received', digit });
      },
      onMark: (name) => this.#playout.onMark(name),
      onStop: () => this.#exit.onPeerEnded(endingOf('caller_hangup', 'Stream stopped')),
      onClose: ({ code, reason, byPeer }) =>
        this.#exit.onPeerEnded({ endReason: byPeer ? 'caller_hangup' : 'provider_error', close: { code, reason } }),
      onProtocolEvent: (type, data) => this.#record(type, data),
    }));
  }

  #runEffect(effect: FloorEffect): void {
    switch (effect.type) {
      case 'hold-playout':
        return this.#playout.hold();
      case 'resume-playout':
        return this.#playout.resume();
      case 'clear-playout':
        return this.#playout.interrupt();
      case 'discard-reply':
        return this.#dialogue.discard(effect.replyId);
      case 'finalize-transcript':
        this.#options.legs.prewarm();
        return this.#options.legs.recogniser.finalize();
      case 'prepare-reply':
        return this.#dialogue.prepare(effect.text, effect.turnId);
      case 'drop-prepared-reply':
        return this.#dialogue.dropPrepared();
      case 'commit-turn': {
        const { turnId, text, startedAtMs: startMs, speechEndMs } = effect;
        this.#reporter.onCallerSaid({ turnId, text, startMs, speechEndMs });
        return this.#dialogue.feed({ type: 'caller-turn', text, turnId }, turnId);
      }
      case 'keep-words': {
        const { turnId, text, startedAtMs: startMs, speechEndMs } = effect;
        return this.#reporter.onCallerSaid({ turnId, text, startMs, speechEndMs });
      }
      case 'report-idle':
        return this.#onCallerIdle(effect.count);
      case 'note-event':
        return this.#record(effect.event);
    }
  }

  #onCallerIdle(count: number): void {
    this.#record('caller-idle', { count });
    // A caller who waits for somebody else to answer is not asked whether they are there.
    if (this.#handover.isUnderWay) this.#dialogue.say(this.#options.graph.texts.transfer);
    else this.#dialogue.feed({ type: 'caller-idle', count });
  }

  #onSpeechEvent(event: SpeechToTextEvent, ears: Ears): void {
    if (this.#exit.signal.aborted) return;
    if (event.type === 'stt-failed') {
      this.#vendors.note('stt', event.error);
      this.#vendors.loseEars();
    }
    if (event.type === 'transcript-final') this.#reporter.onTranscriptFinal();
    ears.onTranscript(event, this.#nowMs);
  }

  #runCallAction(action: CallAction): void {
    if (action.type === 'hang-up') return this.#exit.hangUp(endingOf(action.reason));
    const onFailed = this.#boundary.guard((error: unknown) => {
      if (this.#exit.isLive) this.#dialogue.feed({ type: 'transfer-failed', reason: toAgentStreamError(error).message });
    });
    this.#transfer(action).catch(onFailed);
  }

  async #transfer(order: TransferOrder): Promise<void> {
    try {
      await this.#handover.transfer(order);
    } finally {
      this.#vendors.endIfDeaf();
    }
  }

  /** A fault in this call's own code ends this call, and no other. */
  #onFault(error: unknown): void {
    this.#options.log.error('A call failed', { runId: this.runId, error: error instanceof Error ? error.message : String(error) });
    this.#exit.hangUp(endingOf('internal_error'));
  }

  /** False where the caller would not hear it: somebody speaks. */
  #warn(): boolean {
    const isQuiet = this.#exit.isLive && this.#floor.state.phase.name === 'listening';
    return isQuiet && this.#dialogue.say(this.#options.settings.max_duration_warning_text);
  }

  #sayGoodbye(reason: LimitReason): void {
    if (!this.#exit.isLive) return;
    this.#record('end-requested', { reason });
    if (reason === 'vendor_error') this.#dialogue.sayFarewell(this.#options.graph.texts.vendor_error, reason);
    else this.#dialogue.feed({ type: 'end-requested', reason });
  }

  #fallSilent(): void {
    this.#boundary.guard(() => this.#dialogue.close())();
    this.#boundary.guard(() => this.#floor.dispatch({ type: 'call-ended', atMs: this.#nowMs }))();
  }

  async #release(ending: CallEnding, closers: readonly (() => void)[]): Promise<CallOutcome> {
    const { stream, legs, models, recorder, workflowState, clock, graph } = this.#options;
    const durationMs = Math.round(this.#nowMs);
    this.#fallSilent();
    const closing: readonly (() => void)[] = [
      ...closers,
      () => this.#limits.cancel(),
      () => legs.close(),
      () => this.#playout.close(),
      () => stream.close(ending.close.code, ending.close.reason),
    ];
    for (const close of closing) this.#boundary.guard(close)();
    const settling = this.#dialogue.settle(!hurriedReasons.has(ending.endReason));
    const isRecorded = await closeRecorder(recorder, durationMs, clock);
    await settling;
    const { nodesVisited, variables } = this.#dialogue.state;
    return {
      ending,
      durationMs,
      isRecorded,
      ...this.#reporter.summary(durationMs, recorder),
      models: models.choice,
      work: models.meter.work,
      nodesVisited,
      variables: changedVariables(workflowState.variables, variables, graph.sensitiveVariables),
    };
  }
}
