import { SAMPLE_RATE_HZ } from '../audio/frame.js';
import { createTrack, type Track } from './track.js';

/** How long a carrier in `late` mode holds a mark back after its audio was played. */
export const LATE_MARK_MS = 1500;

/** Marks waiting to be echoed; more than a peer can sensibly have outstanding. */
const PENDING_MARKS_LIMIT = 1000;

/** When the carrier echoes marks. `never` is what Cloudonix may do: its documentation lists no `mark` event. */
export type MarkEcho = 'yes' | 'never' | 'late';

/** What the play-out of one call came to. */
export interface PlayoutStats {
  /** Audio received from the server. */
  readonly receivedMs: number;
  /** Audio that a `clear` threw away unheard. */
  readonly clearedMs: number;
  /** Most audio held beyond real time. */
  readonly maxLeadMs: number;
  /** Times the buffer ran dry within a reply, so that the caller heard a hole: see {@link UNDERRUN_WINDOW_MS}. */
  readonly underruns: number;
}

/** A hole longer than this is a pause between replies, unless the peer marks where its replies end and this is no such place. */
const UNDERRUN_WINDOW_MS = 200;

/**
 * A carrier's play-out buffer for agent audio. Audio plays in real time from its arrival, in order; `clear` empties it.
 * Pure: time is passed in, in milliseconds of the call's timeline, and never runs backwards.
 */
export interface PlayoutBuffer {
  /** What the caller hears, sample by sample. Beyond the present it holds what is queued and may still be cleared. */
  readonly heard: Track;
  /** End of the queued audio; in the past when nothing is playing. */
  readonly endMs: number;
  readonly stats: PlayoutStats;
  /** Queues audio; returns when its first sample plays. */
  queue(audio: Uint8Array, atMs: number): number;
  /** Drops what has not been played; returns how much. Marks among it are echoed at once, as Twilio documents. */
  clear(atMs: number): number;
  mark(name: string, atMs: number): void;
  /** Removes and returns the marks to echo by `atMs`, oldest first. */
  takeDueMarks(atMs: number): readonly string[];
}

const samplesAt = (ms: number) => Math.round((ms * SAMPLE_RATE_HZ) / 1000);
const msAt = (samples: number) => (samples * 1000) / SAMPLE_RATE_HZ;

/** Creates an empty buffer at the start of a call. */
export function createPlayoutBuffer(markEcho: MarkEcho): PlayoutBuffer {
  const heard = createTrack();
  let endSample = 0;
  let marks: { name: string; dueMs: number }[] = [];
  let isMarked = true;
  let hasMarks = false;
  /** Beyond the window, at no mark. */
  let longHoles = 0;
  const stats = { receivedMs: 0, clearedMs: 0, maxLeadMs: 0, underruns: 0 };
  const markDelayMs = markEcho === 'late' ? LATE_MARK_MS : 0;

  return {
    heard,
    get endMs() {
      return msAt(endSample);
    },
    get stats() {
      return { ...stats, underruns: stats.underruns + (hasMarks ? longHoles : 0) };
    },
    queue(audio, atMs) {
      const now = samplesAt(atMs);
      const holeMs = msAt(now - endSample);
      if (endSample > 0 && holeMs > 0 && holeMs <= UNDERRUN_WINDOW_MS) stats.underruns += 1;
      else if (holeMs > 0 && !isMarked) longHoles += 1;
      isMarked = false;
      const start = Math.max(now, endSample);
      heard.write(start, audio);
      endSample = start + audio.length;
      stats.receivedMs += msAt(audio.length);
      stats.maxLeadMs = Math.max(stats.maxLeadMs, msAt(endSample - now));
      return msAt(start);
    },
    clear(atMs) {
      const now = samplesAt(atMs);
      isMarked = true;
      marks = marks.map((mark) => ({ ...mark, dueMs: Math.min(mark.dueMs, atMs + markDelayMs) }));
      if (endSample <= now) return 0;
      const droppedMs = msAt(endSample - now);
      heard.truncate(now);
      endSample = now;
      stats.clearedMs += droppedMs;
      return droppedMs;
    },
    mark(name, atMs) {
      isMarked = true;
      hasMarks = true;
      if (markEcho === 'never' || marks.length >= PENDING_MARKS_LIMIT) return;
      marks.push({ name, dueMs: Math.max(atMs, msAt(endSample)) + markDelayMs });
    },
    takeDueMarks(atMs) {
      const due = marks.filter((mark) => mark.dueMs <= atMs);
      if (due.length > 0) marks = marks.filter((mark) => mark.dueMs > atMs);
      return due.map((mark) => mark.name);
    },
  };
}
