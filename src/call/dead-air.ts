import type { Clock, Timer } from '../base/clock.js';

/** How long a model, or a voice, may leave the caller in silence. */
const LEG_LIMITS_MS = { llm: 7000, tts: 4000 } as const;

/** From a reply's request to its first audio, whatever is tried meanwhile: with endpointing before it, no caller waits for 10 s. */
const FIRST_AUDIO_LIMIT_MS = 8500;

/** Watches that a reply does not leave the caller in silence. */
export interface DeadAirWatch {
  /** From now on this leg is waited for. */
  expect(leg: 'llm' | 'tts'): void;
  /** So much audio was handed over: until it has played the caller hears something. */
  noteAudio(durationMs: number): void;
  cancel(): void;
}

/** True where there is still time to say something else to a caller who has waited since then. */
export function isTimeLeft(clock: Clock, waitingSinceMs: number): boolean {
  return clock.nowMs() < waitingSinceMs + FIRST_AUDIO_LIMIT_MS;
}

/**
 * Starts watching. `waitingSinceMs`: when the caller began to wait, on the clock's monotonic time. `onDeadAir` is called each time a
 * leg has been silent for too long; the watch goes on with what is expected next.
 */
export function createDeadAirWatch(options: { clock: Clock; waitingSinceMs: number; onDeadAir: () => void }): DeadAirWatch {
  const { clock, onDeadAir } = options;
  let leg: 'llm' | 'tts' | null = null;
  let expectedSinceMs = clock.nowMs();
  let audibleUntilMs: number | null = null;
  let timer: Timer | null = null;

  const dueMs = (): number => {
    if (leg === null) return Infinity;
    if (audibleUntilMs !== null) return Math.max(expectedSinceMs, audibleUntilMs) + LEG_LIMITS_MS[leg];
    return Math.min(expectedSinceMs + LEG_LIMITS_MS[leg], options.waitingSinceMs + FIRST_AUDIO_LIMIT_MS);
  };
  // The timer is left running where it comes too early, so that audio costs none.
  const check = () => {
    timer = null;
    const remainingMs = dueMs() - clock.nowMs();
    if (remainingMs > 0) arm(remainingMs);
    else {
      leg = null;
      onDeadAir();
    }
  };
  const arm = (delayMs: number) => {
    timer?.cancel();
    timer = clock.setTimer(delayMs, check);
  };

  return {
    expect(expectedLeg) {
      leg = expectedLeg;
      expectedSinceMs = clock.nowMs();
      arm(dueMs() - expectedSinceMs);
    },
    noteAudio(durationMs) {
      audibleUntilMs = Math.max(clock.nowMs(), audibleUntilMs ?? 0) + durationMs;
    },
    cancel() {
      leg = null;
      timer?.cancel();
      timer = null;
    },
  };
}
