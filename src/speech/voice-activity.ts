/** What a voice-activity detector found in the frames so far. */
export type VoiceActivityEvent =
  /** The first frame that may be speech: costs nothing to act on if it can be undone. */
  | { readonly type: 'speech-onset' }
  /** Speech has lasted for the confirm window. */
  | { readonly type: 'speech-start' }
  /** Silence has lasted for the lull window within speech: rarely its end, but work may begin that can be undone. */
  | { readonly type: 'speech-lull' }
  /** The voice went on after a lull. */
  | { readonly type: 'speech-resumed' }
  /** Silence has lasted for the pause window after speech. `silenceMs`: how much of it lies before the last frame. */
  | { readonly type: 'speech-pause'; readonly silenceMs: number }
  /** Onset was not followed by speech. */
  | { readonly type: 'speech-dropped' };

/** How a call's detector is to listen. */
export interface VoiceActivityOptions {
  /** Speech that must last before `speech-start`, ms; null: the detector's own. */
  readonly confirmMs: number | null;
  /** Silence after speech before `speech-pause`, ms. */
  readonly pauseMs: number;
  /** Silence within speech before `speech-lull`, ms, less than `pauseMs`. Default: lulls and what follows them are not reported. */
  readonly lullMs?: number;
  /** Comes during a `push`, or between two of them where the answer takes its time. Must not throw. */
  readonly onEvent: (event: VoiceActivityEvent) => void;
}

/** One call's detector. Its clock is the audio it is fed. */
export interface VoiceActivityDetector {
  /** One 20 ms mu-law frame. `isEcho`: it holds nothing but the agent's own words, and counts as silence. */
  push(frame: Uint8Array, isEcho?: boolean): void;
  /** Gives back what the detector holds; nothing is reported after it. */
  close(): void;
}

/** Names of the detectors there are. */
export type VoiceActivityName = 'energy' | 'silero';

/** What opens detectors, for all calls of the process. */
export interface VoiceActivity {
  /** The detector the next call gets. */
  readonly name: VoiceActivityName;
  open(options: VoiceActivityOptions): VoiceActivityDetector;
}
