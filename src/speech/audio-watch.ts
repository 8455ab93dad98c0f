import type { Clock, Timer } from '../base/clock.js';

/** Knows whether audio is due, from when text left and audio came. */
export interface AudioWatch {
  /** Text, or its end, was handed over. */
  noteText(): void;
  /** Before the end of the text (`isMoreDue` false) silence may just mean that all of it was spoken. */
  noteAudio(isMoreDue: boolean): void;
  /** How long nothing has come since all text was spoken; 0 while text waits for its audio. */
  quietMs(): number;
  stop(): void;
}

/** Starts a watch. `onStall` runs when text, or the end of text, brings no audio for `stallAfterMs`. */
export function createAudioWatch(clock: Clock, stallAfterMs: number, onStall: () => void): AudioWatch {
  let timer: Timer | null = null;
  /** When audio last came, if it came after the last text; null while text waits for its audio. */
  let audioMs: number | null = null;
  const expect = () => {
    timer?.cancel();
    timer = clock.setTimer(stallAfterMs, onStall);
  };
  return {
    noteText() {
      audioMs = null;
      expect();
    },
    noteAudio(isMoreDue) {
      audioMs = clock.nowMs();
      if (isMoreDue) expect();
      else timer?.cancel();
    },
    quietMs: () => (audioMs === null ? 0 : clock.nowMs() - audioMs),
    stop: () => timer?.cancel(),
  };
}
