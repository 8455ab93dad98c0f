import {
  endTurn,
  enter,
  enterCallerSpeaking,
  enterEndpointing,
  enterListening,
  giveCallerFloor,
  hearWords,
  stay,
  withEffects,
  WORDLESS_VOICE_MS,
  type OpenTurn,
  type Phase,
} from './moves.js';
import type { TurnOptions } from './options.js';
import { noWords, type TurnEffect, type TurnEvent, type TurnState, type TurnTransition, type Words } from './turn.js';
import { allText, isAcknowledgement, splitWords } from './words.js';

/** An acknowledging word this close to the reply's end is the answer to it ("Shall I book it?" – "Yes."). */
const ANSWER_WINDOW_MS = 1500;

/** The turn is the agent's, and nothing of its reply was heard. */
export function whileThinking(state: TurnState, phase: Phase<'thinking'>, event: TurnEvent, options: TurnOptions): TurnTransition {
  switch (event.type) {
    case 'reply-started':
      return event.replyId === phase.replyId ? enter(state, { ...phase, name: 'agent-speaking' }) : stay(state);
    case 'reply-ended':
      return event.replyId === phase.replyId ? afterReply(state, phase.words, event.atMs, options) : stay(state);
    case 'speech-start':
      // The caller may be going on, and the reply would answer half a turn; or it was a cough, and the reply must still come.
      return canInterrupt(phase, options) && isVoiceTrusted(state, options) ? enterInterrupted(state, phase, event.atMs, 'hold-playout') : stay(state);
    case 'speech-pause':
      return stay(state, phase, { type: 'finalize-transcript' });
    case 'transcript-final':
    case 'transcript-interim': {
      const heard = hearWords(state, phase.words, event);
      return stay(heard.state, { ...phase, words: heard.words });
    }
    default:
      return stay(state);
  }
}

/** The reply is over. Words that were spoken into it without taking the turn are the caller's next turn. */
function afterReply(state: TurnState, words: Words, atMs: number, options: TurnOptions): TurnTransition {
  const text = allText(words);
  const isMeant = text !== '' && (atMs - words.atMs <= ANSWER_WINDOW_MS || !isAcknowledgement(text, options.interruption.acknowledgementWords));
  const turn = { words: isMeant ? words : noWords, startedAtMs: state.voice.startedAtMs ?? words.atMs };
  if (state.voice.isOn) return enterCallerSpeaking(state, turn);
  if (!isMeant) return enterListening(state, options);
  const paused = { ...turn, speechEndMs: Math.max(turn.startedAtMs, state.voice.endedAtMs) };
  return words.interim === '' ? endTurn(state, paused, options) : enterEndpointing(state, paused, options);
}

function canInterrupt(phase: { readonly allowInterrupt: boolean }, options: TurnOptions): boolean {
  return phase.allowInterrupt && options.interruption.isEnabled;
}

/** False once voices have interrupted several times in vain: an echo, music, a talk in the room, a caller who hums along. Words still count. */
function isVoiceTrusted(state: TurnState, options: TurnOptions): boolean {
  return state.falseInterruptions < options.interruption.maxFalseInARow;
}

/** The agent is heard. */
export function whileAgentSpeaking(
  state: TurnState,
  phase: Phase<'agent-speaking'>,
  event: TurnEvent,
  options: TurnOptions,
): TurnTransition {
  const isVoiceEnough = canInterrupt(phase, options) && isVoiceTrusted(state, options) && options.interruption.minWords === 0;
  switch (event.type) {
    case 'speech-onset':
      if (!isVoiceEnough) return stay(state);
      return enter(state, { name: 'held', replyId: phase.replyId, words: phase.words }, { type: 'hold-playout' });
    case 'speech-start':
      return isVoiceEnough ? enterInterrupted(state, phase, event.atMs, 'clear-playout') : stay(state);
    case 'speech-pause':
      return stay(state, phase, { type: 'finalize-transcript' });
    case 'transcript-interim':
    case 'transcript-final': {
      const heard = hearWords(state, phase.words, event);
      return canInterrupt(phase, options) && isTakingTurn(allText(heard.words), options)
        ? takeTurn(heard.state, { ...phase, words: heard.words }, event.atMs, options)
        : stay(heard.state, { ...phase, words: heard.words });
    }
    case 'reply-ended':
      return event.replyId === phase.replyId ? afterReply(state, phase.words, event.atMs, options) : stay(state);
    default:
      return stay(state);
  }
}

/** True where the words are enough, and more than a sign of attention. */
function isTakingTurn(text: string, options: TurnOptions): boolean {
  const { minWords, acknowledgementWords } = options.interruption;
  return splitWords(text).length >= Math.max(1, minWords) && !isAcknowledgement(text, acknowledgementWords);
}

