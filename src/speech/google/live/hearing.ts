import { FRAME_BYTES, SAMPLE_RATE_HZ } from '../../../audio/frame.js';
import type { Clock, Timer } from '../../../base/clock.js';
import { createAudioFeed, type AudioFeed } from '../../audio-feed.js';
import { createAudioRing, type AudioRing } from '../../audio-ring.js';
import { createEnergyVoiceActivity } from '../../energy-voice-activity.js';
import { createFinalizeRequests } from '../../finalize-requests.js';
import type { SpeechToTextEvent } from '../../speech-to-text.js';
import { activityEnd, activityStart, audioInput } from './messages.js';

const BYTES_PER_MS = SAMPLE_RATE_HZ / 1000;
/** Audio kept for sending and for sending again: 5 s, whole frames. */
const RING_BYTES = 5000 * BYTES_PER_MS;
/** Audio per message: 40 ms. */
const BATCH_BYTES = 40 * BYTES_PER_MS;
/** Audio before the first loud frame that belongs to it: 300 ms. */
const PADDING_BYTES = 300 * BYTES_PER_MS;
/** The words are taken for complete after so long without another: the vendor does not say when they are. */
const QUIET_MS = 250;
/** How long speech may take to become words. */
const FIRST_WORDS_MS = 1000;

/** Sends one message; false: it was not taken. */
type Send = (message: string) => boolean;

/** The ears of a session. An activity begins when the caller does and ends when the answer is asked for: silence is not sent. */
export interface Hearing {
  /** True from the beginning of the caller's turn until the answer is asked for. */
  readonly hasActivity: boolean;
  /** True where it holds words. */
  readonly hasWords: boolean;
  push(audio: Uint8Array): void;
  finalize(): void;
  /** The vendor takes audio: an activity that was under way begins anew with what is not written down yet. */
  connect(send: Send): void;
  disconnect(): void;
  /** More words of the caller. */
  take(text: string, isFinished: boolean): void;
  /** Ends the activity, upon which the model answers. False: nothing was taken. */
  endActivity(): boolean;
  close(): void;
}

function startFeed(ring: AudioRing, position: number): AudioFeed {
  const feed = createAudioFeed(ring, BATCH_BYTES, position);
  feed.begin();
  return feed;
}

/** Creates the ears of one session. */
export function createHearing(clock: Clock, onEvent: (event: SpeechToTextEvent) => void): Hearing {
  const ring = createAudioRing(RING_BYTES);
  const detector = createEnergyVoiceActivity();
  const finalizes = createFinalizeRequests(clock, () => onEvent({ type: 'finalized' }));
  let send: Send | null = null;
  let isReady = false;
  let examined = 0;
  /** Position up to which the caller's words are known. */
  let covered = 0;
  /** `feed` null: no connection takes it. */
  let activity: { readonly start: number; feed: AudioFeed | null; hasWords: boolean } | null = null;
  let text = '';
  let timer: Timer | null = null;

  function settle(): void {
    timer?.cancel();
    timer = null;
    const settled = text.trim();
    text = '';
    if (settled !== '') {
      covered = ring.end;
      onEvent({ type: 'transcript-final', text: settled });
    }
    finalizes.settleCovered(ring.end);
  }

  function settleAfter(delayMs: number): void {
    timer?.cancel();
    timer = clock.setTimer(delayMs, settle);
  }

  function feedActivity(): void {
    const to = send;
    if (activity === null || to === null || (activity.feed === null && !to(activityStart))) return;
    activity.feed ??= startFeed(ring, Math.max(activity.start, covered));
    activity.feed.drain(BATCH_BYTES, (audio) => to(audioInput(audio)));
  }

  function examine(): void {
    for (examined = Math.max(examined, ring.start); ring.end - examined >= FRAME_BYTES; examined += FRAME_BYTES) {
      detector.push(ring.view(examined, FRAME_BYTES));
      if (detector.phase !== 'silence') activity ??= { start: Math.max(covered, examined - PADDING_BYTES), feed: null, hasWords: false };
    }
  }

  return {
    get hasActivity() {
      return activity !== null && activity.feed !== null;
    },
    get hasWords() {
      return activity?.hasWords === true;
    },
    push(audio) {
      ring.push(audio);
      examine();
      feedActivity();
    },
    finalize() {
      finalizes.add(ring.end, activity === null);
      if (activity !== null) settleAfter(text === '' ? FIRST_WORDS_MS : QUIET_MS);
    },
    connect(to) {
      send = to;
      if (!isReady) onEvent({ type: 'stt-ready' });
      isReady = true;
      feedActivity();
    },
    disconnect() {
      send = null;
      // What is not settled is heard, and written down, again.
      text = '';
      if (activity !== null) activity.feed = null;
    },
    take(more, isFinished) {
      // Words that come after the answer was asked for are in the model's ears, and would only seem to be said into its answer.
      if (activity === null) return;
      text += more;
      if (text.trim() !== '') {
        activity.hasWords = true;
        onEvent({ type: 'transcript-interim', text: text.trim() });
      }
      if (isFinished) settle();
      else if (finalizes.count > 0 || detector.phase === 'silence') settleAfter(QUIET_MS);
    },
    endActivity() {
      if (activity === null || send === null) return false;
      const to = send;
      activity.feed?.drain(1, (audio) => to(audioInput(audio)));
      settle();
      activity = null;
      covered = ring.end;
      return to(activityEnd);
    },
    close() {
      timer?.cancel();
      finalizes.close();
    },
  };
}
