/** What a voice-activity detector found in the frames so far. */
export type VoiceActivityEvent =
  /** The first frame that may be speech: costs nothing to act on if it can be undone. */
  | { readonly type: 'speech-onset' }
  /** Speech has lasted for the confirm window. */
  | { readonly type: 'speech-start' }
  /** Silence has lasted for the pause window after speech. */
  | { readonly type: 'speech-pause' }
  /** Onset was not followed by speech. */
  | { readonly type: 'speech-dropped' };

/** One call's detector. Pure: its clock is the audio it is fed. */
export interface VoiceActivityDetector {
  /** One 20 ms mu-law frame; returns what it brought about, or null (no allocation when nothing happens). */
  push(frame: Uint8Array): VoiceActivityEvent | null;
}
