import { FRAME_BYTES, FRAME_MS, mulawDurationMs } from '../audio/frame.js';

/** A carrier's play-out lags behind our clock by this much at most; an echo later than that is taken for a stray. */
export const MAX_CARRIER_DELAY_MS = 500;

/** Marks awaiting their echo; the oldest is forgotten first. */
const MAX_PENDING_MARKS = 64;

/** Items whose final position is remembered. */
const MAX_SETTLED = 32;

/** Rounding of sums of milliseconds. */
const TIME_TOLERANCE_MS = 0.01;

/** Where one item is. Sent is not played, and played is not heard. */
export interface PlayoutPosition {
  readonly sentMs: number;
  /** What the caller has heard: sent audio whose time has come, corrected by mark echoes, never more than sent. */
  readonly heardMs: number;
  readonly totalMs: number;
  /** No more audio will come. */
  readonly isEnded: boolean;
}

/** A stretch of one item that plays without a break. */
interface Span {
  readonly fromByte: number;
  toByte: number;
  readonly startMs: number;
}

/** The account of one item. Bytes are of its audio, without padding. */
interface ItemAccount {
  readonly itemId: string;
  queuedBytes: number;
  sentBytes: number;
  heardBytes: number;
  isEnded: boolean;
  spans: Span[];
}

interface PendingMark {
  readonly name: string;
  readonly dueMs: number;
}

/**
 * Accounts for the audio of one call: queued, sent, heard. The play-out clock is the truth: a frame plays when the one before it has
 * played, or at once where nothing plays; mark echoes tell how far the carrier lags behind. Pure: time is an argument.
 */
export interface PlayoutLedger {
  begin(itemId: string): void;
  append(itemId: string, bytes: number): void;
  end(itemId: string): void;
  /** One frame with `bytes` of the item goes out. Returns when it will play. */
  send(itemId: string, bytes: number, nowMs: number): number;
  /** When everything sent will have played, without the carrier's lag. */
  playEndMs(): number;
  /** A mark follows what was sent so far. */
  addMark(name: string): void;
  /** An echo. False where the mark is unknown, already echoed, or of a cleared generation. */
  echo(name: string, nowMs: number): boolean;
  /**
   * The carrier's buffer was emptied: what was not heard will not be. The items' read positions go back to the last frame heard,
   * and marks still out are void.
   */
  clear(nowMs: number): void;
  /** Forgets an item, remembering its position. */
  settle(itemId: string, nowMs: number): void;
  /** Bytes of the item sent so far, which is also where its reading goes on. */
  sentBytes(itemId: string): number;
  /** True where all of an ended item has been heard. */
  isHeard(itemId: string, nowMs: number): boolean;
  /** When an item's last sent audio will have been heard; -Infinity where nothing was sent. */
  heardAtMs(itemId: string): number;
  position(itemId: string, nowMs: number): PlayoutPosition;
}

const NOWHERE: PlayoutPosition = { sentMs: 0, heardMs: 0, totalMs: 0, isEnded: true };

