import { FRAME_BYTES, MULAW_SILENCE, SAMPLE_RATE_HZ } from '../audio/frame.js';

/** Audio waiting in one call at most: 120 s. */
const MAX_WAITING_BYTES = 120 * SAMPLE_RATE_HZ;

/** First size of an item's store: 2 s. It doubles as needed. */
const INITIAL_BYTES = 2 * SAMPLE_RATE_HZ;

/** A store up to this size is used again for a later item: 32 s. */
const MAX_SPARE_BYTES = 32 * SAMPLE_RATE_HZ;

/** One item: all of its audio, kept until it is heard, so that it can be read again from where the caller stopped hearing it. */
export interface QueuedItem {
  readonly itemId: string;
  audio: Buffer;
  length: number;
  /** No more audio will come. */
  isEnded: boolean;
  /** Its first frame was sent, be it that it was cleared again. */
  hasStarted: boolean;
}

/** The items of one call, in the order they are heard. */
export class PlayoutQueue {
  #items: QueuedItem[] = [];
  #spareStore: Buffer | null = null;

  get items(): readonly QueuedItem[] {
    return this.#items;
  }

  find(itemId: string): QueuedItem | undefined {
    return this.#items.find((item) => item.itemId === itemId);
  }

  add(itemId: string): void {
    const audio = this.#spareStore ?? Buffer.allocUnsafeSlow(INITIAL_BYTES);
    this.#items.push({ itemId, audio, length: 0, isEnded: false, hasStarted: false });
    this.#spareStore = null;
  }

  /** Copies audio to the item's end, as far as there is room: the bytes taken. `sentBytesOf` tells what no longer waits. */
  append(item: QueuedItem, audio: Uint8Array, sentBytesOf: (itemId: string) => number): number {
    const waiting = this.#items.reduce((sum, each) => sum + each.length - sentBytesOf(each.itemId), 0);
    const taken = Math.max(0, Math.min(audio.length, MAX_WAITING_BYTES - waiting));
    const length = item.length + taken;
    if (length > item.audio.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * item.audio.length));
      item.audio.copy(larger, 0, 0, item.length);
      item.audio = larger;
    }
    item.audio.set(taken === audio.length ? audio : audio.subarray(0, taken), item.length);
    item.length = length;
    return taken;
  }

  /** Removes the first item. */
  shift(): void {
    const first = this.#items.shift();
    if (first !== undefined && first.audio.length <= MAX_SPARE_BYTES) this.#spareStore = first.audio;
  }

  /** Removes all items and returns them. */
  clear(): readonly QueuedItem[] {
    const items = this.#items;
    this.#items = [];
    return items;
  }
}

/**
 * Copies the frame that starts at `offset` into `frame` and returns how many of its bytes are the item's; 0 where there is none yet. The
 * last frame of an ended item is padded with silence.
 */
export function readFrame(item: QueuedItem, offset: number, frame: Uint8Array): number {
  const available = item.length - offset;
  if (available >= FRAME_BYTES) return item.audio.copy(frame, 0, offset, offset + FRAME_BYTES);
  if (!item.isEnded || available <= 0) return 0;
  item.audio.copy(frame, 0, offset, item.length);
  frame.fill(MULAW_SILENCE, available);
  return available;
}
