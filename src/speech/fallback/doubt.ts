import { FRAME_MS } from '../../audio/frame.js';
import type { Clock } from '../../base/clock.js';
import { createEnergyVoiceActivity } from '../energy-voice-activity.js';

/** Speech without a word that makes one doubt: a cough is shorter. */
const MIN_SPEECH_MS = 700;

/** From the beginning of such speech, or from the request for its text where the recogniser has no interim texts. */
const WORDLESS_LIMIT_MS = 1200;

/** Doubts that came to nothing are not had again for so long: music and noise sound like speech. */
const RECOVERY_MS = 15_000;

/** Knows whether the caller has spoken and the recogniser has had no word for it. */
export interface Doubt {
  /** One 20 ms mu-law frame of the caller. True: the recogniser is in doubt. */
  hear(frame: Uint8Array): boolean;
  /** The recogniser was asked for its text. */
  noteFinalize(): void;
  /** The recogniser had words: it works. */
  noteWords(): void;
  /** The doubt was looked into and came to nothing. */
  settle(): void;
}

/** Creates the doubt about recognisers of one call. `hasInterims`: words are expected while the caller speaks. */
export function createDoubt(clock: Clock, hasInterims: boolean): Doubt {
  const detector = createEnergyVoiceActivity();
  let isSpeaking = false;
  let speechMs = 0;
  /** When words are overdue. */
  let dueMs = Infinity;
  let quietUntilMs = 0;

  const forget = () => {
    speechMs = 0;
    dueMs = Infinity;
  };
  return {
    hear(frame) {
      const event = detector.push(frame);
      if (event !== null) isSpeaking = event.type === 'speech-start';
      const nowMs = clock.nowMs();
      if (isSpeaking) {
        if (speechMs === 0 && hasInterims) dueMs = nowMs + WORDLESS_LIMIT_MS;
        speechMs += FRAME_MS;
      }
      return speechMs >= MIN_SPEECH_MS && nowMs >= dueMs && nowMs >= quietUntilMs;
    },
    noteFinalize() {
      if (speechMs > 0) dueMs = Math.min(dueMs, clock.nowMs() + WORDLESS_LIMIT_MS);
    },
    noteWords: forget,
    settle() {
      forget();
      quietUntilMs = clock.nowMs() + RECOVERY_MS;
    },
  };
}
