import { endpointingDelayMs } from './endpointing.js';
import type { TurnOptions } from './options.js';
import {
  noWords,
  type TurnEffect,
  type TurnEvent,
  type TurnPhase,
  type TurnState,
  type TurnTimer,
  type TurnTransition,
  type Words,
} from './turn.js';
import { addFinal, allText, isAcknowledgement, setInterim, splitWords } from './words.js';

type Phase<Name extends TurnPhase['name']> = Extract<TurnPhase, { name: Name }>;
type Event<Type extends TurnEvent['type']> = Extract<TurnEvent, { type: Type }>;

/** Timers that belong to a phase: leaving it cancels them. */
const phaseTimers: Readonly<Record<TurnPhase['name'], readonly TurnTimer[]>> = {
  listening: ['idle'],
  'caller-speaking': [],
  endpointing: ['endpointing', 'transcript'],
  thinking: [],
  'agent-speaking': [],
  held: [],
  interrupted: ['false-interruption'],
  ended: [],
};

/**
 * Turn-taking, decided: what is heard and said goes in, what must be done comes out. Pure; time comes with the events.
 */
export function transition(state: TurnState, event: TurnEvent, options: TurnOptions): TurnTransition {
  if (state.phase.name === 'ended') return { state, effects: [] };
  if (event.type === 'call-ended') return onCallEnded(state, event.atMs);
  if (event.type === 'reply-requested') return onReplyRequested(state, event);
  switch (state.phase.name) {
    case 'listening':
      return whileListening(state, event, options);
    case 'caller-speaking':
      return whileCallerSpeaking(state, state.phase, event, options);
    case 'endpointing':
      return whileEndpointing(state, state.phase, event, options);
    case 'thinking':
      return whileThinking(state, state.phase, event, options);
    case 'agent-speaking':
      return whileAgentSpeaking(state, state.phase, event, options);
    case 'held':
      return whileHeld(state, state.phase, event, options);
    case 'interrupted':
      return whileInterrupted(state, state.phase, event, options);
  }
}

/** Moves to another phase: cancels the timers of the one that is left. */
function enter(state: TurnState, phase: TurnPhase, ...effects: TurnEffect[]): TurnTransition {
  const cancelled = phaseTimers[state.phase.name].map((timer): TurnEffect => ({ type: 'cancel-timer', timer }));
  return { state: { ...state, phase }, effects: [...cancelled, ...effects] };
}

/** Stays in the phase with other data. */
function stay(state: TurnState, phase: TurnPhase = state.phase, ...effects: TurnEffect[]): TurnTransition {
  return { state: { ...state, phase }, effects };
}

function enterListening(state: TurnState, options: TurnOptions, ...effects: TurnEffect[]): TurnTransition {
  return enter(state, { name: 'listening' }, ...effects, { type: 'set-timer', timer: 'idle', delayMs: options.idleTimeoutMs });
}

function enterCallerSpeaking(state: TurnState, startedAtMs: number, words: Words, ...effects: TurnEffect[]): TurnTransition {
  return enter(state, { name: 'caller-speaking', words, startedAtMs }, ...effects);
}

function onCallEnded(state: TurnState, atMs: number): TurnTransition {
  const text = 'words' in state.phase ? allText(state.phase.words) : '';
  if (text === '') return enter(state, { name: 'ended' });
  const startedAtMs = 'startedAtMs' in state.phase ? state.phase.startedAtMs : atMs;
  const turnId = state.turnId + 1;
  return enter({ ...state, turnId }, { name: 'ended' }, { type: 'keep-words', turnId, text, startedAtMs, speechEndMs: atMs });
}

function onReplyRequested(state: TurnState, event: Event<'reply-requested'>): TurnTransition {
  const { replyId, allowInterrupt } = event;
  const words = 'words' in state.phase ? state.phase.words : noWords;
  return enter(state, { name: 'thinking', replyId, allowInterrupt, words });
}

function wordsAfter(words: Words, event: Event<'transcript-interim'> | Event<'transcript-final'>): Words {
  return event.type === 'transcript-final' ? addFinal(words, event.text) : setInterim(words, event.text);
}

function whileListening(state: TurnState, event: TurnEvent, options: TurnOptions): TurnTransition {
  switch (event.type) {
    case 'speech-start':
      return enterCallerSpeaking(state, event.atMs, noWords);
    case 'transcript-interim':
    case 'transcript-final': {
      // Words without a detected voice (too quiet, or late): they open the turn, and silence closes it.
      if (event.text.trim() === '') return stay(state);
      const words = wordsAfter(noWords, event);
      return enterEndpointing(state, { words, startedAtMs: event.atMs, speechEndMs: event.atMs }, options);
    }
    case 'timer-fired': {
      if (event.timer !== 'idle') return stay(state);
      const idleCount = state.idleCount + 1;
      return stay({ ...state, idleCount }, state.phase, { type: 'report-idle', count: idleCount }, {
        type: 'set-timer',
        timer: 'idle',
        delayMs: options.idleTimeoutMs,
      });
    }
    default:
      return stay(state);
  }
}

