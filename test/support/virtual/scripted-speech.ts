import { FRAME_BYTES, FRAME_MS } from '../../../src/audio/frame.js';
import type { Clock, Timer } from '../../../src/base/clock.js';
import { AgentStreamError } from '../../../src/base/errors.js';
import type { SpeechToText, SpeechToTextEvent, SpeechToTextStream } from '../../../src/speech/speech-to-text.js';
import type { TextToSpeech, TextToSpeechEvent, Utterance } from '../../../src/speech/text-to-speech.js';
import { tagOf, voicedFrame } from './tagged-audio.js';

/** How the recogniser behaves. */
export interface ScriptedSpeechToTextOptions {
  /** From the end of a word to its interim text; null: no interim texts. Default 100. */
  readonly interimDelayMs?: number | null;
  /** From `finalize` to the final text. Default 100. */
  readonly finalDelayMs?: number;
  /** It decides when a turn is over: so long after the last word. Default: it does not. */
  readonly turnEndMs?: number;
  /** True: the words never settle and `finalize` is not answered. */
  readonly isMute?: boolean;
  /** Fails so long after it was opened. */
  readonly failsAtMs?: number;
  /** What it fails with. Default `vendor-unreachable`. */
  readonly error?: AgentStreamError;
  /** True: it never says that it takes audio. */
  readonly isNeverReady?: boolean;
  /** True: it may be asked for its words at every lull. Default false. */
  readonly earlyFinalize?: boolean;
}

/** A recogniser that hears the words which the virtual caller's frames carry. */
export interface ScriptedSpeechToText extends SpeechToText {
  /** Every text reported to the call. */
  readonly reported: readonly { readonly atMs: number; readonly type: 'interim' | 'final'; readonly text: string }[];
  readonly finalizes: number;
  readonly isOpen: boolean;
  fail(): void;
  /** The call's callback: for events out of turn. */
  emit(event: SpeechToTextEvent): void;
}

/** Creates the recogniser. `wordEndingIn` reads a frame. */
export function createScriptedSpeechToText(
  clock: Clock,
  wordEndingIn: (frame: Uint8Array) => string | undefined,
  options: ScriptedSpeechToTextOptions,
): ScriptedSpeechToText {
  const { interimDelayMs = 100, finalDelayMs = 100 } = options;
  const reported: { atMs: number; type: 'interim' | 'final'; text: string }[] = [];
  const timers = new Set<Timer>();
  let onEvent: ((event: SpeechToTextEvent) => void) | null = null;
  let pending: string[] = [];
  let finalizes = 0;
  let words = 0;

  const later = (delayMs: number, act: () => void) => {
    const timer = clock.setTimer(delayMs, () => {
      timers.delete(timer);
      act();
    });
    timers.add(timer);
  };
  const report = (type: 'interim' | 'final', text: string) => {
    if (text === '' || onEvent === null) return;
    reported.push({ atMs: clock.nowMs(), type, text });
    onEvent({ type: type === 'interim' ? 'transcript-interim' : 'transcript-final', text });
  };
  const close = () => {
    onEvent = null;
    for (const timer of timers) timer.cancel();
    timers.clear();
  };
  const fail = () => {
    const deliver = onEvent;
    close();
    deliver?.({ type: 'stt-failed', error: options.error ?? new AgentStreamError('vendor-unreachable') });
  };

  const settle = () => {
    const text = pending.join(' ');
    pending = [];
    report('final', text);
  };
  const endTurnAfter = (delayMs: number, wordsBefore: number) => {
    later(delayMs, () => {
      if (words !== wordsBefore || options.isMute === true) return;
      settle();
      onEvent?.({ type: 'turn-end' });
    });
  };

  const stream: SpeechToTextStream = {
    push(audio) {
      const word = onEvent === null ? undefined : wordEndingIn(audio);
      if (word === undefined) return;
      pending.push(word);
      words += 1;
      if (options.turnEndMs !== undefined) endTurnAfter(options.turnEndMs, words);
      const soFar = pending.join(' ');
      if (interimDelayMs !== null && options.isMute !== true) later(interimDelayMs, () => pending.length > 0 && report('interim', soFar));
    },
    finalize() {
      finalizes += 1;
      if (onEvent === null || options.isMute === true) return;
      later(finalDelayMs, () => {
        settle();
        onEvent?.({ type: 'finalized' });
      });
    },
    close,
  };

  return {
    vendor: 'scripted',
    model: 'stt',
    capabilities: { interimTranscripts: interimDelayMs !== null, speechEvents: false, turnEvents: options.turnEndMs !== undefined, earlyFinalize: options.earlyFinalize ?? false },
    reported,
    get finalizes() {
      return finalizes;
    },
    get isOpen() {
      return onEvent !== null;
    },
    fail,
    emit: (event) => onEvent?.(event),
    open(given) {
      onEvent = given.onEvent;
      pending = [];
      if (options.isNeverReady !== true) later(0, () => onEvent?.({ type: 'stt-ready' }));
      given.signal.addEventListener('abort', close, { once: true });
      if (options.failsAtMs !== undefined) later(options.failsAtMs, fail);
      return stream;
    },
  };
}

/** Length of one spoken character: three frames. */
export const CHAR_MS = 60;

