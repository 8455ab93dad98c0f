import type { TurnEvent } from './turn.js';
import { greetingPhraseIn } from './voicemail-greetings.js';
import { addFinal, allText, setInterim } from './words.js';
import { noWords, type Words } from './turn.js';

/** Pause that does not break a stretch of speech: announcements breathe between sentences, ms. */
const UNBROKEN_PAUSE_MS = 700;
/** Silence after the greeting that stands for a beep that was not heard, ms. */
const BEEPLESS_SILENCE_MS = 3000;

/** What the carrier found out before the stream began. `machine-ready`: the greeting is over. */
export type AnsweredBy = 'human' | 'machine' | 'machine-ready';

/** Why the call is taken for one to a voicemail system. */
export type VoicemailEvidence =
  | { readonly by: 'carrier' }
  | { readonly by: 'greeting'; readonly phrase: string }
  | { readonly by: 'long-speech'; readonly ms: number }
  | { readonly by: 'beep' };

/** How voicemail is looked for. */
export interface VoicemailOptions {
  readonly action: 'hang_up' | 'leave_message';
  /** Speech without a break, from the beginning of the call, that no person holds. */
  readonly longSpeechMs: number;
  /** How long the beep is waited for; then the call is hung up without a message. */
  readonly maxWaitMs: number;
}

/** Where the search stands. */
export type VoicemailState =
  | { readonly name: 'watching'; readonly words: Words; readonly isVoiceOn: boolean; readonly voiceSinceMs: number | null; readonly voiceEndMs: number }
  /** It is voicemail: its greeting is let out. */
  | { readonly name: 'awaiting-beep'; readonly untilMs: number; readonly isVoiceOn: boolean }
  /** A person is there, or what was to be done is done. */
  | { readonly name: 'over' };

/** What happens; turn events as the turn machine has them. */
export type VoicemailEvent =
  | TurnEvent
  | { readonly type: 'answered-by'; readonly atMs: number; readonly by: AnsweredBy }
  /** The agent's answer to something the caller said was heard to its end: two parties talk. */
  | { readonly type: 'turn-answered'; readonly atMs: number }
  | { readonly type: 'beep-heard'; readonly atMs: number }
  | { readonly type: 'wait-ended'; readonly atMs: number };

/** What must be done. There is one timer: `set-timer` replaces the one that runs, and `wait-ended` comes when it is up. */
export type VoicemailEffect =
  | { readonly type: 'report-voicemail'; readonly evidence: VoicemailEvidence }
  /** The agent says and answers nothing any more. */
  | { readonly type: 'fall-silent' }
  | { readonly type: 'leave-message' }
  | { readonly type: 'hang-up' }
  | { readonly type: 'set-timer'; readonly delayMs: number };

/** The result of one step. */
export interface VoicemailStep {
  readonly state: VoicemailState;
  readonly effects: readonly VoicemailEffect[];
}

type Watching = Extract<VoicemailState, { name: 'watching' }>;

/** Before anything was heard. */
export const initialVoicemailState: VoicemailState = { name: 'watching', words: noWords, isVoiceOn: false, voiceSinceMs: null, voiceEndMs: 0 };

const over: VoicemailState = { name: 'over' };
const stay = (state: VoicemailState): VoicemailStep => ({ state, effects: [] });

function detect(evidence: VoicemailEvidence, atMs: number, isReady: boolean, options: VoicemailOptions): VoicemailStep {
  const effects: VoicemailEffect[] = [{ type: 'report-voicemail', evidence }, { type: 'fall-silent' }];
  if (options.action === 'hang_up') return { state: over, effects: [...effects, { type: 'hang-up' }] };
  if (isReady) return { state: over, effects: [...effects, { type: 'leave-message' }] };
  // Its voice counts as on: the silence after it is measured from its end.
  const state: VoicemailState = { name: 'awaiting-beep', untilMs: atMs + options.maxWaitMs, isVoiceOn: evidence.by !== 'carrier' };
  const delayMs = evidence.by === 'carrier' ? Math.min(options.maxWaitMs, 2 * BEEPLESS_SILENCE_MS) : options.maxWaitMs;
  return { state, effects: [...effects, { type: 'set-timer', delayMs }] };
}

function hear(state: Watching, words: Words, atMs: number, options: VoicemailOptions): VoicemailStep {
  const phrase = greetingPhraseIn(allText(words));
  const next = { ...state, words };
  return phrase === null ? judgeLength(next, atMs, options) : detect({ by: 'greeting', phrase }, atMs, false, options);
}

/** Speech that goes on too long; a voice without words may be music or noise. */
function judgeLength(state: Watching, atMs: number, options: VoicemailOptions): VoicemailStep {
  const ms = state.voiceSinceMs === null ? 0 : atMs - state.voiceSinceMs;
  const isLong = state.isVoiceOn && ms >= options.longSpeechMs && allText(state.words) !== '';
  return isLong ? detect({ by: 'long-speech', ms }, atMs, false, options) : stay(state);
}

function whileWatching(state: Watching, event: VoicemailEvent, options: VoicemailOptions): VoicemailStep {
  switch (event.type) {
    case 'answered-by':
      return event.by === 'human' ? stay(over) : detect({ by: 'carrier' }, event.atMs, event.by === 'machine-ready', options);
    case 'turn-answered':
      return stay(over);
    case 'beep-heard':
      return allText(state.words) === '' ? stay(state) : detect({ by: 'beep' }, event.atMs, true, options);
    case 'speech-start': {
      const isGoingOn = state.voiceSinceMs !== null && event.atMs - state.voiceEndMs <= UNBROKEN_PAUSE_MS;
      const next = { ...state, isVoiceOn: true, voiceSinceMs: isGoingOn ? state.voiceSinceMs : event.atMs };
      if (isGoingOn) return judgeLength(next, event.atMs, options);
      return { state: next, effects: [{ type: 'set-timer', delayMs: options.longSpeechMs }] };
    }
    case 'speech-pause':
      return stay({ ...state, isVoiceOn: false, voiceEndMs: event.speechEndMs });
    case 'transcript-interim':
      return hear(state, setInterim(state.words, event.text, event.atMs), event.atMs, options);
    case 'transcript-final':
      return hear(state, addFinal(state.words, event.text, event.atMs), event.atMs, options);
    case 'wait-ended':
      return judgeLength(state, event.atMs, options);
    default:
      return stay(state);
  }
}

/**
 * Whether a voicemail system answered, decided: by the carrier's word, by what the first words are, by how long they go on, or by the
 * beep after them. Never once a turn of the caller's was answered. Pure; time comes with the events.
 */
export function stepVoicemail(state: VoicemailState, event: VoicemailEvent, options: VoicemailOptions): VoicemailStep {
  if (state.name === 'over') return stay(state);
  if (state.name === 'watching') return whileWatching(state, event, options);
  switch (event.type) {
    case 'beep-heard':
      return { state: over, effects: [{ type: 'leave-message' }] };
    case 'speech-start':
      return { state: { ...state, isVoiceOn: true }, effects: [{ type: 'set-timer', delayMs: Math.max(0, state.untilMs - event.atMs) }] };
    case 'speech-pause':
      return { state: { ...state, isVoiceOn: false }, effects: [{ type: 'set-timer', delayMs: Math.max(0, Math.min(BEEPLESS_SILENCE_MS, state.untilMs - event.atMs)) }] };
    case 'wait-ended':
      return { state: over, effects: [{ type: state.isVoiceOn ? 'hang-up' : 'leave-message' }] };
    default:
      return stay(state);
  }
}