function whileCallerSpeaking(
  state: TurnState,
  phase: Phase<'caller-speaking'>,
  event: TurnEvent,
  options: TurnOptions,
): TurnTransition {
  switch (event.type) {
    case 'transcript-interim':
    case 'transcript-final':
      return stay(state, { ...phase, words: wordsAfter(phase.words, event) });
    case 'speech-pause':
      return enterEndpointing(state, { ...phase, speechEndMs: event.speechEndMs }, options);
    case 'vendor-turn-end':
      return endTurn(state, { ...phase, speechEndMs: event.atMs }, options);
    default:
      return stay(state);
  }
}

interface PausedTurn {
  readonly words: Words;
  readonly startedAtMs: number;
  readonly speechEndMs: number;
}

function enterEndpointing(state: TurnState, turn: PausedTurn, options: TurnOptions): TurnTransition {
  const { words, startedAtMs, speechEndMs } = turn;
  return enter(
    state,
    { name: 'endpointing', words, startedAtMs, speechEndMs, isSettled: false },
    { type: 'finalize-transcript' },
    { type: 'set-timer', timer: 'transcript', delayMs: options.endpointing.transcriptTimeoutMs },
  );
}

function whileEndpointing(state: TurnState, phase: Phase<'endpointing'>, event: TurnEvent, options: TurnOptions): TurnTransition {
  switch (event.type) {
    case 'speech-start':
      return enterCallerSpeaking(state, phase.startedAtMs, phase.words);
    case 'transcript-interim':
      return stay(state, { ...phase, words: wordsAfter(phase.words, event) });
    case 'transcript-final': {
      const words = wordsAfter(phase.words, event);
      return phase.isSettled ? settle(state, { ...phase, words }, event.atMs, options) : stay(state, { ...phase, words });
    }
    case 'transcript-settled':
      return settle(state, phase, event.atMs, options);
    case 'vendor-turn-end':
      return endTurn(state, phase, options);
    case 'timer-fired':
      if (event.timer === 'endpointing') return endTurn(state, phase, options);
      return event.timer === 'transcript' ? settle(state, phase, event.atMs, options) : stay(state);
    default:
      return stay(state);
  }
}

/** The words are settled: what is left of the endpointing delay is waited out, or the turn ends at once. */
function settle(state: TurnState, phase: Phase<'endpointing'>, atMs: number, options: TurnOptions): TurnTransition {
  const text = allText(phase.words);
  if (text === '') return endTurn(state, phase, options);
  const vendorGraceMs = options.hasVendorTurns ? options.endpointing.maxDelayMs : endpointingDelayMs(text, options.endpointing);
  const remainingMs = phase.speechEndMs + vendorGraceMs - atMs;
  if (remainingMs <= 0) return endTurn(state, phase, options);
  return stay(
    state,
    { ...phase, isSettled: true },
    { type: 'cancel-timer', timer: 'transcript' },
    { type: 'set-timer', timer: 'endpointing', delayMs: remainingMs },
  );
}

function endTurn(state: TurnState, turn: PausedTurn, options: TurnOptions): TurnTransition {
  const text = allText(turn.words);
  if (text === '') return enterListening(state, options, { type: 'note-event', event: 'turn-without-words' });
  const turnId = state.turnId + 1;
  const { startedAtMs, speechEndMs } = turn;
  // The shell answers with reply-requested; until then the floor is nobody's.
  return enterListening({ ...state, turnId, idleCount: 0 }, options, { type: 'commit-turn', turnId, text, startedAtMs, speechEndMs });
}

function whileThinking(state: TurnState, phase: Phase<'thinking'>, event: TurnEvent, options: TurnOptions): TurnTransition {
  switch (event.type) {
    case 'reply-started':
      return event.replyId === phase.replyId ? enter(state, { ...phase, name: 'agent-speaking' }) : stay(state);
    case 'reply-ended':
      return event.replyId === phase.replyId ? afterReply(state, phase.words, event.atMs, options) : stay(state);
    case 'speech-start':
      // The caller may be going on, and the reply would answer half a turn; or it was a cough, and the reply must still come.
      if (!phase.allowInterrupt || !options.interruption.isEnabled) return stay(state);
      return enter(
        state,
        { name: 'interrupted', replyId: phase.replyId, words: phase.words, startedAtMs: event.atMs, speechEndMs: null },
        { type: 'hold-playout' },
      );
    case 'transcript-final':
    case 'transcript-interim':
      return stay(state, { ...phase, words: wordsAfter(phase.words, event) });
    default:
      return stay(state);
  }
}

/** The reply is over. Words that were spoken into it without taking the turn are the caller's next turn. */
function afterReply(state: TurnState, words: Words, atMs: number, options: TurnOptions): TurnTransition {
  const text = allText(words);
  if (text === '' || isAcknowledgement(text, options.interruption.acknowledgementWords)) return enterListening(state, options);
  return endTurn(state, { words, startedAtMs: atMs, speechEndMs: atMs }, options);
}

function canInterrupt(phase: Phase<'agent-speaking'>, options: TurnOptions): boolean {
  return phase.allowInterrupt && options.interruption.isEnabled;
}

