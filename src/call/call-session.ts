import { repeat, type Timer } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { EndReason } from '../runs/lifecycle.js';
import { createEnergyVoiceActivity } from '../speech/energy-voice-activity.js';
import type { ResolvedModels } from '../speech/models.js';
import type { SpeechToTextEvent } from '../speech/speech-to-text.js';
import type { RunCommand } from '../store/store.js';
import type { MediaStreamSink } from '../telephony/media-stream.js';
import { createPlayout, type Playout, type PlayoutListener } from '../telephony/playout.js';
import type { Variables } from '../workflow/engine.js';
import { createCallExit, type CallExit } from './call-exit.js';
import { startCallLimits, type CallLimits, type LimitReason } from './call-limits.js';
import { createCallLog, type CallLog } from './call-log.js';
import type { CallEnding, CallOptions, CallOutcome } from './call-options.js';
import { createCallReporter, type CallReporter } from './call-reporter.js';
import { createDialogue, type CallAction, type Dialogue } from './dialogue.js';
import { createEars, type Ears } from './ears.js';
import { createFaultBoundary, type FaultBoundary } from './fault-boundary.js';
import { createFloor, type Floor, type FloorEffect } from './floor.js';
import { snakeCaseKeys } from './record-json.js';
import { transferCall } from './transfer.js';

/** Silence after which the detector reports a pause. */
const PAUSE_WINDOW_MS = 200;

/** How often settled audio goes to disk. */
const RECORDER_FLUSH_MS = 1000;

/** Replies lost to the voice vendor, in a row, after which the call is given up. */
const MAX_VOICE_FAILURES = 2;

