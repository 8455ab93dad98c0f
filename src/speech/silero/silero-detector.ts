import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { mulawToLinear } from '../../audio/g711.js';
import { createEnergyVoiceActivity, type VoicePhase } from '../energy-voice-activity.js';
import type { VoiceActivityDetector, VoiceActivityEvent, VoiceActivityOptions } from '../voice-activity.js';
import { createSpeechScore } from './speech-score.js';
import { INPUT_SAMPLES, RING_WINDOWS, WINDOW_SAMPLES, type WindowRing } from './window-ring.js';

/** Speech by the model before `speech-start`, unless an agent says otherwise: three windows, or two of which it is sure. */
const SILERO_CONFIRM_MS = 96;

/** An answer that has not come for so long is late: the energy detector takes over until the sound is over. */
export const LATE_ANSWER_MS = 120;

/** Windows from before the first loud frame that the model is shown: it needs to hear a voice begin. */
const LEAD_WINDOWS = 2;

/** Samples remembered: the lead with its context, and a frame more than a window. */
const HISTORY_SAMPLES = 2048;

const SAMPLES_PER_MS = SAMPLE_RATE_HZ / 1000;

const FULL_SCALE = 32_768;

/** Where a detector's windows are scored. */
export interface SileroSlot {
  readonly ring: WindowRing;
  readonly slot: number;
  /** Real time, ms: how late answers are. */
  readonly nowMs: () => number;
  /** False once the model's thread has died. */
  readonly isAlive: () => boolean;
  /** Answers came too late. */
  readonly onLate: () => void;
  readonly onClose: () => void;
}

/** One call's detector by Silero. */
export interface SileroDetector extends VoiceActivityDetector {
  /** Answers may have come, or the model's thread died. */
  takeAnswers(): void;
}

/** The last samples of a call, by their number. */
function createHistory() {
  const ring = new Float32Array(HISTORY_SAMPLES);
  let total = 0;
  return {
    get total() {
      return total;
    },
    /** What is echo is remembered as silence. */
    add(frame: Uint8Array, isEcho: boolean): void {
      for (let i = 0; i < frame.length; i += 1) {
        ring[(total + i) % HISTORY_SAMPLES] = isEcho ? 0 : (mulawToLinear[frame[i] as number] as number) / FULL_SCALE;
      }
      total += frame.length;
    },
    /** The window that ends before sample `end`, with its context; zeros before the first sample. */
    copyWindow(end: number, input: Float32Array): void {
      for (let i = 0; i < INPUT_SAMPLES; i += 1) {
        const at = end - INPUT_SAMPLES + i;
        input[i] = at < 0 ? 0 : (ring[at % HISTORY_SAMPLES] as number);
      }
    },
  };
}

/** Tells of lulls, which the energy notices sooner than the model. */
function createLullWatch(lullMs: number, report: (event: VoiceActivityEvent, phase: VoicePhase) => void) {
  let isLull = false;
  return {
    follow(phase: VoicePhase, silenceMs: number): void {
      const isNow = phase === 'speech' && silenceMs >= lullMs;
      if (isNow !== isLull && phase === 'speech') report({ type: isNow ? 'speech-lull' : 'speech-resumed' }, phase);
      isLull = isNow;
    },
  };
}

/** What asks: nothing is loud; the model is asked; or its answers are late or gone, and energy decides. */
type Gate = 'closed' | 'asking' | 'energy';

/**
 * Silero behind a gate of energy: silence costs nothing, and only what is loud is asked about. The windows are laid so that one ends
 * with the first loud frame. The pause is the energy's or the model's, whichever comes first: the energy notices silence sooner, the
 * model what is loud and no voice.
 */
