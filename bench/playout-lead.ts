import type { Samples } from './samples.js';

/** The sender fills its lead at the start of a reply: until then a small lead is not lateness. */
const FILL_MS = 400;

/** Messages of one reply that are looked at: 80 s of 20 ms frames. */
const MESSAGES_LIMIT = 4096;

/** A hole this short at most is a hole in a reply; a longer one lies between replies. */
const HOLE_LIMIT_MS = 400;

/** A hole longer than this is heard by everybody. */
const HEARD_HOLE_MS = 60;

/** What the play-out of all calls came to. */
export interface PlayoutTotals {
  /** How far behind its own schedule each message arrived, ms. */
  readonly lateness: Samples;
  messages: number;
  /** The carrier's buffer ran dry within a reply. */
  underruns: number;
  /** Of these, those of more than 60 ms. */
  heardUnderruns: number;
}

/**
 * The carrier's outbound buffer of one call, as far as timing goes. A sender that paces by deadline keeps a constant lead over its
 * reply's start once it has filled it; a message whose lead is `d` ms below the reply's greatest one was sent `d` ms late. A sender
 * that drifts falls further and further behind.
 */
export interface PlayoutLead {
  /** Audio still to be played; 0 when empty. */
  queuedMs(nowMs: number): number;
  add(audioMs: number, nowMs: number): void;
  clear(nowMs: number): void;
  /** The caller finished a turn: what comes next is another reply. */
  endReply(): void;
}

/** Creates an empty buffer that reports into `totals`. */
export function createPlayoutLead(totals: PlayoutTotals): PlayoutLead {
  const leads = new Float64Array(MESSAGES_LIMIT);
  let count = 0;
  let startMs = 0;
  let sentMs = 0;
  let endMs = 0;
  let isInReply = false;

  const closeReply = () => {
    let greatest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i += 1) greatest = Math.max(greatest, leads[i] ?? 0);
    for (let i = 0; i < count; i += 1) totals.lateness.add(greatest - (leads[i] ?? 0));
    count = 0;
    isInReply = false;
  };

  return {
    queuedMs: (nowMs) => Math.max(0, endMs - nowMs),
    add(audioMs, nowMs) {
      const holeMs = nowMs - endMs;
      if (holeMs > 0) {
        if (isInReply && holeMs <= HOLE_LIMIT_MS) {
          totals.underruns += 1;
          if (holeMs > HEARD_HOLE_MS) totals.heardUnderruns += 1;
        }
        if (!isInReply || holeMs > HOLE_LIMIT_MS) closeReply();
        endMs = nowMs;
      }
      if (!isInReply) {
        startMs = nowMs;
        sentMs = 0;
        isInReply = true;
      }
      totals.messages += 1;
      if (nowMs - startMs >= FILL_MS && count < MESSAGES_LIMIT) {
        leads[count] = startMs + sentMs - nowMs;
        count += 1;
      }
      sentMs += audioMs;
      endMs += audioMs;
    },
    clear(nowMs) {
      closeReply();
      endMs = Math.min(endMs, nowMs);
    },
    endReply: closeReply,
  };
}
