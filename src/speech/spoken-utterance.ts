import { mulawDurationMs } from '../audio/frame.js';
import type { Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { createAudioWatch } from './audio-watch.js';
import type { TextToSpeechEvent, Utterance } from './text-to-speech.js';
import type { SpokenWord, VoiceMessage } from './voice-protocol.js';

const DEFAULT_STALL_AFTER_MS = 2000;

/** How a vendor's contexts behave in time. */
export interface ContextTimes {
  /** Text, or the end of text, that brings no audio for this long is lost. Default 2000. */
  readonly stallAfterMs?: number;
  /** The vendor gives up a context that has been silent for this long and refuses text for it from then on. Default: never. */
  readonly contextQuietMs?: number;
}

/** What an utterance needs of the call's connection. */
export interface UtteranceWire {
  /** Starts a context; its messages come to {@link SpokenUtterance.receive}. */
  openContext(): string;
  /** False: the connection cannot take it. */
  speak(contextId: string, text: string, isLast: boolean): boolean;
  cancel(contextId: string): void;
  /** No more messages of the context are wanted. */
  forget(contextId: string): void;
  /** The connection keeps the context waiting: it is not to be trusted any more. */
  abandon(error: AgentStreamError): void;
}

/** An utterance in the making. */
export interface SpokenUtterance extends Utterance {
  receive(message: VoiceMessage): void;
  /** The connection is lost. */
  fail(error: AgentStreamError): void;
}

function shiftWords(words: readonly SpokenWord[], offsetMs: number): SpokenWord[] {
  return words.map((word) => ({ text: word.text, startMs: word.startMs + offsetMs, endMs: word.endMs + offsetMs }));
}

function unreachable(message: string): AgentStreamError {
  return new AgentStreamError('vendor-unreachable', { message });
}

/** Holds spaces back until the next words: text without any is not worth a request. */
function createTextCarry() {
  let carried = '';
  let hasWords = false;
  return {
    /** What to hand over now; null: nothing but spaces yet. */
    take(text: string): string | null {
      carried += text;
      if (carried.trim() === '') return null;
      const taken = carried;
      carried = '';
      hasWords ||= /[\p{L}\p{N}]/u.test(taken);
      return taken;
    },
    /** Whether anything that can be spoken was taken. */
    hasWords: () => hasWords,
  };
}

type State =
  /** `contextId` null: no text is with the vendor. */
  | { readonly kind: 'speaking'; readonly contextId: string | null; readonly isEnded: boolean }
  | { readonly kind: 'over' };

/**
 * Speaks one reply over a vendor's contexts. A context that the vendor gives up while the reply's text pauses is followed by another
 * one; word times stay those of the utterance.
 */
export function createSpokenUtterance(
  clock: Clock,
  wire: UtteranceWire,
  onEvent: (event: TextToSpeechEvent) => void,
  times: ContextTimes = {},
): SpokenUtterance {
  const { stallAfterMs = DEFAULT_STALL_AFTER_MS, contextQuietMs = Infinity } = times;
  let state: State = { kind: 'speaking', contextId: null, isEnded: false };
  const carry = createTextCarry();
  let audioBytes = 0;
  /** Audio before the current context, in ms: where its word times start. */
  let contextStartMs = 0;
  const watch = createAudioWatch(clock, stallAfterMs, onStall);

  function leave(): void {
    watch.stop();
    if (state.kind === 'speaking' && state.contextId !== null) wire.forget(state.contextId);
    state = { kind: 'over' };
  }

  function fail(error: AgentStreamError): void {
    if (state.kind === 'over') return;
    leave();
    onEvent({ type: 'tts-failed', error });
  }

  function onStall(): void {
    const error = unreachable('The vendor stopped sending audio.');
    wire.abandon(error);
    fail(error);
  }

  function finish(): void {
    const isMute = carry.hasWords() && audioBytes === 0;
    if (isMute) return fail(new AgentStreamError('vendor-protocol', { message: 'The vendor spoke no audio for the text.' }));
    leave();
    onEvent({ type: 'tts-end' });
  }

  function send(text: string, isLast: boolean): void {
    if (state.kind === 'over') return;
    if (state.contextId === null) contextStartMs = mulawDurationMs(audioBytes);
    const contextId = state.contextId ?? wire.openContext();
    state = { kind: 'speaking', contextId, isEnded: isLast };
    watch.noteText();
    if (!wire.speak(contextId, text, isLast)) fail(unreachable('The vendor takes no more text.'));
  }

  /** Drops a context that has said everything and that the vendor has given up by now. */
  function dropQuietContext(): void {
    if (state.kind === 'over' || state.contextId === null || watch.quietMs() < contextQuietMs) return;
    wire.forget(state.contextId);
    state = { kind: 'speaking', contextId: null, isEnded: false };
  }

  function onAudio(audio: Buffer): void {
    if (audio.length === 0 || state.kind === 'over') return;
    audioBytes += audio.length;
    watch.noteAudio(state.isEnded);
    onEvent({ type: 'audio', audio });
  }

  function onDone(): void {
    if (state.kind === 'over') return;
    watch.stop();
    if (state.contextId !== null) wire.forget(state.contextId);
    if (state.isEnded) finish();
    else state = { kind: 'speaking', contextId: null, isEnded: false };
  }

  return {
    push(text) {
      if (state.kind === 'over' || state.isEnded) return;
      const transcript = carry.take(text);
      if (transcript === null) return;
      dropQuietContext();
      send(transcript, false);
    },
    end() {
      if (state.kind === 'over' || state.isEnded) return;
      dropQuietContext();
      if (state.contextId === null) finish();
      else send('', true);
    },
    cancel() {
      if (state.kind === 'speaking' && state.contextId !== null) wire.cancel(state.contextId);
      leave();
    },
    receive(message) {
      if (message.type === 'audio') onAudio(message.audio);
      else if (message.type === 'done') onDone();
      else if (message.type === 'error') fail(message.error);
      else if (message.words.length > 0 && state.kind === 'speaking') {
        onEvent({ type: 'words', words: shiftWords(message.words, contextStartMs) });
      }
    },
    fail,
  };
}
