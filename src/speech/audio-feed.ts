import { SAMPLE_RATE_HZ } from '../audio/frame.js';
import type { AudioRing } from './audio-ring.js';

const BYTES_PER_MS = SAMPLE_RATE_HZ / 1000;

/** What one connection was sent of a ring. */
export interface AudioFeed {
  /** Position in the ring where the connection's audio clock begins. */
  readonly origin: number;
  /** The connection's audio so far. */
  readonly sentMs: number;
  /** Begins at the oldest byte that is still held, where that is later than it was to begin. */
  begin(): void;
  /**
   * Hands out batches, `minBytes` at least each, until `send` refuses one or none is left. `endMs`: the connection's audio with the batch.
   * False: the ring has dropped bytes that were not sent, and the connection's clock would no longer be ours.
   */
  drain(minBytes: number, send: (batch: Buffer, endMs: number) => boolean): boolean;
}

/** As {@link AudioRing.view}, but whole where the ring wraps. */
function read(ring: AudioRing, position: number, maxBytes: number): Buffer {
  const view = ring.view(position, maxBytes);
  const missing = Math.min(maxBytes, ring.end - position) - view.length;
  return missing === 0 ? view : Buffer.concat([view, ring.view(position + view.length, missing)]);
}

/** Creates a feed of batches of `batchBytes`, 8 kHz mu-law. */
export function createAudioFeed(ring: AudioRing, batchBytes: number, fromPosition: number): AudioFeed {
  let origin = fromPosition;
  let sent = fromPosition;
  const msAt = (position: number) => (position - origin) / BYTES_PER_MS;
  return {
    get origin() {
      return origin;
    },
    get sentMs() {
      return msAt(sent);
    },
    begin() {
      origin = sent = Math.max(sent, ring.start);
    },
    drain(minBytes, send) {
      if (sent < ring.start) return false;
      while (ring.end - sent >= minBytes) {
        const batch = read(ring, sent, batchBytes);
        if (!send(batch, msAt(sent + batch.length))) return true;
        sent += batch.length;
      }
      return true;
    },
  };
}