const FRAMES_PER_CHAR = CHAR_MS / FRAME_MS;

/** What becomes of one utterance. Default: spoken whole. */
export interface UtteranceScript {
  /** From the first text to the first audio. Default 80. */
  readonly firstByteMs?: number;
  /** Fails after so much audio. */
  readonly failsAfterMs?: number;
  /** Says nothing more after so much audio, and never ends. */
  readonly stallsAfterMs?: number;
  /** Ends without any audio. */
  readonly isEmpty?: boolean;
  /** Throws where it is asked to speak. */
  readonly throws?: boolean;
  readonly error?: AgentStreamError;
}

/** A voice whose every frame tells which character of which text it speaks. */
export interface ScriptedTextToSpeech extends TextToSpeech {
  /** Texts in the order they were asked for, as far as they came. */
  readonly spoken: readonly string[];
  readonly openUtterances: number;
  /** Utterances that were called off while the voice was still speaking them. */
  readonly cutUtterances: number;
  readonly isOpen: boolean;
  /** Voices and recordings that are heard in the same call. */
  readonly others: Pick<ScriptedTextToSpeech, 'locate'>[];
  /** Which text and character a frame of this voice, or of one of the others, speaks. */
  locate(frame: Uint8Array): { readonly utterance: number; readonly text: string; readonly char: number } | null;
}

/** Creates the voice. `script` decides each utterance by its number, from 0; `firstTag` tells voices of one call apart. */
export function createScriptedTextToSpeech(clock: Clock, script: (index: number) => UtteranceScript, firstTag = 1): ScriptedTextToSpeech {
  const texts: string[] = [];
  const live = new Set<object>();
  const places = new Map<number, { utterance: number; char: number }>();
  const others: Pick<ScriptedTextToSpeech, 'locate'>[] = [];
  let nextTag = firstTag;
  let cutUtterances = 0;
  let isOpen = false;

  function speak(onEvent: (event: TextToSpeechEvent) => void): Utterance {
    const index = texts.length;
    const { firstByteMs = 80, failsAfterMs, stallsAfterMs, isEmpty = false, throws = false, error } = script(index);
    if (throws) throw new Error('The voice is broken');
    texts.push('');
    const handle = {};
    live.add(handle);
    let sentFrames = 0;
    let isEnded = false;
    let timer: Timer | null = null;

    const leave = () => {
      timer?.cancel();
      live.delete(handle);
    };
    const finish = (event: TextToSpeechEvent) => {
      if (!live.has(handle)) return;
      leave();
      onEvent(event);
    };
    /** Eight times faster than real time, 100 ms at a time. */
    const work = () => {
      timer = null;
      const limitMs = Math.min(failsAfterMs ?? Infinity, stallsAfterMs ?? Infinity);
      const totalFrames = isEmpty ? 0 : (texts[index] ?? '').length * FRAMES_PER_CHAR;
      const chunk: Buffer[] = [];
      while (chunk.length < 5 && sentFrames < totalFrames && (sentFrames + 1) * FRAME_MS <= limitMs) {
        places.set(nextTag, { utterance: index, char: Math.floor(sentFrames / FRAMES_PER_CHAR) });
        chunk.push(voicedFrame(nextTag, sentFrames));
        nextTag += 1;
        sentFrames += 1;
      }
      if (chunk.length > 0) onEvent({ type: 'audio', audio: Buffer.concat(chunk) });
      if (!live.has(handle)) return;
      const isLimited = sentFrames * FRAME_MS + FRAME_MS > limitMs && (sentFrames < totalFrames || limitMs === 0);
      if (isLimited && failsAfterMs !== undefined) finish({ type: 'tts-failed', error: error ?? new AgentStreamError('vendor-unreachable') });
      else if (isLimited) return;
      else if (sentFrames < totalFrames) timer = clock.setTimer(12.5, work);
      else if (isEnded) finish({ type: 'tts-end' });
    };
    return {
      push(text) {
        if (!live.has(handle)) return;
        texts[index] += text;
        timer ??= clock.setTimer(sentFrames === 0 ? firstByteMs : 20, work);
      },
      end() {
        isEnded = true;
        if (live.has(handle)) timer ??= clock.setTimer(0, work);
      },
      cancel() {
        if (live.has(handle) && sentFrames > 0) cutUtterances += 1;
        leave();
      },
    };
  }

  return {
    vendor: 'scripted',
    model: 'tts',
    voice: 'tagged',
    cacheKey: 'scripted',
    capabilities: { wordTimes: false },
    spoken: texts,
    others,
    get openUtterances() {
      return live.size;
    },
    get cutUtterances() {
      return cutUtterances;
    },
    get isOpen() {
      return isOpen;
    },
    locate(frame) {
      const tag = frame.length === FRAME_BYTES ? tagOf(frame) : null;
      const place = tag === null ? undefined : places.get(tag);
      if (place !== undefined) return { utterance: firstTag - 1 + place.utterance, char: place.char, text: texts[place.utterance] ?? '' };
      return others.map((other) => other.locate(frame)).find((found) => found !== null) ?? null;
    },
    open({ signal }) {
      isOpen = true;
      const close = () => {
        isOpen = false;
      };
      signal.addEventListener('abort', close, { once: true });
      return { speak, close };
    },
  };
}
