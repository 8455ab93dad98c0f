import { completenessOf, endpointingDelayMs } from './endpointing.js';
import { whileAgentSpeaking, whileHeld, whileInterrupted, whileThinking } from './interruption.js';
import {
  awaitVendor,
  dropPreparedReply,
  endTurn,
  enter,
  enterCallerSpeaking,
  enterEndpointing,
  finalizeTranscript,
  hearWords,
  prepareReply,
  stay,
  trustVoice,
  withEffects,
  wordsOf,
  type Event,
  type Phase,
} from './moves.js';
import type { TurnOptions } from './options.js';
import { noWords, type TurnEvent, type TurnState, type TurnTransition, type Words } from './turn.js';
import { allText } from './words.js';

/**
 * Turn-taking, decided: what is heard and said goes in, what must be done comes out. Pure; time comes with the events.
 */
export function transition(before: TurnState, event: TurnEvent, options: TurnOptions): TurnTransition {
  if (before.phase.name === 'ended') return { state: before, effects: [] };
  return noteFinalizes(decide(noteAnswer(noteVoice(before, event), event), event, options));
}

function decide(state: TurnState, event: TurnEvent, options: TurnOptions): TurnTransition {
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
    case 'ended':
      return stay(state);
  }
}

function noteVoice(state: TurnState, event: TurnEvent): TurnState {
  if (event.type === 'speech-start') return { ...state, voice: { ...state.voice, isOn: true, startedAtMs: event.atMs } };
  if (event.type === 'speech-pause') return { ...state, voice: { ...state.voice, isOn: false, endedAtMs: event.speechEndMs } };
  return state;
}

/** A recogniser that was waited for in vain may answer later, or never. */
function noteAnswer(state: TurnState, event: TurnEvent): TurnState {
  if (event.type === 'timer-fired' && event.timer === 'transcript') return { ...state, openFinalizes: 0 };
  return event.type === 'transcript-settled' ? { ...state, openFinalizes: Math.max(0, state.openFinalizes - 1) } : state;
}

function noteFinalizes({ state, effects }: TurnTransition): TurnTransition {
  const asked = effects.filter(({ type }) => type === 'finalize-transcript').length;
  return { state: asked === 0 ? state : { ...state, openFinalizes: state.openFinalizes + asked }, effects };
}

function onCallEnded(state: TurnState, atMs: number): TurnTransition {
  const { phase } = state;
  const text = allText(wordsOf(phase));
  if (text === '') return enter(state, { name: 'ended' });
  const startedAtMs = 'startedAtMs' in phase ? phase.startedAtMs : (state.voice.startedAtMs ?? wordsOf(phase).atMs);
  const turnId = state.turnId + 1;
  return enter({ ...state, turnId }, { name: 'ended' }, { type: 'keep-words', turnId, text, startedAtMs, speechEndMs: atMs });
}

function onReplyRequested(state: TurnState, event: Event<'reply-requested'>): TurnTransition {
  const { replyId, allowInterrupt } = event;
  return dropPreparedReply(enter(state, { name: 'thinking', replyId, allowInterrupt, words: wordsOf(state.phase) }));
}

