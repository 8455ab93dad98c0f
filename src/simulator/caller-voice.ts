import { FRAME_BYTES, FRAME_MS, MULAW_SILENCE } from '../audio/frame.js';

/** Where a piece of the caller's speech lies on the call's timeline. */
export interface SpokenSpan {
  readonly startMs: number;
  readonly endMs: number;
}

/** Clips waiting to be spoken; a script speaks one at a time. */
const QUEUED_CLIPS_LIMIT = 100;

interface Clip {
  readonly audio: Uint8Array;
  offset: number;
  startFrame: number | null;
  readonly onDone: (span: SpokenSpan) => void;
}

/** Turns clips of any length into an endless series of 20 ms frames, silence between them. */
export interface CallerVoice {
  /** Resolves when the clip's last sample has been taken, or when the voice is closed. */
  speak(audio: Uint8Array): Promise<SpokenSpan>;
  /** The frame with this index, into a buffer that the next call overwrites. Indices must rise by one. */
  takeFrame(index: number): Uint8Array;
  /** Drops what is still to be said. */
  close(index: number): void;
}

/** Creates a silent voice. */
export function createCallerVoice(): CallerVoice {
  const frame = new Uint8Array(FRAME_BYTES);
  const queue: Clip[] = [];

  const finish = (clip: Clip, endFrame: number) => {
    const startFrame = clip.startFrame ?? endFrame;
    clip.onDone({ startMs: startFrame * FRAME_MS, endMs: endFrame * FRAME_MS });
  };

  return {
    speak(audio) {
      return new Promise((resolve) => {
        const clip: Clip = { audio, offset: 0, startFrame: null, onDone: resolve };
        if (audio.length === 0 || queue.length >= QUEUED_CLIPS_LIMIT) finish(clip, 0);
        else queue.push(clip);
      });
    },
    takeFrame(index) {
      frame.fill(MULAW_SILENCE);
      const clip = queue[0];
      if (clip === undefined) return frame;
      clip.startFrame ??= index;
      frame.set(clip.audio.subarray(clip.offset, clip.offset + FRAME_BYTES));
      clip.offset += FRAME_BYTES;
      if (clip.offset >= clip.audio.length) {
        queue.shift();
        finish(clip, index + 1);
      }
      return frame;
    },
    close(index) {
      for (const clip of queue.splice(0)) finish(clip, index);
    },
  };
}