const ended = (endReason: EndReason, reason = 'Call ended'): CallEnding => ({
  endReason,
  close: endReason === 'drained' ? new AgentStreamError('server-going-away').close : { code: 1000, reason },
});
const vendorEnded: CallEnding = { endReason: 'vendor_error', close: new AgentStreamError('vendor-failed').close };

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
  readonly #limits: CallLimits;
  readonly #reporter: CallReporter;
  #voiceFailures = 0;

  constructor(given: CallOptions) {
    this.#boundary = createFaultBoundary((error) => this.#onFault(error));
    const options = { ...given, clock: this.#boundary.guardClock(given.clock) };
    this.#options = options;
    const { clock, startedAtMs, settings, turnOptions } = options;
    const callLog = createCallLog();
    const nowMs = () => clock.nowMs() - startedAtMs;
    this.#reporter = createCallReporter({ record: this.#record, callLog, nowMs, originMs: startedAtMs });
    this.#floor = createFloor({ turn: turnOptions, clock, nowMs, onEffect: (effect) => this.#runEffect(effect) });
    this.#playout = this.#createPlayout();
    const flushing = repeat(clock, RECORDER_FLUSH_MS, () => options.recorder.flush(nowMs()));
    this.#exit = createCallExit({
      clock,
      record: this.#record,
      hangUpAtProvider: (signal) => options.control.hangUp(options.call, signal),
      onHangingUp: () => this.#fallSilent(),
      release: (ending) => this.#release(ending, callLog, flushing),
    });
    const ears = createEars({
      detector: createEnergyVoiceActivity({ confirmMs: turnOptions.interruption.minDurationMs, pauseMs: PAUSE_WINDOW_MS }),
      recogniser: options.legs.recogniser,
      pauseWindowMs: PAUSE_WINDOW_MS,
      hasVendorTurns: turnOptions.hasVendorTurns,
      onTurnEvent: (event) => this.#floor.dispatch(event),
    });
    this.#dialogue = this.#createDialogue();
    this.#limits = startCallLimits({
      clock,
      settings,
      remainingMs: options.remainingMs,
      onWarning: () => this.#warn(),
      onReached: (reason) => this.#sayGoodbye(reason),
      onOverdue: (reason) => void this.#exit.hangUp(ended(reason)),
    });
    this.#record('call-answered', { models: snakeCaseChoice(options.models.choice) });
    options.legs.listen(this.#boundary.guard((event: SpeechToTextEvent) => this.#onSpeechEvent(event, ears)));
    this.#attach(ears);
    this.#dialogue.feed({ type: 'call-started' });
  }

  get runId(): string {
    return this.#options.runId;
  }

  /** Settles once, when everything the call held is released. Never rejects. */
  get outcome(): Promise<CallOutcome> {
    return this.#exit.outcome;
  }

  /** Carries out live control. @throws AgentStreamError `transfer-*`, `provider-*`, `run-not-live` */
  async command(command: RunCommand): Promise<void> {
    if (!this.#exit.isLive) throw new AgentStreamError('run-not-live');
    this.#record('control-received', { command: command.type });
    switch (command.type) {
      case 'hangup':
        void this.#exit.hangUp(ended('operator_hangup'));
        return;
      case 'say':
        if (!this.#dialogue.say(command.text)) throw new AgentStreamError('run-not-live', { message: 'The call is saying its goodbye' });
        return;
      case 'transfer':
        await this.#transfer({ destination: command.destination, mode: 'cold', timeoutSeconds: 30 });
    }
  }

  /** Says goodbye, then hangs up. */
  requestEnd(reason: LimitReason): void {
    this.#limits.reach(reason);
  }

  /** Another node took this one for lost and ended the run: the call has neither slot nor record any more, and is hung up. */
  loseRun(): void {
    if (!this.#exit.isLive) return;
    this.#options.log.warn('A call is hung up because another node ended its run', { runId: this.runId });
    void this.#exit.hangUp({ endReason: 'node_lost', close: new AgentStreamError('internal-error').close });
  }

  /** Hangs up without a goodbye. */
  abandon(endReason: 'drained' | 'caller_hangup'): void {
    void this.#exit.hangUp(ended(endReason));
  }

  get #nowMs(): number {
    return this.#options.clock.nowMs() - this.#options.startedAtMs;
  }

  readonly #record = (type: string, data: Readonly<Record<string, unknown>> = {}): void => {
    this.#options.events.append(type, data, Math.round(this.#nowMs));
  };

  #createPlayout(): Playout {
    const { clock, metronome, stream, recorder, startedAtMs } = this.#options;
    return createPlayout({
      clock,
      metronome,
      capabilities: this.#options.capabilities,
      send: (frame) => stream.sendMedia(frame),
      sendMark: (name) => stream.sendMark(name),
      sendClear: () => {
        stream.sendClear();
        this.#record('playout-cleared');
      },
      listener: this.#boundary.guardAll<PlayoutListener>({
        onItemStarted: (replyId) => this.#dialogue.onItemStarted(replyId),
        onItemHeard: (replyId) => this.#dialogue.onItemHeard(replyId),
        onUnderrun: (replyId, ms) => this.#record('playout-underrun', { reply_id: replyId, ms: Math.round(ms) }),
        onFrameSent: (frame, playAtMs) => recorder.agent(frame, playAtMs - startedAtMs),
        onCleared: (atMs) => recorder.agentCleared(atMs - startedAtMs),
        onQueueOverflow: (replyId, ms) => this.#record('playout-overflow', { reply_id: replyId, ms: Math.round(ms) }),
      }),
      onFault: (error) => this.#onFault(error),
    });
  }

  #createDialogue(): Dialogue {
    const { graph, workflowState, clock, models, legs, phrases } = this.#options;
    const atMs = () => this.#nowMs;
    return createDialogue({
      graph,
      initialState: workflowState,
      clock,
      model: models.llm,
      voice: { product: models.tts, stream: legs.voice, phrases },
      playout: this.#playout,
      signal: this.#exit.signal,
      listener: {
        ...this.#reporter,
        onReplyRequested: (replyId, allowInterrupt) =>
          this.#floor.dispatch({ type: 'reply-requested', atMs: atMs(), replyId, allowInterrupt }),
        onReplyStarted: (reply, turnId) => {
          this.#voiceFailures = 0;
          this.#reporter.onReplyStarted(reply, turnId);
          this.#floor.dispatch({ type: 'reply-started', atMs: atMs(), replyId: reply.id });
        },
        onReplyEnded: (replyId, said) => {
          this.#reporter.onReplyEnded(replyId, { ...said, turnId: said.turnId ?? this.#floor.state.turnId });
          this.#floor.dispatch({ type: 'reply-ended', atMs: atMs(), replyId });
        },
        onCallAction: (action) => this.#runCallAction(action),
        onVendorFailed: (leg, error) => this.#onVendorFailed(leg, error),
        // The next words open the voice anew; if they are lost too, the call is given up.
        onVoiceLost: () => {
          if (this.#exit.isLive) this.#dialogue.say(graph.texts.apology);
        },
      },
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
        this.#record('dtmf-received', { digit });
        if (this.#exit.isLive) this.#dialogue.feed({ type: 'dtmf-received', digit });
      },
      onMark: (name) => this.#playout.onMark(name),
      onStop: () => this.#exit.onPeerEnded(ended('caller_hangup', 'Stream stopped')),
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
        return this.#options.legs.recogniser.finalize();
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
        this.#record('caller-idle', { count: effect.count });
        return this.#dialogue.feed({ type: 'caller-idle', count: effect.count });
      case 'note-event':
        return this.#record(effect.event);
    }
  }

  #onSpeechEvent(event: SpeechToTextEvent, ears: Ears): void {
    if (this.#exit.signal.aborted) return;
    if (event.type === 'stt-failed') this.#onVendorFailed('stt', event.error);
    if (event.type === 'transcript-final') this.#reporter.onTranscriptFinal();
    ears.onTranscript(event, this.#nowMs);
  }

  /** A call without ears or voice is over; a failed model pass is the workflow's to answer. */
  #onVendorFailed(leg: 'stt' | 'llm' | 'tts', error: AgentStreamError): void {
    const { log, models, runId } = this.#options;
    const { vendor } = models.choice[leg];
    this.#reporter.onVendorFailed(leg, vendor, error);
    this.#options.onVendorFailed?.(leg, vendor, error.code);
    log.warn('A vendor failed during a call', { runId, leg, vendor, code: error.code });
    if (leg === 'tts') this.#voiceFailures += 1;
    if (leg === 'stt' || this.#voiceFailures >= MAX_VOICE_FAILURES) void this.#exit.hangUp(vendorEnded);
  }

  #runCallAction(action: CallAction): void {
    if (action.type === 'hang-up') void this.#exit.hangUp(ended(action.reason));
    else
      this.#transfer(action).catch((error: unknown) => {
        if (this.#exit.isLive) this.#dialogue.feed({ type: 'transfer-failed', reason: toAgentStreamError(error).code });
      });
  }

  async #transfer(request: { destination: string; mode: 'cold' | 'warm'; timeoutSeconds: number }): Promise<void> {
    const { signal } = this.#exit;
    this.#record('transfer-started', { mode: request.mode });
    try {
      await transferCall(request, { ...this.#options, signal, onMoving: () => this.#exit.beginMove() });
    } catch (error) {
      this.#exit.cancelMove();
      if (!signal.aborted) this.#record('transfer-failed', { code: toAgentStreamError(error).code });
      throw error;
    }
    this.#record('transfer-completed');
    void this.#exit.completeMove();
  }

  /** A fault in this call's own code ends this call, and no other. */
  #onFault(error: unknown): void {
    this.#options.log.error('A call failed', { runId: this.runId, error: toAgentStreamError(error).message });
    void this.#exit.hangUp({ endReason: 'internal_error', close: new AgentStreamError('internal-error').close });
  }

  #warn(): void {
    if (this.#exit.isLive && this.#floor.state.phase.name === 'listening')
      this.#dialogue.say(this.#options.settings.max_duration_warning_text);
  }

  #sayGoodbye(reason: LimitReason): void {
    if (!this.#exit.isLive) return;
    this.#record('end-requested', { reason });
    this.#dialogue.feed({ type: 'end-requested', reason });
  }

  #fallSilent(): void {
    this.#dialogue.close();
    this.#floor.dispatch({ type: 'call-ended', atMs: this.#nowMs });
  }

  async #release(ending: CallEnding, callLog: CallLog, flushing: Timer): Promise<CallOutcome> {
    const { stream, legs, recorder } = this.#options;
    const durationMs = Math.round(this.#nowMs);
    this.#fallSilent();
    this.#limits.cancel();
    flushing.cancel();
    legs.close();
    this.#playout.close();
    stream.close(ending.close.code, ending.close.reason);
    callLog.addUsage({ sttAudioMs: durationMs });
    const isRecorded = await recorder.close(durationMs).catch(() => false);
    return {
      ending,
      durationMs,
      isRecorded,
      usage: callLog.usage,
      turns: callLog.latencies(recorder.callerLevels, recorder.agentLevels),
      nodesVisited: this.#dialogue.state.nodesVisited,
      variables: gatheredVariables(this.#options.workflowState.variables, this.#dialogue.state.variables),
    };
  }
}

/** The vendors of the call as its run's log shows them. */
function snakeCaseChoice(choice: ResolvedModels['choice']): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(choice).map(([leg, model]) => [leg, snakeCaseKeys(model)]));
}

/** What the conversation added to or changed of the variables the call began with. */
function gatheredVariables(before: Variables, after: Variables): Variables {
  return Object.fromEntries(Object.entries(after).filter(([name, value]) => before[name] !== value));
}