function whileListening(state: TurnState, event: TurnEvent, options: TurnOptions): TurnTransition {
  switch (event.type) {
    case 'speech-start':
      return enterCallerSpeaking(state, { words: noWords, startedAtMs: event.atMs });
    case 'transcript-interim':
    case 'transcript-final': {
      // Words without a detected voice (too quiet, or late): they open the turn, and silence closes it.
      const heard = hearWords(state, noWords, event);
      if (allText(heard.words) === '') return stay(heard.state);
      return enterEndpointing(heard.state, { words: heard.words, startedAtMs: event.atMs, speechEndMs: event.atMs }, options);
    }
    case 'key-pressed':
      return stay({ ...state, idleCount: 0 }, state.phase, { type: 'set-timer', timer: 'idle', delayMs: options.idleTimeoutMs });
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

function whileCallerSpeaking(state: TurnState, phase: Phase<'caller-speaking'>, event: TurnEvent, options: TurnOptions): TurnTransition {
  switch (event.type) {
    case 'transcript-interim':
    case 'transcript-final': {
      const heard = hearWords(state, phase.words, event);
      const next = stay(heard.state, { ...phase, words: heard.words }, trustVoice);
      // What was begun in a lull answers the words so far, and is of use until there are others.
      return options.hasVendorTurns || allText(heard.words) === state.preparation.text ? next : dropPreparedReply(next);
    }
    case 'speech-lull':
      return options.canFinalizeEarly && state.openFinalizes === 0 ? stay(state, { ...phase, lull: 'asked' }, finalizeTranscript) : stay(state);
    case 'speech-resumed':
      return stay(state, { ...phase, lull: 'none' });
    case 'transcript-settled':
      return phase.lull === 'asked' ? prepareInLull(stay(state, { ...phase, lull: 'settled' }), phase.words, options) : stay(state);
    case 'speech-pause':
      return pause(state, phase, event, options);
    case 'timer-fired':
      return event.timer === 'wordless-voice' ? enterEndpointing(state, { ...phase, speechEndMs: event.atMs }, options) : stay(state);
    case 'vendor-turn-pause':
      return prepareReply(stay(state), phase.words, options);
    case 'vendor-turn-resumed':
      return dropPreparedReply(stay(state));
    case 'vendor-turn-end':
      return endTurn(state, { ...phase, speechEndMs: event.atMs }, options);
    default:
      return stay(state);
  }
}

/**
 * A lull is mostly not the end: words that go on begin no reply, and the turn's last one is kept for the pause unless the words
 * sound complete.
 */
function prepareInLull(result: TurnTransition, words: Words, options: TurnOptions): TurnTransition {
  const completeness = completenessOf(allText(words));
  const { maxPerTurn } = options.preparation;
  const isLast = maxPerTurn > 1 && result.state.preparation.count >= maxPerTurn - 1;
  if (completeness === 'unfinished' || (completeness === 'unsure' && isLast)) return result;
  return prepareReply(result, words, options);
}

/** The lull became a pause: what it brought counts. Where it brought no words, they are asked for once more. */
function pause(state: TurnState, phase: Phase<'caller-speaking'>, event: Event<'speech-pause'>, options: TurnOptions): TurnTransition {
  const turn = { ...phase, speechEndMs: event.speechEndMs };
  if (phase.lull !== 'settled' || allText(phase.words) === '') {
    return enterEndpointing(state, turn, options, phase.lull === 'asked' ? 'asked' : 'none');
  }
  const paused = enterEndpointing(state, turn, options, 'settled');
  if (paused.state.phase.name !== 'endpointing') return paused;
  return withEffects(paused.effects, settle(paused.state, paused.state.phase, event.atMs, options));
}

function whileEndpointing(state: TurnState, phase: Phase<'endpointing'>, event: TurnEvent, options: TurnOptions): TurnTransition {
  switch (event.type) {
    case 'speech-start':
      return enterCallerSpeaking(state, phase);
    case 'speech-pause':
      return enterEndpointing(state, { ...phase, speechEndMs: event.speechEndMs }, options);
    case 'transcript-interim': {
      const heard = hearWords(state, phase.words, event);
      const next = { ...phase, words: heard.words };
      const isGoingOn = state.voice.isOn && allText(heard.words) !== allText(phase.words);
      if (isGoingOn) return enterCallerSpeaking(heard.state, next);
      return options.hasVendorTurns ? stay(heard.state, next, awaitVendor(next.words, options)) : stay(heard.state, next);
    }
    case 'transcript-final': {
      const heard = hearWords(state, phase.words, event);
      const next = { ...phase, words: heard.words };
      if (options.hasVendorTurns) return stay(heard.state, next, awaitVendor(next.words, options));
      return phase.isSettled ? settle(heard.state, next, event.atMs, options) : stay(heard.state, next);
    }
    case 'vendor-turn-pause':
      return prepareReply(stay(state), phase.words, options);
    case 'vendor-turn-resumed':
      return dropPreparedReply(stay(state));
    case 'transcript-settled':
      // The answer to an earlier request does not hold what was said since.
      return options.hasVendorTurns || state.openFinalizes > 0 ? stay(state) : settle(state, phase, event.atMs, options);
    case 'vendor-turn-end':
      return endTurn(state, phase, options);
    case 'timer-fired':
      if (event.timer === 'endpointing' || options.hasVendorTurns) return endTurn(state, phase, options);
      return event.timer === 'transcript' ? settle(state, phase, event.atMs, options) : stay(state);
    default:
      return stay(state);
  }
}

/** The words are settled: what is left of the endpointing delay is waited out, or the turn ends at once. */
function settle(state: TurnState, phase: Phase<'endpointing'>, atMs: number, options: TurnOptions): TurnTransition {
  const text = allText(phase.words);
  if (text === '') return endTurn(state, phase, options);
  const remainingMs = phase.speechEndMs + endpointingDelayMs(text, options.endpointing) - atMs;
  if (remainingMs <= 0) return endTurn(state, phase, options);
  const settled = stay(
    state,
    { ...phase, isSettled: true },
    { type: 'cancel-timer', timer: 'transcript' },
    { type: 'set-timer', timer: 'endpointing', delayMs: remainingMs },
  );
  return prepareReply(settled, phase.words, options);
}
