import { FRAME_BYTES, MULAW_SILENCE } from '../audio/frame.js';

/** Audio waiting in one call at most: 120 s. */
export const MAX_QUEUED_BYTES = 120 * 8000;

/** First size of an item's store: 2 s. It doubles as needed. */
const INITIAL_BYTES = 16_000;

/** One item: all of its audio, kept until it is heard, so that it can be read again from where the caller stopped hearing it. */
export interface QueuedItem {
  readonly itemId: string;
  audio: Buffer;
  length: number;
  /** No more audio will come. */
  isEnded: boolean;
}

/** Creates an item without audio, in `store` where one is left over. */
export function createQueuedItem(itemId: string, store: Buffer | null): QueuedItem {
  return { itemId, audio: store ?? Buffer.allocUnsafeSlow(INITIAL_BYTES), length: 0, isEnded: false };
}

/** Copies audio to the item's end. */
export function appendAudio(item: QueuedItem, audio: Uint8Array): void {
  const length = item.length + audio.length;
  if (length > item.audio.length) {
    const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * item.audio.length));
    item.audio.copy(larger, 0, 0, item.length);
    item.audio = larger;
  }
  item.audio.set(audio, item.length);
  item.length = length;
}

/**
 * Copies the frame that starts at `offset` into `frame` and returns how many of its bytes are the item's; 0 where there is none yet. The
 * last frame of an ended item is padded with silence.
 */
export function readFrame(item: QueuedItem, offset: number, frame: Buffer): number {
  const available = item.length - offset;
  if (available >= FRAME_BYTES) return item.audio.copy(frame, 0, offset, offset + FRAME_BYTES);
  if (!item.isEnded || available <= 0) return 0;
  item.audio.copy(frame, 0, offset, item.length);
  frame.fill(MULAW_SILENCE, available);
  return available;
}
