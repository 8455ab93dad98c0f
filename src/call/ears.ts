import { FRAME_BYTES, FRAME_MS, MULAW_SILENCE } from '../audio/frame.js';
import type { Clock, Timer } from '../base/clock.js';
import type { SpeechToTextEvent, SpeechToTextStream } from '../speech/speech-to-text.js';
import type { VoiceActivity, VoiceActivityEvent } from '../speech/voice-activity.js';
import type { TurnEvent } from '../turn/turn.js';
import type { EchoGuard } from './echo-guard.js';

/** A voice whose frames stop coming for this long has fallen silent: otherwise it would be waited for until they come again. */
const LOST_FRAMES_MS = 400;

const SILENCE = new Uint8Array(FRAME_BYTES).fill(MULAW_SILENCE);

/** What listens to the caller. */
export interface Ears {
  /** One 20 ms mu-law frame; `atMs` on the call clock. */
  hear(frame: Uint8Array, atMs: number): void;
  /** An event of the recogniser; `atMs` on the call clock. */
  onTranscript(event: SpeechToTextEvent, atMs: number): void;
  close(): void;
}

/** How the caller is listened to. */
export interface EarsOptions {
  readonly clock: Clock;
  /** Call clock. */
  readonly nowMs: () => number;
  readonly voiceActivity: VoiceActivity;
  /** Speech that must last before it counts; null: the detector's own. */
  readonly confirmMs: number | null;
  readonly echoGuard: Pick<EchoGuard, 'isEcho'>;
  readonly recogniser: SpeechToTextStream;
  /** Silence the detector waits for before it reports a pause. */
  readonly pauseWindowMs: number;
  /** Silence it waits for before it reports a lull; none by default. */
  readonly lullWindowMs?: number;
  /** True: the recogniser's own turn events are trusted. */
  readonly hasVendorTurns: boolean;
  /** Every frame, before it is listened to. */
  readonly onFrame?: (frame: Uint8Array) => void;
  readonly onTurnEvent: (event: TurnEvent) => void;
}

/** Turns the caller's audio and the recogniser's events into turn events, on the call clock. */
export function createEars(options: EarsOptions): Ears {
  const { clock, nowMs, recogniser, onTurnEvent } = options;
  let lastFrameAtMs = 0;
  /** When the frame came that is being heard; null between frames, when a late answer may come. */
  let hearingAtMs: number | null = null;
  /** Runs while the detector hears a voice. */
  let watch: Timer | null = null;

  const stopWatching = () => {
    watch?.cancel();
    watch = null;
  };

  const report = (event: VoiceActivityEvent) => {
    const atMs = hearingAtMs ?? nowMs();
    const { type } = event;
    if (type === 'speech-pause' || type === 'speech-dropped') stopWatching();
    else watch ??= clock.setTimer(LOST_FRAMES_MS, checkFrames);
    if (type === 'speech-pause') onTurnEvent({ type, atMs, speechEndMs: atMs - event.silenceMs });
    else onTurnEvent({ type, atMs });
  };
  const { confirmMs, pauseWindowMs: pauseMs, lullWindowMs: lullMs } = options;
  const detector = options.voiceActivity.open({ confirmMs, pauseMs, ...(lullMs === undefined ? {} : { lullMs }), onEvent: report });

  /** Shows the detector the silence that no frame brings. */
  const checkFrames = () => {
    const atMs = nowMs();
    const remainingMs = lastFrameAtMs + LOST_FRAMES_MS - atMs;
    watch = clock.setTimer(remainingMs > 0 ? remainingMs : LOST_FRAMES_MS, checkFrames);
    if (remainingMs > 0) return;
    for (let silenceMs = 0; silenceMs < LOST_FRAMES_MS; silenceMs += FRAME_MS) detector.push(SILENCE);
  };

  return {
    hear(frame, atMs) {
      lastFrameAtMs = atMs;
      options.onFrame?.(frame);
      recogniser.push(frame);
      hearingAtMs = atMs;
      detector.push(frame, options.echoGuard.isEcho(frame, atMs));
      hearingAtMs = null;
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
        case 'turn-pause':
          if (options.hasVendorTurns) onTurnEvent({ type: 'vendor-turn-pause', atMs });
          return;
        case 'turn-resumed':
          if (options.hasVendorTurns) onTurnEvent({ type: 'vendor-turn-resumed', atMs });
          return;
        // Local voice activity is faster than a vendor's.
        case 'speech-start':
        case 'stt-ready':
        case 'stt-failed':
      }
    },
    close() {
      stopWatching();
      detector.close();
    },
  };
}
