import { FRAME_BYTES, MULAW_SILENCE, SAMPLE_RATE_HZ, mulawDurationMs } from './frame.js';

/** How long a missing message is waited for, in audio received meanwhile. */
const REORDER_WINDOW_MS = 60;

/** Silence inserted for one gap at most. */
export const MAX_GAP_MS = 10_000;

/** Silence inserted ahead of the audio that arrives: a peer that only claims gaps must not buy 10 s of work with every message. */
const MAX_SILENCE_AHEAD_MS = 30_000;

/** A gap in the timestamps alone must be this long to count: some carriers stamp with a jittering clock. */
const TIMESTAMP_TOLERANCE_MS = 40;

/** A sequence number that is this much audio behind is not late but the start of a new count, once the next one confirms it. */
const RESTART_DISTANCE_MS = 1000;

/** Messages held at most while waiting for a missing one. */
const MAX_HELD = 16;

const BYTES_PER_MS = SAMPLE_RATE_HZ / 1000;

/** Receives the ordered audio. Callbacks are synchronous. */
export interface JitterSink {
  /** 20 ms of mu-law, valid during the callback only. */
  onFrame(frame: Uint8Array): void;
  /** Silence of this length was inserted, or would have been beyond {@link MAX_GAP_MS}. */
  onGap(gapMs: number): void;
}

/** What happened so far, for the run's record. */
export interface JitterCounts {
  readonly duplicates: number;
  readonly late: number;
  readonly reordered: number;
  readonly gaps: number;
}

/** Puts inbound audio in order and cuts it into frames. */
export interface Jitter {
  /** Adds a message's mu-law. `sequence` and `timestampMs` may be NaN. */
  push(audio: Uint8Array, sequence: number, timestampMs: number): void;
  /** Delivers what is held; a last part frame is padded with silence. */
  flush(): void;
  counts(): JitterCounts;
}

interface HeldMessage {
  readonly audio: Uint8Array;
  readonly sequence: number;
  readonly timestampMs: number;
}

function copyOf(audio: Uint8Array, sequence: number, timestampMs: number): HeldMessage {
  // Not slice: that of a Buffer shares its memory.
  return { audio: Uint8Array.from(audio), sequence, timestampMs };
}

/** Cuts audio of any chunk size into 20 ms frames; whole frames that start on a boundary pass through uncopied. */
function createFramer(onFrame: (frame: Uint8Array) => void): { push(audio: Uint8Array): void; silence(bytes: number): void; flush(): void } {
  const frame = new Uint8Array(FRAME_BYTES);
  let filled = 0;
  function add(byte: number): void {
    frame[filled] = byte;
    filled += 1;
    if (filled < FRAME_BYTES) return;
    filled = 0;
    onFrame(frame);
  }
  return {
    push(audio) {
      if (filled === 0 && audio.length === FRAME_BYTES) onFrame(audio);
      else for (let i = 0; i < audio.length; i += 1) add(audio[i] as number);
    },
    silence(bytes) {
      for (let i = 0; i < bytes; i += 1) add(MULAW_SILENCE);
    },
    flush() {
      while (filled > 0) add(MULAW_SILENCE);
    },
  };
}

/**
 * Orders messages by sequence within {@link REORDER_WINDOW_MS}, drops duplicates, and fills gaps with silence so that the audio
 * stays aligned with the provider's stream time. No clock: time is the audio itself. In order, nothing is allocated.
 */
