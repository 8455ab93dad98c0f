/** The last few seconds of a stream of bytes, addressed by position since the stream's first byte. */
export interface AudioRing {
  /** Position after the last byte. */
  readonly end: number;
  /** Position of the oldest byte that is still held. */
  readonly start: number;
  /** Appends; the oldest bytes make room. */
  push(audio: Uint8Array): void;
  /** A view of the bytes from `position` on, `maxBytes` at most; shorter at the end of the stream and where the ring wraps. */
  view(position: number, maxBytes: number): Buffer;
}

/** Creates a ring that holds `capacityBytes`. */
export function createAudioRing(capacityBytes: number): AudioRing {
  const bytes = Buffer.alloc(capacityBytes);
  let end = 0;
  return {
    get end() {
      return end;
    },
    get start() {
      return Math.max(0, end - capacityBytes);
    },
    push(audio) {
      const kept = audio.length > capacityBytes ? audio.subarray(audio.length - capacityBytes) : audio;
      end += audio.length - kept.length;
      const offset = end % capacityBytes;
      const untilWrap = Math.min(kept.length, capacityBytes - offset);
      bytes.set(kept.subarray(0, untilWrap), offset);
      if (untilWrap < kept.length) bytes.set(kept.subarray(untilWrap), 0);
      end += kept.length;
    },
    view(position, maxBytes) {
      const offset = position % capacityBytes;
      const length = Math.min(maxBytes, end - position, capacityBytes - offset);
      return bytes.subarray(offset, offset + length);
    },
  };
}