function whileAgentSpeaking(
  state: TurnState,
  phase: Phase<'agent-speaking'>,
  event: TurnEvent,
  options: TurnOptions,
): TurnTransition {
  switch (event.type) {
    case 'speech-onset':
      if (!canInterrupt(phase, options) || options.interruption.minWords > 0) return stay(state);
      return enter(state, { name: 'held', replyId: phase.replyId, words: phase.words }, { type: 'hold-playout' });
    case 'speech-start':
      if (!canInterrupt(phase, options) || options.interruption.minWords > 0) return stay(state);
      return interrupt(state, phase, event.atMs);
    case 'transcript-interim':
    case 'transcript-final': {
      const next = { ...phase, words: wordsAfter(phase.words, event) };
      return canInterrupt(phase, options) && isTakingTurn(allText(next.words), options)
        ? takeTurn(state, next.replyId, next.words, event.atMs)
        : stay(state, next);
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

function interrupt(state: TurnState, phase: { replyId: string; words: Words }, atMs: number): TurnTransition {
  return enter(
    state,
    { name: 'interrupted', replyId: phase.replyId, words: phase.words, startedAtMs: atMs, speechEndMs: null },
    { type: 'clear-playout' },
  );
}

function takeTurn(state: TurnState, replyId: string, words: Words, atMs: number): TurnTransition {
  return enterCallerSpeaking(
    state,
    atMs,
    words,
    { type: 'clear-playout' },
    { type: 'discard-reply', replyId },
    { type: 'note-event', event: 'interruption-confirmed' },
  );
}

function whileHeld(state: TurnState, phase: Phase<'held'>, event: TurnEvent, options: TurnOptions): TurnTransition {
  switch (event.type) {
    case 'speech-start':
      return interrupt(state, phase, event.atMs);
    case 'speech-dropped':
    case 'speech-pause':
      return resume(state, phase.replyId, phase.words);
    case 'transcript-interim':
    case 'transcript-final': {
      const words = wordsAfter(phase.words, event);
      return isTakingTurn(allText(words), options)
        ? takeTurn(state, phase.replyId, words, event.atMs)
        : stay(state, { ...phase, words });
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

function whileInterrupted(state: TurnState, phase: Phase<'interrupted'>, event: TurnEvent, options: TurnOptions): TurnTransition {
  switch (event.type) {
    case 'transcript-interim':
    case 'transcript-final': {
      const words = wordsAfter(phase.words, event);
      if (!isTakingTurn(allText(words), { ...options, interruption: { ...options.interruption, minWords: 1 } }))
        return stay(state, { ...phase, words });
      return confirmInterruption(state, { ...phase, words }, options);
    }
    case 'speech-pause':
      return stay(
        state,
        { ...phase, speechEndMs: event.speechEndMs },
        { type: 'finalize-transcript' },
        { type: 'set-timer', timer: 'false-interruption', delayMs: options.interruption.falseInterruptionTimeoutMs },
      );
    case 'speech-start':
      return stay(state, { ...phase, speechEndMs: null }, { type: 'cancel-timer', timer: 'false-interruption' });
    case 'transcript-settled':
      return phase.speechEndMs === null ? stay(state) : refuteInterruption(state, phase, event.atMs, options);
    case 'timer-fired':
      return event.timer === 'false-interruption' ? refuteInterruption(state, phase, event.atMs, options) : stay(state);
    case 'reply-ended':
      return event.replyId === phase.replyId ? enterCallerSpeaking(state, phase.startedAtMs, phase.words) : stay(state);
    default:
      return stay(state);
  }
}

function confirmInterruption(state: TurnState, phase: Phase<'interrupted'>, options: TurnOptions): TurnTransition {
  const { words, startedAtMs, speechEndMs, replyId } = phase;
  const confirmed: TurnEffect[] = [
    { type: 'discard-reply', replyId },
    { type: 'note-event', event: 'interruption-confirmed' },
  ];
  if (speechEndMs === null) return enterCallerSpeaking(state, startedAtMs, words, ...confirmed);
  const paused = enterEndpointing(state, { words, startedAtMs, speechEndMs }, options);
  return { state: paused.state, effects: [...confirmed, ...paused.effects] };
}

/** Nobody took the turn: the reply goes on from what was heard, or ends. */
function refuteInterruption(state: TurnState, phase: Phase<'interrupted'>, atMs: number, options: TurnOptions): TurnTransition {
  const isAcknowledged = allText(phase.words) !== '';
  const note: TurnEffect = { type: 'note-event', event: isAcknowledged ? 'acknowledgement-heard' : 'interruption-false' };
  if (options.interruption.canResume) return resume(state, phase.replyId, noWords, note);
  if (isAcknowledged) {
    const ended = endTurn(state, { ...phase, speechEndMs: phase.speechEndMs ?? atMs }, options);
    return { state: ended.state, effects: [{ type: 'discard-reply', replyId: phase.replyId }, ...ended.effects] };
  }
  return enterListening(state, options, note, { type: 'discard-reply', replyId: phase.replyId });
}
