import { FRAME_BYTES, FRAME_MS, mulawDurationMs } from '../audio/frame.js';
import { setBounded } from '../base/bounded-map.js';

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

const NOWHERE: PlayoutPosition = { sentMs: 0, heardMs: 0, totalMs: 0, isEnded: true };

function describe(item: ItemAccount): PlayoutPosition {
  return {
    sentMs: mulawDurationMs(item.sentBytes),
    heardMs: mulawDurationMs(item.heardBytes),
    totalMs: mulawDurationMs(item.queuedBytes),
    isEnded: item.isEnded,
  };
}

/** When an item's last sent frame has played, its padding too; -Infinity where nothing was sent. */
function playedAtMs(item: ItemAccount): number {
  const span = item.spans.at(-1);
  return span === undefined ? -Infinity : span.startMs + Math.ceil((span.toByte - span.fromByte) / FRAME_BYTES) * FRAME_MS;
}

/**
 * Accounts for the audio of one call: queued, sent, heard. The play-out clock is the truth: a frame plays when the one before it has
 * played, or at once where nothing plays; mark echoes tell how far the carrier lags behind. Pure: time is an argument.
 */
export class PlayoutLedger {
  readonly #items = new Map<string, ItemAccount>();
  readonly #settled = new Map<string, PlayoutPosition>();
  #marks: readonly PendingMark[] = [];
  #playEndMs = -Infinity;
  #carrierDelayMs = 0;

  /** When everything sent will have played, without the carrier's lag; -Infinity after a clear. */
  get playEndMs(): number {
    return this.#playEndMs;
  }

  begin(itemId: string): void {
    this.#items.set(itemId, { queuedBytes: 0, sentBytes: 0, heardBytes: 0, isEnded: false, spans: [] });
  }

  append(itemId: string, bytes: number): void {
    const item = this.#items.get(itemId);
    if (item !== undefined) item.queuedBytes += bytes;
  }

  end(itemId: string): void {
    const item = this.#items.get(itemId);
    if (item !== undefined) item.isEnded = true;
  }

  /** One frame with `bytes` of the item goes out. Returns when it will play. */
  send(itemId: string, bytes: number, nowMs: number): number {
    const playAtMs = Math.max(nowMs, this.#playEndMs);
    this.#playEndMs = playAtMs + FRAME_MS;
    const item = this.#items.get(itemId);
    if (item === undefined) return playAtMs;
    const span = item.spans.at(-1);
    if (span !== undefined && Math.abs(span.startMs + mulawDurationMs(span.toByte - span.fromByte) - playAtMs) < TIME_TOLERANCE_MS) {
      span.toByte += bytes;
    } else {
      this.#listen(item, nowMs);
      item.spans.push({ fromByte: item.sentBytes, toByte: item.sentBytes + bytes, startMs: playAtMs });
    }
    item.sentBytes += bytes;
    return playAtMs;
  }

  /** A mark follows what was sent so far. */
  addMark(name: string): void {
    this.#marks = [...this.#marks.slice(1 - MAX_PENDING_MARKS), { name, dueMs: this.#playEndMs }];
  }

  /** An echo. False where the mark is unknown, already echoed, or of a cleared generation. */
  echo(name: string, nowMs: number): boolean {
    const index = this.#marks.findIndex((mark) => mark.name === name);
    const mark = this.#marks[index];
    if (mark === undefined) return false;
    this.#marks = this.#marks.slice(index + 1);
    const lateMs = nowMs - mark.dueMs;
    // An echo ahead of the audio is implausible: the carrier confirmed receipt, not play-out. The clock stands.
    if (lateMs >= 0 && lateMs <= MAX_CARRIER_DELAY_MS) this.#carrierDelayMs += (lateMs - this.#carrierDelayMs) / 2;
    return true;
  }

  /**
   * The carrier's buffer was emptied: what was not heard will not be. The items' read positions go back to the last frame heard, and
   * marks still out are void.
   */
  clear(nowMs: number): void {
    for (const item of this.#items.values()) {
      this.#listen(item, nowMs);
      item.sentBytes = item.heardBytes;
      item.spans = [];
    }
    this.#marks = [];
    this.#playEndMs = -Infinity;
  }

  /** Forgets an item, remembering its position a while. */
  settle(itemId: string, nowMs: number): void {
    const item = this.#items.get(itemId);
    if (item === undefined) return;
    this.#listen(item, nowMs);
    this.#items.delete(itemId);
    setBounded(this.#settled, itemId, describe(item), MAX_SETTLED);
  }

  /** Bytes of the item sent so far, which is also where its reading goes on. */
  sentBytes(itemId: string): number {
    return this.#items.get(itemId)?.sentBytes ?? 0;
  }

  /** True where all of an ended item has been heard. */
  isHeard(itemId: string, nowMs: number): boolean {
    const item = this.#items.get(itemId);
    if (item === undefined || !item.isEnded || item.sentBytes < item.queuedBytes) return false;
    return nowMs - this.#carrierDelayMs >= playedAtMs(item) - TIME_TOLERANCE_MS;
  }

  /** Where an item is; zeros for one that is unknown. */
  position(itemId: string, nowMs: number): PlayoutPosition {
    const item = this.#items.get(itemId);
    if (item === undefined) return this.#settled.get(itemId) ?? NOWHERE;
    this.#listen(item, nowMs);
    return describe(item);
  }

  /** Moves an item's heard position up to now, by whole frames; it never goes back. */
  #listen(item: ItemAccount, nowMs: number): void {
    const heardToMs = nowMs - this.#carrierDelayMs + TIME_TOLERANCE_MS;
    for (const span of item.spans) {
      const playedBytes = Math.floor((heardToMs - span.startMs) / FRAME_MS) * FRAME_BYTES;
      item.heardBytes = Math.max(item.heardBytes, Math.min(span.toByte, span.fromByte + playedBytes));
      if (heardToMs < span.startMs) break;
    }
    while (item.spans.length > 1 && (item.spans[0] as Span).toByte <= item.heardBytes) item.spans.shift();
  }
}
