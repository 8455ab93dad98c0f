import { FRAME_BYTES, FRAME_MS, SAMPLE_RATE_HZ } from '../audio/frame.js';
import { mulawToLinear } from '../audio/g711.js';

/** Amplitude (of 32768) a sample must exceed to count as speech: above line noise and a voice's data signal, below any vowel. */
const SPEECH_AMPLITUDE = 800;

/** Samples per 20 ms frame that must exceed {@link SPEECH_AMPLITUDE}: a click is not speech. */
const SPEECH_SAMPLES_PER_FRAME = 4;

/** Where speech lies within one frame, in samples from its first; null where it holds none. */
export function findSpeech(frame: Uint8Array): { readonly first: number; readonly last: number } | null {
  let first = -1;
  let last = -1;
  let count = 0;
  for (let i = 0; i < frame.length; i += 1) {
    if (Math.abs(mulawToLinear[frame[i] as number] as number) <= SPEECH_AMPLITUDE) continue;
    if (first === -1) first = i;
    last = i;
    count += 1;
  }
  return count < SPEECH_SAMPLES_PER_FRAME ? null : { first, last };
}

/** What one track's speech does. */
export type SpeechChange = 'started' | 'ended' | null;

/** Follows one track frame by frame and tells spans of speech apart by the silence between them. Pure. */
export interface SpeechTracker {
  readonly isSpeaking: boolean;
  /** Of the current span, or the last one; on the call's timeline, exact to the sample. */
  readonly startMs: number;
  /** End of the last sample of speech so far; -1 before any. */
  readonly lastSpeechMs: number;
  /** Index of the frame that began the current or last span. */
  readonly startFrame: number;
  push(index: number, frame: Uint8Array): SpeechChange;
  /** Ends the current span now, whatever follows; true where there was one. */
  cut(): boolean;
}

/** `pauseMs`: silence that ends a span. */
export function createSpeechTracker(pauseMs: number): SpeechTracker {
  let isSpeaking = false;
  let startMs = 0;
  let lastSpeechMs = -1;
  let startFrame = 0;
  const msOf = (index: number, sample: number) => ((index * FRAME_BYTES + sample) * 1000) / SAMPLE_RATE_HZ;

  return {
    get isSpeaking() {
      return isSpeaking;
    },
    get startMs() {
      return startMs;
    },
    get lastSpeechMs() {
      return lastSpeechMs;
    },
    get startFrame() {
      return startFrame;
    },
    push(index, frame) {
      const speech = findSpeech(frame);
      if (speech !== null) {
        lastSpeechMs = msOf(index, speech.last + 1);
        if (isSpeaking) return null;
        isSpeaking = true;
        startMs = msOf(index, speech.first);
        startFrame = index;
        return 'started';
      }
      if (!isSpeaking || (index + 1) * FRAME_MS - lastSpeechMs < pauseMs) return null;
      isSpeaking = false;
      return 'ended';
    },
    cut() {
      const wasSpeaking = isSpeaking;
      isSpeaking = false;
      return wasSpeaking;
    },
  };
}
