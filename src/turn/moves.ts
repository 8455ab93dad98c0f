import type { TurnOptions } from './options.js';
import { noWords, type Lull, type TurnEffect, type TurnEvent, type TurnPhase, type TurnState, type TurnTimer, type TurnTransition, type Words } from './turn.js';
import { addFinal, allText, setInterim, withoutKnown } from './words.js';

/** A phase by name. */
export type Phase<Name extends TurnPhase['name']> = Extract<TurnPhase, { name: Name }>;

/** An event by type. */
export type Event<Type extends TurnEvent['type']> = Extract<TurnEvent, { type: Type }>;

/** A voice that has brought no new words for this long is waited for no longer: noise, or a line too noisy for a pause. */
export const WORDLESS_VOICE_MS = 4000;

/** Timers that belong to a phase: leaving it cancels them. */
const phaseTimers: Readonly<Record<TurnPhase['name'], readonly TurnTimer[]>> = {
  listening: ['idle'],
  'caller-speaking': ['wordless-voice'],
  endpointing: ['endpointing', 'transcript'],
  thinking: [],
  'agent-speaking': [],
  held: [],
  interrupted: ['false-interruption'],
  ended: [],
};

/** A turn of the caller, who is speaking. */
export interface OpenTurn {
  readonly words: Words;
  readonly startedAtMs: number;
}

/** A turn of the caller, who has paused. */
export interface PausedTurn extends OpenTurn {
  readonly speechEndMs: number;
}

/** Moves to another phase: cancels the timers of the one that is left. */
export function enter(state: TurnState, phase: TurnPhase, ...effects: TurnEffect[]): TurnTransition {
  const cancelled = phaseTimers[state.phase.name].map((timer): TurnEffect => ({ type: 'cancel-timer', timer }));
  return { state: { ...state, phase }, effects: [...cancelled, ...effects] };
}

/** Stays in the phase with other data. */
export function stay(state: TurnState, phase: TurnPhase = state.phase, ...effects: TurnEffect[]): TurnTransition {
  return { state: { ...state, phase }, effects };
}

/** The same transition with effects before its own. */
export function withEffects(effects: readonly TurnEffect[], result: TurnTransition): TurnTransition {
  return { state: result.state, effects: [...effects, ...result.effects] };
}

/** Nobody speaks. */
export function enterListening(state: TurnState, options: TurnOptions, ...effects: TurnEffect[]): TurnTransition {
  return enter(state, { name: 'listening' }, ...effects, { type: 'set-timer', timer: 'idle', delayMs: options.idleTimeoutMs });
}

/** The caller's voice is trusted for another while. */
export const trustVoice: TurnEffect = { type: 'set-timer', timer: 'wordless-voice', delayMs: WORDLESS_VOICE_MS };

/**
 * The turn so far may be all there is: the reply to these words may be begun. Nothing where it has been, or where the turn's replies
 * are used up.
 */
export function prepareReply(result: TurnTransition, words: Words, { preparation: { isEnabled, maxPerTurn } }: TurnOptions): TurnTransition {
  const { state } = result;
  const { count, text: prepared } = state.preparation;
  const text = allText(words);
  if (!isEnabled || text === '' || text === prepared || count >= maxPerTurn) return result;
  const effect: TurnEffect = { type: 'prepare-reply', turnId: state.turnId + 1, text };
  return { state: { ...state, preparation: { text, count: count + 1 } }, effects: [...result.effects, effect] };
}

/** The caller goes on. */
export function dropPreparedReply(result: TurnTransition): TurnTransition {
  const { state, effects } = result;
  if (state.preparation.text === null) return result;
  return { state: { ...state, preparation: { ...state.preparation, text: null } }, effects: [...effects, { type: 'drop-prepared-reply' }] };
}

/** The caller speaks. */
export function enterCallerSpeaking(state: TurnState, { words, startedAtMs }: OpenTurn): TurnTransition {
  return dropPreparedReply(enter(state, { name: 'caller-speaking', words, startedAtMs, lull: 'none' }, trustVoice));
}

/** The caller paused; what the recogniser was asked for in this same silence is not asked for again. */
export function enterEndpointing(
  state: TurnState,
  { words, startedAtMs, speechEndMs }: PausedTurn,
  options: TurnOptions,
  lull: Lull = 'none',
): TurnTransition {
  const phase: TurnPhase = { name: 'endpointing', words, startedAtMs, speechEndMs, isSettled: false };
  const settling: readonly TurnEffect[] = options.hasVendorTurns
    ? [awaitVendor(words, options)]
    : [...(lull === 'none' ? [finalizeTranscript] : []), { type: 'set-timer', timer: 'transcript', delayMs: options.endpointing.transcriptTimeoutMs }];
  return prepareReply(enter(state, phase, ...settling), words, options);
}

/** The recogniser is asked for its words. */
export const finalizeTranscript: TurnEffect = { type: 'finalize-transcript' };

/** The recogniser ends the turn; one that never does is waited for, and a voice in which it hears no words only shortly. */
export function awaitVendor(words: Words, options: TurnOptions): TurnEffect {
  const { transcriptTimeoutMs, vendorTurnTimeoutMs } = options.endpointing;
  return { type: 'set-timer', timer: 'transcript', delayMs: allText(words) === '' ? transcriptTimeoutMs : vendorTurnTimeoutMs };
}

/** The floor is the caller's, who is still speaking, or has paused already. */
export function giveCallerFloor(state: TurnState, turn: OpenTurn, options: TurnOptions): TurnTransition {
  if (state.voice.isOn) return enterCallerSpeaking(state, turn);
  return enterEndpointing(state, { ...turn, speechEndMs: Math.max(turn.startedAtMs, state.voice.endedAtMs) }, options);
}

/** The caller's turn is over: its words are committed, or there were none. */
export function endTurn(state: TurnState, turn: PausedTurn, options: TurnOptions): TurnTransition {
  const text = allText(turn.words);
  const { startedAtMs, speechEndMs } = turn;
  if (text === '') {
    // A voice without words is noise: it is heard again when it has paused.
    const quiet = { ...state, voice: { isOn: false, startedAtMs: null, endedAtMs: state.voice.endedAtMs } };
    return enterListening(quiet, options, { type: 'note-event', event: 'turn-without-words' });
  }
  const turnId = state.turnId + 1;
  const voice = { ...state.voice, startedAtMs: state.voice.isOn ? speechEndMs : null };
  const preparation = { text: null, count: 0 };
  const committed = { ...state, turnId, idleCount: 0, voice, unsettled: turn.words.interim, preparation, falseInterruptions: 0 };
  // The shell answers with reply-requested; until then the floor is nobody's.
  return enterListening(committed, options, { type: 'commit-turn', turnId, text, startedAtMs, speechEndMs });
}

/** The words so far with what was recognised; words that were committed already do not count again. */
export function hearWords(
  state: TurnState,
  words: Words,
  event: Event<'transcript-interim'> | Event<'transcript-final'>,
): { readonly state: TurnState; readonly words: Words } {
  const text = withoutKnown(event.text, state.unsettled).trim();
  if (event.type === 'transcript-interim') return { state, words: text === '' ? words : setInterim(words, text, event.atMs) };
  const settled = { ...state, unsettled: '' };
  return { state: settled, words: text === '' ? { ...words, interim: '' } : addFinal(words, text, event.atMs) };
}

/** The words of the phase, where it has any. */
export function wordsOf(phase: TurnPhase): Words {
  return 'words' in phase ? phase.words : noWords;
}