/** The voice has lasted: nothing is lost yet, and words decide. */
function enterInterrupted(
  state: TurnState,
  { replyId, words }: { readonly replyId: string; readonly words: Words },
  atMs: number,
  effect: 'hold-playout' | 'clear-playout',
): TurnTransition {
  return enter(
    state,
    { name: 'interrupted', replyId, words, startedAtMs: atMs, speechEndMs: null },
    { type: effect },
    { type: 'set-timer', timer: 'false-interruption', delayMs: WORDLESS_VOICE_MS },
  );
}

const confirmed = (replyId: string): readonly TurnEffect[] => [
  { type: 'discard-reply', replyId },
  { type: 'note-event', event: 'interruption-confirmed' },
];

/** Words alone take the turn: the agent stops at once. */
function takeTurn(
  state: TurnState,
  { replyId, words }: { readonly replyId: string; readonly words: Words },
  atMs: number,
  options: TurnOptions,
): TurnTransition {
  const turn: OpenTurn = { words, startedAtMs: state.voice.startedAtMs ?? atMs };
  return withEffects([{ type: 'clear-playout' }, ...confirmed(replyId)], giveCallerFloor(state, turn, options));
}

/** A voice may be beginning: playout is held. */
export function whileHeld(state: TurnState, phase: Phase<'held'>, event: TurnEvent, options: TurnOptions): TurnTransition {
  switch (event.type) {
    case 'speech-start':
      return enterInterrupted(state, phase, event.atMs, 'clear-playout');
    case 'speech-dropped':
    case 'speech-pause':
      return resume(state, phase.replyId, phase.words);
    case 'transcript-interim':
    case 'transcript-final': {
      const heard = hearWords(state, phase.words, event);
      return isTakingTurn(allText(heard.words), options)
        ? takeTurn(heard.state, { ...phase, words: heard.words }, event.atMs, options)
        : stay(heard.state, { ...phase, words: heard.words });
    }
    case 'reply-ended':
      return event.replyId === phase.replyId ? afterReply(state, phase.words, event.atMs, options) : stay(state);
    default:
      return stay(state);
  }
}

function resume(state: TurnState, replyId: string, words: Words, ...effects: TurnEffect[]): TurnTransition {
  return enter(state, { name: 'agent-speaking', replyId, allowInterrupt: true, words }, ...effects, { type: 'resume-playout' });
}

/** Playout was stopped by a voice: words make it an interruption, their absence a false one. */
export function whileInterrupted(state: TurnState, phase: Phase<'interrupted'>, event: TurnEvent, options: TurnOptions): TurnTransition {
  switch (event.type) {
    case 'transcript-interim':
    case 'transcript-final': {
      const heard = hearWords(state, phase.words, event);
      const next = { ...phase, words: heard.words };
      const anyWord = { ...options, interruption: { ...options.interruption, minWords: 1 } };
      if (!isTakingTurn(allText(heard.words), anyWord)) return stay(heard.state, next);
      return withEffects(confirmed(phase.replyId), giveCallerFloor(heard.state, next, options));
    }
    case 'speech-pause':
      return stay(
        state,
        { ...phase, speechEndMs: event.speechEndMs },
        { type: 'finalize-transcript' },
        { type: 'set-timer', timer: 'false-interruption', delayMs: options.interruption.falseInterruptionTimeoutMs },
      );
    case 'speech-start':
      return stay(state, { ...phase, speechEndMs: null }, { type: 'set-timer', timer: 'false-interruption', delayMs: WORDLESS_VOICE_MS });
    case 'transcript-settled':
      return phase.speechEndMs === null ? stay(state) : refuteInterruption(state, phase, event.atMs, options);
    case 'vendor-turn-end':
      return refuteInterruption(state, phase, event.atMs, options);
    case 'timer-fired':
      return event.timer === 'false-interruption' ? refuteInterruption(state, phase, event.atMs, options) : stay(state);
    case 'reply-ended':
      return event.replyId === phase.replyId ? afterReply(state, phase.words, event.atMs, options) : stay(state);
    default:
      return stay(state);
  }
}

/** Nobody took the turn: the reply goes on from what was heard, or ends. */
function refuteInterruption(before: TurnState, phase: Phase<'interrupted'>, atMs: number, options: TurnOptions): TurnTransition {
  const { replyId, words, startedAtMs } = phase;
  const isAcknowledged = allText(words) !== '' && words.atMs >= startedAtMs;
  const state = { ...before, falseInterruptions: before.falseInterruptions + 1 };
  const note: TurnEffect = { type: 'note-event', event: isAcknowledged ? 'acknowledgement-heard' : 'interruption-false' };
  if (options.interruption.canResume) return resume(state, replyId, words, note);
  const discard: TurnEffect = { type: 'discard-reply', replyId };
  if (isAcknowledged) return withEffects([discard], endTurn(state, { words, startedAtMs, speechEndMs: phase.speechEndMs ?? atMs }, options));
  return enterListening(state, options, note, discard);
}