/** Creates an empty ledger. */
export function createPlayoutLedger(): PlayoutLedger {
  const items = new Map<string, ItemAccount>();
  const settled = new Map<string, PlayoutPosition>();
  let marks: PendingMark[] = [];
  let endMs = -Infinity;
  let carrierDelayMs = 0;

  /** Moves an item's heard position up to now, by whole frames; it never goes back. */
  function listen(item: ItemAccount, nowMs: number): void {
    const heardToMs = nowMs - carrierDelayMs + TIME_TOLERANCE_MS;
    for (const span of item.spans) {
      const playedBytes = Math.floor((heardToMs - span.startMs) / FRAME_MS) * FRAME_BYTES;
      item.heardBytes = Math.max(item.heardBytes, Math.min(span.toByte, span.fromByte + playedBytes));
      if (heardToMs < span.startMs) break;
    }
    while (item.spans.length > 1 && (item.spans[0] as Span).toByte <= item.heardBytes) item.spans.shift();
  }

  function describe(item: ItemAccount): PlayoutPosition {
    return {
      sentMs: mulawDurationMs(item.sentBytes),
      heardMs: mulawDurationMs(item.heardBytes),
      totalMs: mulawDurationMs(item.queuedBytes),
      isEnded: item.isEnded,
    };
  }

  function lastSpanEndMs(item: ItemAccount): number {
    const span = item.spans.at(-1);
    if (span === undefined) return -Infinity;
    // The last frame plays in full, its padding too.
    return span.startMs + Math.ceil((span.toByte - span.fromByte) / FRAME_BYTES) * FRAME_MS;
  }

  return {
    begin(itemId) {
      items.set(itemId, { itemId, queuedBytes: 0, sentBytes: 0, heardBytes: 0, isEnded: false, spans: [] });
    },
    append(itemId, bytes) {
      const item = items.get(itemId);
      if (item !== undefined) item.queuedBytes += bytes;
    },
    end(itemId) {
      const item = items.get(itemId);
      if (item !== undefined) item.isEnded = true;
    },
    send(itemId, bytes, nowMs) {
      const playAtMs = Math.max(nowMs, endMs);
      endMs = playAtMs + FRAME_MS;
      const item = items.get(itemId);
      if (item === undefined) return playAtMs;
      const span = item.spans.at(-1);
      const isContinued = span !== undefined && Math.abs(span.startMs + mulawDurationMs(span.toByte - span.fromByte) - playAtMs) < TIME_TOLERANCE_MS;
      if (isContinued) {
        span.toByte += bytes;
      } else {
        listen(item, nowMs);
        item.spans.push({ fromByte: item.sentBytes, toByte: item.sentBytes + bytes, startMs: playAtMs });
      }
      item.sentBytes += bytes;
      return playAtMs;
    },
    playEndMs: () => endMs,
    addMark(name) {
      if (marks.length >= MAX_PENDING_MARKS) marks.shift();
      marks.push({ name, dueMs: endMs });
    },
    echo(name, nowMs) {
      const index = marks.findIndex((mark) => mark.name === name);
      const mark = marks[index];
      if (mark === undefined) return false;
      marks = marks.slice(index + 1);
      const lateMs = nowMs - mark.dueMs;
      // An echo ahead of the audio is implausible: the carrier confirmed receipt, not play-out. The clock stands.
      if (lateMs >= 0 && lateMs <= MAX_CARRIER_DELAY_MS) carrierDelayMs += (lateMs - carrierDelayMs) / 2;
      return true;
    },
    clear(nowMs) {
      for (const item of items.values()) {
        listen(item, nowMs);
        item.sentBytes = item.heardBytes;
        item.spans = [];
      }
      marks = [];
      endMs = -Infinity;
    },
    settle(itemId, nowMs) {
      const item = items.get(itemId);
      if (item === undefined) return;
      listen(item, nowMs);
      items.delete(itemId);
      settled.delete(itemId);
      settled.set(itemId, describe(item));
      const oldest = settled.keys().next();
      if (settled.size > MAX_SETTLED && oldest.done !== true) settled.delete(oldest.value);
    },
    sentBytes: (itemId) => items.get(itemId)?.sentBytes ?? 0,
    isHeard(itemId, nowMs) {
      const item = items.get(itemId);
      if (item === undefined || !item.isEnded || item.sentBytes < item.queuedBytes) return false;
      return nowMs - carrierDelayMs >= lastSpanEndMs(item) - TIME_TOLERANCE_MS;
    },
    heardAtMs(itemId) {
      const item = items.get(itemId);
      return item === undefined ? -Infinity : lastSpanEndMs(item) + carrierDelayMs;
    },
    position(itemId, nowMs) {
      const item = items.get(itemId);
      if (item === undefined) return settled.get(itemId) ?? NOWHERE;
      listen(item, nowMs);
      return describe(item);
    },
  };
}
