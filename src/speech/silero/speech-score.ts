import type { VoicePhase } from '../energy-voice-activity.js';
import { WINDOW_SAMPLES } from './window-ring.js';

/** Probabilities at which a window begins to be speech, and below which it no longer is. */
const SPEECH_SCORE = 0.5;
const SILENCE_SCORE = 0.35;

/** A window of which the model is so sure counts twice for the confirm window: a voice after a long hiss ("six") is heard late enough. */
const SURE_SCORE = 0.9;

const WINDOW_MS = WINDOW_SAMPLES / 8;

/** Windows without speech that undo an onset. */
const DROP_WINDOWS = 2;

/** Scores of a sound's windows, read as phases. */
export interface SpeechScore {
  readonly phase: VoicePhase;
  /** Windows without speech since the last one with it. */
  readonly silentWindows: number;
  /** The next window's probability of speech. `isLoud`: any of it is as loud as speech. */
  add(probability: number, isLoud: boolean): void;
  /** Another sound begins. */
  reset(): void;
}

/** Creates the score of one call. `confirmMs`: speech before `speech`; `pauseMs`: silence before `silence`; both in whole windows. */
export function createSpeechScore({ confirmMs, pauseMs }: { readonly confirmMs: number; readonly pauseMs: number }): SpeechScore {
  const confirmWindows = Math.max(1, Math.round(confirmMs / WINDOW_MS));
  const pauseWindows = Math.max(1, Math.round(pauseMs / WINDOW_MS));
  let phase: VoicePhase = 'silence';
  let speechWindows = 0;
  let silentWindows = 0;

  function hearSpeech(probability: number): void {
    silentWindows = 0;
    if (phase === 'silence') speechWindows = 0;
    speechWindows += probability >= SURE_SCORE ? 2 : 1;
    if (phase !== 'speech') phase = speechWindows >= confirmWindows ? 'speech' : 'onset';
  }

  function hearSilence(): void {
    silentWindows += 1;
    if (silentWindows >= (phase === 'speech' ? pauseWindows : DROP_WINDOWS)) phase = 'silence';
  }

  return {
    get phase() {
      return phase;
    },
    get silentWindows() {
      return silentWindows;
    },
    add(probability, isLoud) {
      const isSpeech = isLoud && probability >= (phase === 'silence' ? SPEECH_SCORE : SILENCE_SCORE);
      if (isSpeech) hearSpeech(probability);
      else hearSilence();
    },
    reset() {
      phase = 'silence';
      speechWindows = 0;
      silentWindows = 0;
    },
  };
}
