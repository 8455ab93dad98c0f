import { createBeepDetector } from '../audio/beep-detector.js';
import type { Timer } from '../base/clock.js';
import { initialVoicemailState, stepVoicemail, type AnsweredBy, type VoicemailEffect, type VoicemailEvent, type VoicemailOptions } from '../turn/voicemail.js';
import type { TurnEvent } from '../turn/turn.js';
import { parseTemplate, renderTemplate } from '../workflow/template.js';
import type { CallExit } from './call-exit.js';
import type { CallOptions, CallOutcome } from './call-options.js';
import type { RecordEvent } from './call-reporter.js';
import type { Dialogue } from './dialogue.js';
import { endingOf } from './endings.js';
import type { Floor } from './floor.js';

/** Watches the beginning of a call for a voicemail system. */
export interface VoicemailWatch {
  /** What the carrier found out is known at once. */
  begin(): void;
  /** One 20 ms mu-law frame of the caller's. */
  hear(frame: Uint8Array): void;
  /** A turn event, after the turn machine had it. */
  onTurnEvent(event: TurnEvent): void;
  /** The agent's answer to a turn of the caller's was heard. */
  onTurnAnswered(): void;
  close(): void;
}

/** The parts of a call that the watch acts on. */
export interface VoicemailWatchOptions {
  readonly call: Pick<CallOptions, 'clock' | 'settings' | 'workflowState'>;
  /** Call clock. */
  readonly nowMs: () => number;
  readonly record: RecordEvent;
  readonly floor: Floor;
  readonly dialogue: () => Dialogue;
  readonly exit: Pick<CallExit<CallOutcome>, 'hangUp'>;
}

/** Names that carriers and their callers give the finding; Twilio's is `AnsweredBy` (docs: voice/answering-machine-detection). */
const answeredByNames = ['AnsweredBy', 'answered_by', 'answeredBy'] as const;

/** The carrier's finding, in Twilio's words: human, machine_start, machine_end_beep, machine_end_silence, machine_end_other, fax, unknown. */
export function answeredByOf(variables: Readonly<Record<string, unknown>>): AnsweredBy | null {
  const value = answeredByNames.map((name) => variables[name]).find((found) => typeof found === 'string');
  if (typeof value !== 'string') return null;
  if (value === 'human') return 'human';
  if (value.startsWith('machine_end')) return 'machine-ready';
  return value.startsWith('machine') || value === 'fax' || value === 'voicemail' ? 'machine' : null;
}

const nothing = () => undefined;
const idleWatch: VoicemailWatch = { begin: nothing, hear: nothing, onTurnEvent: nothing, onTurnAnswered: nothing, close: nothing };

/** Begins to watch; where the settings do not ask for it, nothing happens. */
export function watchForVoicemail(options: VoicemailWatchOptions): VoicemailWatch {
  const { nowMs, floor, dialogue } = options;
  const { clock, workflowState } = options.call;
  const settings = options.call.settings.voicemail_detection;
  if (!settings.enabled) return idleWatch;
  const rules: VoicemailOptions = { action: settings.action, longSpeechMs: settings.long_speech_seconds * 1000, maxWaitMs: settings.max_wait_seconds * 1000 };
  const beeps = createBeepDetector();
  let state = initialVoicemailState;
  let timer: Timer | null = null;

  /** With the floor closed nothing the other side says is a turn, and nobody is asked whether they are there. */
  const fallSilent = () => {
    dialogue().fallSilent();
    floor.dispatch({ type: 'call-ended', atMs: nowMs() });
  };
  const run = (effect: VoicemailEffect) => {
    switch (effect.type) {
      case 'report-voicemail':
        return options.record('voicemail-detected', { ...effect.evidence, action: settings.action });
      case 'fall-silent':
        return fallSilent();
      case 'leave-message':
        options.record('voicemail-message-begun');
        return void dialogue().sayFarewell(renderTemplate(parseTemplate(settings.message), dialogue().state.variables, clock.wallMs()), 'voicemail');
      case 'hang-up':
        return options.exit.hangUp(endingOf('voicemail'));
      case 'set-timer':
        timer?.cancel();
        timer = clock.setTimer(effect.delayMs, () => dispatch({ type: 'wait-ended', atMs: nowMs() }));
    }
  };
  const dispatch = (event: VoicemailEvent) => {
    if (state.name === 'over') return;
    const next = stepVoicemail(state, event, rules);
    state = next.state;
    if (state.name === 'over') timer?.cancel();
    next.effects.forEach(run);
  };

  return {
    begin() {
      const by = answeredByOf(workflowState.variables);
      if (by !== null) dispatch({ type: 'answered-by', atMs: nowMs(), by });
    },
    hear(frame) {
      if (state.name !== 'over' && beeps.push(frame)) dispatch({ type: 'beep-heard', atMs: nowMs() });
    },
    onTurnEvent: dispatch,
    onTurnAnswered: () => dispatch({ type: 'turn-answered', atMs: nowMs() }),
    close() {
      state = { name: 'over' };
      timer?.cancel();
    },
  };
}
