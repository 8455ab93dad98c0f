import { mulawDurationMs } from '../../audio/frame.js';
import type { Clock, Timer } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import { vendorStatusError } from '../../base/http-status.js';
import type { TextToSpeechEvent, Utterance } from '../text-to-speech.js';
import type { SpeechMessage } from './messages.js';

/** Text or the end of text that brings no audio for this long is lost. */
const STALL_AFTER_MS = 2000;

/** The vendor ends a context a second after its last audio and refuses text for it from then on; less a message's way there. */
const CONTEXT_QUIET_MS = 900;

/** Knows whether audio is due, from when text left and audio came. */
function createAudioWatch(clock: Clock, onStall: () => void) {
  let timer: Timer | null = null;
  /** When audio last came, if it came after the last text; null while text waits for its audio. */
  let audioMs: number | null = null;
  const expect = () => {
    timer?.cancel();
    timer = clock.setTimer(STALL_AFTER_MS, onStall);
  };
  return {
    noteText() {
      audioMs = null;
      expect();
    },
    /** Before the end of the text silence may just mean that all of it was spoken. */
    noteAudio(isMoreDue: boolean) {
      audioMs = clock.nowMs();
      if (isMoreDue) expect();
      else timer?.cancel();
    },
    /** All text was spoken, so long ago that the vendor has given up the context. */
    isQuiet: () => audioMs !== null && clock.nowMs() - audioMs >= CONTEXT_QUIET_MS,
    stop: () => timer?.cancel(),
  };
}

/** What an utterance needs of the call's connection. */
export interface UtteranceWire {
  /** Starts a context; its messages come to {@link LiveUtterance.receive}. */
  openContext(): string;
  /** False: the connection cannot take it. */
  speak(contextId: string, text: string, isLast: boolean): boolean;
  cancel(contextId: string): void;
  /** No more messages of the context are wanted. */
  forget(contextId: string): void;
}

/** An utterance in the making. */
export interface LiveUtterance extends Utterance {
  receive(message: SpeechMessage): void;
  /** The connection is lost. */
  fail(error: AgentStreamError): void;
}

type Words = Extract<TextToSpeechEvent, { type: 'words' }>['words'];

function shiftWords(words: Words, offsetMs: number): Words {
  return words.map((word) => ({ text: word.text, startMs: word.startMs + offsetMs, endMs: word.endMs + offsetMs }));
}

function unreachable(message: string): AgentStreamError {
  return new AgentStreamError('vendor-unreachable', { message });
}

type State =
  /** `contextId` null: no text is with the vendor. */
  | { readonly kind: 'speaking'; readonly contextId: string | null; readonly isEnded: boolean }
  | { readonly kind: 'over' };

/**
 * Speaks one reply. The vendor closes a context about a second after its last audio, so an utterance whose text pauses for longer
 * continues in another context.
 */
export function createUtterance(clock: Clock, wire: UtteranceWire, onEvent: (event: TextToSpeechEvent) => void): LiveUtterance {
  let state: State = { kind: 'speaking', contextId: null, isEnded: false };
  /** Spaces that wait for the next words: text without any is not worth a request. */
  let carried = '';
  let hasWords = false;
  let audioBytes = 0;
  /** Audio before the current context, in ms: where its word times start. */
  let contextStartMs = 0;
  const watch = createAudioWatch(clock, () => lose(unreachable('The vendor stopped sending audio.')));

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

  function lose(error: AgentStreamError): void {
    if (state.kind === 'speaking' && state.contextId !== null) wire.cancel(state.contextId);
    fail(error);
  }

  function finish(): void {
    if (hasWords && audioBytes === 0) {
      fail(new AgentStreamError('vendor-protocol', { message: 'The vendor spoke no audio for the text.' }));
      return;
    }
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
    if (state.kind === 'over' || state.contextId === null || !watch.isQuiet()) return;
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
      carried += text;
      if (carried.trim() === '') return;
      const transcript = carried;
      carried = '';
      hasWords ||= /[\p{L}\p{N}]/u.test(transcript);
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
      if (message.type === 'chunk') onAudio(message.audio);
      else if (message.type === 'done') onDone();
      else if (message.type === 'error') fail(vendorStatusError(message.httpStatus));
      else if (message.type === 'words' && message.words.length > 0 && state.kind === 'speaking') {
        onEvent({ type: 'words', words: shiftWords(message.words, contextStartMs) });
      }
    },
    fail,
  };
}
