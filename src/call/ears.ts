import { FRAME_MS } from '../audio/frame.js';
import type { SpeechToTextEvent, SpeechToTextStream } from '../speech/speech-to-text.js';
import type { VoiceActivityDetector } from '../speech/voice-activity.js';
import type { TurnEvent } from '../turn/turn.js';

/** What listens to the caller. */
export interface Ears {
  /** One 20 ms mu-law frame; `atMs` on the call clock. */
  hear(frame: Uint8Array, atMs: number): void;
  /** An event of the recogniser; `atMs` on the call clock. */
  onTranscript(event: SpeechToTextEvent, atMs: number): void;
}

/** How the caller is listened to. */
export interface EarsOptions {
  readonly detector: VoiceActivityDetector;
  readonly recogniser: SpeechToTextStream;
  /** Silence the detector waits for before it reports a pause. */
  readonly pauseWindowMs: number;
  /** True: the recogniser's own turn events are trusted. */
  readonly hasVendorTurns: boolean;
  readonly onTurnEvent: (event: TurnEvent) => void;
}

/** Turns the caller's audio and the recogniser's events into turn events, on the call clock. */
export function createEars(options: EarsOptions): Ears {
  const { detector, recogniser, onTurnEvent } = options;
  return {
    hear(frame, atMs) {
      recogniser.push(frame);
      const found = detector.push(frame);
      if (found === null) return;
      switch (found.type) {
        case 'speech-onset':
        case 'speech-start':
        case 'speech-dropped':
          onTurnEvent({ type: found.type, atMs });
          return;
        case 'speech-pause':
          onTurnEvent({ type: 'speech-pause', atMs, speechEndMs: atMs - options.pauseWindowMs + FRAME_MS });
      }
    },
    onTranscript(event, atMs) {
      switch (event.type) {
        case 'transcript-interim':
        case 'transcript-final':
          onTurnEvent({ type: event.type, atMs, text: event.text });
          return;
        case 'finalized':
          onTurnEvent({ type: 'transcript-settled', atMs });
          return;
        case 'turn-end':
          if (options.hasVendorTurns) onTurnEvent({ type: 'vendor-turn-end', atMs });
          return;
        // Local voice activity is faster than a vendor's; preemptive work is not started in this version.
        case 'speech-start':
        case 'turn-pause':
        case 'turn-resumed':
        case 'stt-ready':
        case 'stt-failed':
      }
    },
  };
}
