import { FRAME_BYTES, FRAME_MS, MULAW_SILENCE, SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { createEnergyVoiceActivity } from '../energy-voice-activity.js';
import type { VoiceActivityEvent } from '../voice-activity.js';

const BYTES_PER_MS = SAMPLE_RATE_HZ / 1000;
/** Audio before the onset that belongs to a segment: the beginning of a word is quiet. */
const PRE_ROLL_FRAMES = 300 / FRAME_MS;
/** Speech that begins a segment, ms: short, since a "no" is; what is no speech costs one request. */
const CONFIRM_MS = 60;
/** Shortest segment: servers refuse less than 100 ms, and understand little of less than half a second. */
const MIN_SEGMENT_BYTES = 500 * BYTES_PER_MS;

/** A stretch of audio that holds speech. Positions in bytes of 8 kHz mu-law since the first pushed byte. */
export interface Segment {
  readonly start: number;
  readonly end: number;
  /** Filled up with silence where it is too short for a recogniser. */
  readonly audio: Buffer;
}

/** Cuts what a caller says into segments by local voice activity. Pure: its clock is the audio it is fed. */
export interface Segmenter {
  /** 8 kHz mu-law of any length. Returns the segments it completed. */
  push(audio: Uint8Array): readonly Segment[];
  /** Closes the open segment: what follows is another one. Null: there is no speech that was not returned before. */
  cut(): Segment | null;
  /** The open segment so far; null: nobody speaks. */
  peek(): Segment | null;
  /** Position after the last pushed byte. */
  readonly end: number;
}

/** Whether frames are part of a segment. */
type State =
  | { readonly kind: 'silent' }
  /** Perhaps speech. */
  | { readonly kind: 'onset' }
  | { readonly kind: 'speaking' }
  /** The segment was cut while the caller spoke: what came since may be speech, or the silence before its pause. */
  | { readonly kind: 'trailing' };

/** Creates one. Silence of `silenceMs` closes a segment, and so does its length, `maxSegmentMs`. */
export function createSegmenter({ silenceMs, maxSegmentMs }: { readonly silenceMs: number; readonly maxSegmentMs: number }): Segmenter {
  const activity = createEnergyVoiceActivity({ confirmMs: CONFIRM_MS, pauseMs: silenceMs });
  const maxFrames = Math.floor(maxSegmentMs / FRAME_MS);
  /** So many frames of silence bring a pause: a rest after a cut that is longer holds speech. */
  const pauseFrames = Math.ceil(silenceMs / FRAME_MS);
  let remainder = Buffer.alloc(0);
  /** Pre-roll, or the open segment. */
  let frames: Buffer[] = [];
  /** Position after the last whole frame. */
  let heard = 0;
  let state: State = { kind: 'silent' };

  const segmentOf = (parts: readonly Buffer[]): Segment => {
    const audio = Buffer.concat(parts);
    const start = heard - parts.length * FRAME_BYTES;
    const missing = MIN_SEGMENT_BYTES - audio.length;
    return { start, end: heard, audio: missing > 0 ? Buffer.concat([audio, Buffer.alloc(missing, MULAW_SILENCE)]) : audio };
  };

  /** Takes the open segment out; null where it holds no speech for sure. What was taken is no pre-roll of the next: its words would be heard twice. */
  function take(): Segment | null {
    const isSpeech = state.kind === 'speaking' || (state.kind === 'trailing' && frames.length > pauseFrames);
    if (!isSpeech) return null;
    const segment = segmentOf(frames);
    frames = [];
    return segment;
  }

  /** Cuts where the caller may go on. */
  function cut(): Segment | null {
    const segment = take();
    if (segment !== null) state = { kind: 'trailing' };
    return segment;
  }

  function rest(): Segment | null {
    const segment = take();
    state = { kind: 'silent' };
    frames = frames.slice(-PRE_ROLL_FRAMES);
    return segment;
  }

  function enter(event: VoiceActivityEvent): Segment | null {
    if (event.type === 'speech-pause') return rest();
    if (event.type === 'speech-onset') state = { kind: 'onset' };
    else if (event.type === 'speech-start') state = { kind: 'speaking' };
    else state = { kind: 'silent' };
    return null;
  }

  function hear(frame: Buffer): Segment | null {
    frames.push(frame);
    heard += FRAME_BYTES;
    const event = activity.push(frame);
    const segment = event === null ? null : enter(event);
    if (state.kind === 'silent' && frames.length > PRE_ROLL_FRAMES) frames.shift();
    return segment ?? (frames.length >= maxFrames ? cut() : null);
  }

  return {
    push(audio) {
      const pending = Buffer.concat([remainder, audio]);
      const segments: Segment[] = [];
      let offset = 0;
      for (; pending.length - offset >= FRAME_BYTES; offset += FRAME_BYTES) {
        const segment = hear(pending.subarray(offset, offset + FRAME_BYTES));
        if (segment !== null) segments.push(segment);
      }
      remainder = pending.subarray(offset);
      return segments;
    },
    cut,
    peek: () => (state.kind === 'speaking' ? segmentOf(frames) : null),
    get end() {
      return heard + remainder.length;
    },
  };
}