export function createSileroDetector(place: SileroSlot, options: VoiceActivityOptions): SileroDetector {
  const { ring, slot, nowMs } = place;
  const { pauseMs, onEvent } = options;
  const energy = createEnergyVoiceActivity({ pauseMs });
  const score = createSpeechScore({ confirmMs: options.confirmMs ?? SILERO_CONFIRM_MS, pauseMs });
  const history = createHistory();
  const lull = createLullWatch(options.lullMs ?? Infinity, report);
  const ends = new Float64Array(RING_WINDOWS);
  const askedAtMs = new Float64Array(RING_WINDOWS);
  let gate: Gate = 'closed';
  let reported: VoicePhase = 'silence';
  let lastLoudEnd = 0;
  let nextEnd = 0;
  /** Answers to windows before this one concern a sound that is over. */
  let taken = ring.asked(slot);
  let isClosed = false;

  function report(event: VoiceActivityEvent, phase: VoicePhase): void {
    reported = phase;
    if (!isClosed) onEvent(event);
  }

  /** Brings what was reported to what is so. */
  function follow(phase: VoicePhase, silenceSamples: number): void {
    if (phase === reported) return;
    if (phase === 'speech') report({ type: 'speech-start' }, 'speech');
    else if (reported === 'speech') {
      if (phase === 'silence') report({ type: 'speech-pause', silenceMs: silenceSamples / SAMPLES_PER_MS }, 'silence');
    } else if (phase === 'onset') report({ type: 'speech-onset' }, 'onset');
    else report({ type: 'speech-dropped' }, 'silence');
  }

  function openGate(): void {
    gate = place.isAlive() ? 'asking' : 'energy';
    score.reset();
    nextEnd = history.total - LEAD_WINDOWS * WINDOW_SAMPLES;
    if (gate === 'asking') ask(true);
  }

  function closeGate(): void {
    follow('silence', history.total - lastLoudEnd);
    gate = 'closed';
    taken = ring.asked(slot);
  }

  function giveUpModel(): void {
    gate = 'energy';
    taken = ring.asked(slot);
  }

  function ask(isNewSound: boolean): void {
    let isFirst = isNewSound;
    for (; nextEnd <= history.total; nextEnd += WINDOW_SAMPLES) {
      const input = ring.nextInput(slot);
      if (input === null) {
        place.onLate();
        return giveUpModel();
      }
      history.copyWindow(nextEnd, input);
      const entry = ring.asked(slot) % RING_WINDOWS;
      ends[entry] = nextEnd;
      askedAtMs[entry] = nowMs();
      ring.ask(slot, isFirst);
      isFirst = false;
    }
  }

  function takeAnswers(): void {
    if (gate !== 'asking') return;
    const answered = ring.answered(slot);
    for (; taken < answered; taken += 1) {
      const end = ends[taken % RING_WINDOWS] as number;
      // The model goes on a window or two after a voice has ended; what is not loud is none.
      score.add(ring.score(slot, taken), end - WINDOW_SAMPLES < lastLoudEnd);
      follow(score.phase, score.silentWindows * WINDOW_SAMPLES + history.total - end);
    }
    const isLate = taken < ring.asked(slot) && nowMs() - (askedAtMs[taken % RING_WINDOWS] as number) > LATE_ANSWER_MS;
    if (isLate) place.onLate();
    if (isLate || !place.isAlive()) giveUpModel();
  }

  return {
    takeAnswers,
    push(frame, isEcho = false) {
      energy.push(frame, isEcho);
      history.add(frame, isEcho);
      if (energy.isLoud) lastLoudEnd = history.total;
      takeAnswers();
      if (gate === 'closed' && energy.isLoud) openGate();
      else if (gate === 'asking') ask(false);
      if (gate === 'energy') follow(energy.phase, history.total - lastLoudEnd);
      if (gate !== 'closed' && history.total - lastLoudEnd >= pauseMs * SAMPLES_PER_MS) closeGate();
      lull.follow(reported, (history.total - lastLoudEnd) / SAMPLES_PER_MS);
    },
    close() {
      isClosed = true;
      place.onClose();
    },
  };
}
