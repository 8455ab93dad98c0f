import type { Clock, Timer } from '../base/clock.js';
import { FRAME_MS } from './frame.js';

/** Timer granularity with few calls: cheap when idle. */
const COARSE_SLOT_MS = 5;

/** Timer granularity above {@link FINE_ABOVE} participants: spreads the work of a busy process. */
const FINE_SLOT_MS = 2;

/** More participants than this are paced in fine slots. */
const FINE_ABOVE = 50;

/** One of so many due times is told to `onLateness`: enough to see a process that falls behind, at no cost per frame. */
const DUE_TIMES_PER_SAMPLE = 50;

/** Something that sends one frame every 20 ms. */
export interface MetronomeParticipant {
  /** Called once per due time. `nowMs` is the clock's monotonic time; it may be later than the due time by a slot, or by a stall. */
  onDue(nowMs: number): void;
  /** Called when `onDue` threw; the participant is no longer called. Must not throw. */
  onFault(error: unknown): void;
}

/** A participant's place. `cancel` is idempotent and may be called from within `onDue`. */
export interface MetronomeHandle {
  cancel(): void;
}

/** One timer for every call of the process. */
export interface Metronome {
  /** Calls the participant at `firstDueMs` and every 20 ms from there, by absolute deadline. */
  add(participant: MetronomeParticipant, firstDueMs: number): MetronomeHandle;
  /** Participants now: for metrics and leak checks. */
  size(): number;
}

interface Entry {
  readonly participant: MetronomeParticipant;
  dueMs: number;
}

/** How a metronome is set up. */
export interface MetronomeOptions {
  /** Default: by the number of participants. */
  readonly slotMs?: number;
  /** Told how late a participant was called, for one of 50 due times. */
  readonly onLateness?: (latenessMs: number) => void;
}

/**
 * Paces all calls with one timer, which runs only while there are participants. Deadlines are absolute, so lateness never adds up;
 * deadlines missed in a stall are skipped, each participant being called once: catching up is its own, bounded, affair.
 */
export function createMetronome(clock: Clock, options: MetronomeOptions = {}): Metronome {
  const { onLateness } = options;
  const entries = new Set<Entry>();
  let timer: Timer | null = null;
  let armedForMs = Infinity;
  let untilSample = DUE_TIMES_PER_SAMPLE;

  function arm(): void {
    let earliestMs = Infinity;
    for (const entry of entries) earliestMs = Math.min(earliestMs, entry.dueMs);
    if (earliestMs === Infinity) {
      timer?.cancel();
      timer = null;
      armedForMs = Infinity;
      return;
    }
    const slotMs = options.slotMs ?? (entries.size > FINE_ABOVE ? FINE_SLOT_MS : COARSE_SLOT_MS);
    const slotEndMs = Math.ceil(earliestMs / slotMs) * slotMs;
    if (timer !== null && armedForMs === slotEndMs) return;
    timer?.cancel();
    armedForMs = slotEndMs;
    timer = clock.setTimer(slotEndMs - clock.nowMs(), tick);
  }

  function tick(): void {
    timer = null;
    armedForMs = Infinity;
    const nowMs = clock.nowMs();
    for (const entry of entries) {
      if (entry.dueMs > nowMs) continue;
      if (onLateness !== undefined) sample(onLateness, nowMs - entry.dueMs);
      entry.dueMs += FRAME_MS * (Math.floor((nowMs - entry.dueMs) / FRAME_MS) + 1);
      callParticipant(entry, nowMs);
    }
    arm();
  }

  function sample(report: (latenessMs: number) => void, latenessMs: number): void {
    untilSample -= 1;
    if (untilSample > 0) return;
    untilSample = DUE_TIMES_PER_SAMPLE;
    report(latenessMs);
  }

  function callParticipant(entry: Entry, nowMs: number): void {
    try {
      entry.participant.onDue(nowMs);
    } catch (error) {
      entries.delete(entry);
      entry.participant.onFault(error);
    }
  }

  return {
    add(participant, firstDueMs) {
      const entry: Entry = { participant, dueMs: firstDueMs };
      entries.add(entry);
      arm();
      return {
        cancel() {
          entries.delete(entry);
          if (entries.size === 0) arm();
        },
      };
    },
    size: () => entries.size,
  };
}