export function createJitter(sink: JitterSink): Jitter {
  const framer = createFramer((frame) => sink.onFrame(frame));
  const counts = { duplicates: 0, late: 0, reordered: 0, gaps: 0 };
  const held: HeldMessage[] = [];
  let nextSequence = NaN;
  let nextTimestampMs = NaN;
  let silenceLeftMs = MAX_SILENCE_AHEAD_MS;
  /** The message that may begin a new count. */
  let restart: HeldMessage | null = null;

  function fillGap(gapMs: number): void {
    counts.gaps += 1;
    sink.onGap(gapMs);
    const silenceMs = Math.min(gapMs, MAX_GAP_MS, silenceLeftMs);
    silenceLeftMs -= silenceMs;
    framer.silence(Math.round(silenceMs * BYTES_PER_MS));
  }

  function deliver(audio: Uint8Array, sequence: number, timestampMs: number): void {
    const durationMs = mulawDurationMs(audio.length);
    silenceLeftMs = Math.min(MAX_SILENCE_AHEAD_MS, silenceLeftMs + durationMs);
    const missing = Number.isNaN(sequence) || Number.isNaN(nextSequence) ? 0 : Math.max(0, sequence - nextSequence);
    const gapMs = timestampMs - nextTimestampMs;
    if (gapMs > (missing > 0 ? 1 : TIMESTAMP_TOLERANCE_MS)) {
      fillGap(gapMs);
      nextTimestampMs = timestampMs;
    } else if (Number.isNaN(gapMs)) {
      if (missing > 0 && Number.isNaN(timestampMs)) fillGap(missing * durationMs);
      nextTimestampMs = timestampMs;
    } else if (gapMs < -TIMESTAMP_TOLERANCE_MS) {
      nextTimestampMs = timestampMs;
    }
    nextTimestampMs += durationMs;
    if (!Number.isNaN(sequence)) nextSequence = sequence + 1;
    framer.push(audio);
  }

  function deliverHeld(isForced: boolean): void {
    while (held.length > 0) {
      const first = held[0] as HeldMessage;
      if (!isForced && first.sequence !== nextSequence && heldMs() < REORDER_WINDOW_MS && held.length < MAX_HELD) return;
      held.shift();
      deliver(first.audio, first.sequence, first.timestampMs);
    }
  }

  function heldMs(): number {
    return held.reduce((sum, message) => sum + mulawDurationMs(message.audio.length), 0);
  }

  function hold(audio: Uint8Array, sequence: number, timestampMs: number): void {
    const index = held.findIndex((message) => message.sequence >= sequence);
    if (held[index]?.sequence === sequence) {
      counts.duplicates += 1;
      return;
    }
    if (index !== -1) counts.reordered += 1;
    held.splice(index === -1 ? held.length : index, 0, copyOf(audio, sequence, timestampMs));
    deliverHeld(false);
  }

  function receiveBehind(audio: Uint8Array, sequence: number, timestampMs: number): void {
    const behind = nextSequence - sequence;
    if (restart !== null && sequence === restart.sequence + 1) {
      const first = restart;
      restart = null;
      deliverHeld(true);
      nextSequence = first.sequence;
      nextTimestampMs = NaN;
      deliver(first.audio, first.sequence, first.timestampMs);
      deliver(audio, sequence, timestampMs);
    } else if (behind === 1) {
      counts.duplicates += 1;
    } else if (behind * mulawDurationMs(audio.length) > RESTART_DISTANCE_MS) {
      restart = copyOf(audio, sequence, timestampMs);
    } else counts.late += 1;
  }

  return {
    push(audio, sequence, timestampMs) {
      const isExpected = Number.isNaN(sequence) || Number.isNaN(nextSequence) || sequence === nextSequence;
      // Some carriers number all messages alike, so that a key press leaves a hole: the timestamp tells that no audio is missing.
      if (isExpected || (sequence > nextSequence && held.length === 0 && timestampMs === nextTimestampMs)) {
        if (held.length > 0) counts.reordered += 1;
        restart = null;
        deliver(audio, sequence, timestampMs);
        if (held.length > 0) deliverHeld(false);
      } else if (sequence < nextSequence) receiveBehind(audio, sequence, timestampMs);
      else hold(audio, sequence, timestampMs);
    },
    flush() {
      deliverHeld(true);
      framer.flush();
    },
    counts: () => ({ ...counts }),
  };
}
