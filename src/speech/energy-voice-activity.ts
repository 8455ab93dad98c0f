import { FRAME_MS } from '../audio/frame.js';
import { mulawToLinear } from '../audio/g711.js';
import type { VoiceActivity, VoiceActivityEvent } from './voice-activity.js';

/** Windows of the energy detector. */
export interface EnergyVoiceActivityOptions {
  /** Speech that must have lasted before `speech-start`, ms. Default 120. Longer: fewer false interruptions, later barge-in. */
  readonly confirmMs?: number;
  /** Silence after speech before `speech-pause`, ms. Default 200. */
  readonly pauseMs?: number;
  /** Silence within speech before `speech-lull`, ms. Default: none is reported. */
  readonly lullMs?: number;
}

const DEFAULT_CONFIRM_MS = 120;

/** The confirm window of a call, where an interruption costs more than elsewhere. */
const CALL_CONFIRM_MS = 160;

const DEFAULT_PAUSE_MS = 200;

/** Silence that undoes an onset: three frames, so that the closure of a stop does not. */
const DROP_FRAMES = 3;

/** Mean square of the filtered signal that speech must reach on the quietest line: about −44 dBFS at 1.5 kHz. */
const MIN_SPEECH_ENERGY = 100_000;

/** How far above the noise a frame must be to begin speech (7 dB), and to go on with it (5 dB). */
const ONSET_RATIO = 5;
const HOLD_RATIO = 3;

/** What the first frame may teach about the noise: above about −35 dBFS it is rather the caller's voice. */
const MAX_FIRST_FLOOR = 1_300_000;

/** Per frame: the floor follows a falling level at once, a rising one by 3 dB a second, by 1 dB a second during speech. */
const FLOOR_FALL = 0.2;
const FLOOR_RISE = 1.0139;
const FLOOR_RISE_IN_SPEECH = 1.0046;

/** Sound whose energy varies less than this (variance over squared mean) for this many frames (0.8 s) is noise, however loud. */
const STEADY_VARIATION = 0.04;
const STEADY_FRAMES = 40;

/** Sound that has varied less than this since its onset may be a tone, a hum or hiss: it is not confirmed until it varies more. */
const TONE_VARIATION = 0.04;

/**
 * Zero crossings of a frame above which its energy lies above 2.5 kHz: the builtin voice's data signal without its speech, or
 * the end of an "s". Such a frame holds no speech unless it is this much louder than the least speech.
 */
const HISS_CROSSINGS = (2 * 2500 * FRAME_MS) / 1000;
const LOUD_HISS_ENERGY = 30 * MIN_SPEECH_ENERGY;

/** What one frame holds, after a filter that takes away direct current, hum and most of what lies above 2.5 kHz. */
interface FrameMeter {
  readonly energy: number;
  readonly crossings: number;
  measure(frame: Uint8Array): void;
}

/**
 * Filter (1 − z⁻¹)(1 + 1.5 z⁻¹ + z⁻²): zero at 0 Hz and at 3.1 kHz, in the middle of the builtin voice's data signal; greatest at 1.5 kHz,
 * and 10 dB or more below that all over the data signal's band.
 */
function createFrameMeter(): FrameMeter {
  let energy = 0;
  let crossings = 0;
  let x1 = 0;
  let x2 = 0;
  let x3 = 0;
  let lastSign = 0;
  return {
    get energy() {
      return energy;
    },
    get crossings() {
      return crossings;
    },
    measure(frame) {
      // Locals: a closure's variables are slower to write than the loop is to run.
      let p1 = x1;
      let p2 = x2;
      let p3 = x3;
      let sign = lastSign;
      let sum = 0;
      let count = 0;
      for (let i = 0; i < frame.length; i += 1) {
        const x = mulawToLinear[frame[i] as number] as number;
        const y = x - p3 + 0.5 * (p1 - p2);
        p3 = p2;
        p2 = p1;
        p1 = x;
        sum += y * y;
        const newSign = y < 0 ? 1 : 0;
        count += newSign ^ sign;
        sign = newSign;
      }
      x1 = p1;
      x2 = p2;
      x3 = p3;
      lastSign = sign;
      energy = sum / Math.max(1, frame.length);
      crossings = count;
    },
  };
}

/** Energies of the last frames, to tell steady noise from speech, which rises and falls several times a second. */
interface EnergyHistory {
  add(energy: number): void;
  /** Variance over squared mean of the last `frames`; Infinity where fewer are known. */
  variation(frames: number): number;
  /** Mean of the last `frames`. */
  mean(frames: number): number;
}

function createEnergyHistory(): EnergyHistory {
  const ring = new Float64Array(STEADY_FRAMES);
  let count = 0;
  const mean = (frames: number) => {
    let sum = 0;
    for (let back = 1; back <= frames; back += 1) sum += ring[(count - back) % STEADY_FRAMES] as number;
    return sum / frames;
  };
  return {
    mean,
    add(energy) {
      ring[count % STEADY_FRAMES] = energy;
      count += 1;
    },
    variation(frames) {
      if (count < frames) return Infinity;
      const average = mean(frames);
      let sum = 0;
      for (let back = 1; back <= frames; back += 1) sum += ((ring[(count - back) % STEADY_FRAMES] as number) - average) ** 2;
      return average === 0 ? Infinity : sum / (frames * average * average);
    },
  };
}

/** How loud the line is without speech. */
interface NoiseFloor {
  /** Infinity before the first frame, which is never speech: it teaches the floor. */
  readonly energy: number;
  /** One frame; the first one sets the floor. */
  follow(energy: number, isSpeech: boolean): void;
  /** Takes a steady sound as the noise. */
  absorb(energy: number): void;
}

function createNoiseFloor(): NoiseFloor {
  let floor = -1;
  return {
    get energy() {
      return floor < 0 ? Infinity : floor;
    },
    follow(energy, isSpeech) {
      if (floor < 0) floor = Math.min(energy, MAX_FIRST_FLOOR);
      else if (energy < floor) floor += FLOOR_FALL * (energy - floor);
      else floor = Math.min(energy, Math.max(1, floor) * (isSpeech ? FLOOR_RISE_IN_SPEECH : FLOOR_RISE));
    },
    absorb(energy) {
      floor = energy;
    },
  };
}

// One object per event: nothing is allocated per frame.
const onset: VoiceActivityEvent = { type: 'speech-onset' };
const start: VoiceActivityEvent = { type: 'speech-start' };
const lull: VoiceActivityEvent = { type: 'speech-lull' };
const resumed: VoiceActivityEvent = { type: 'speech-resumed' };
const dropped: VoiceActivityEvent = { type: 'speech-dropped' };

/** What is heard: nothing, perhaps a voice, or a voice. */
export type VoicePhase = 'silence' | 'onset' | 'speech';

/** The detector itself. Pure, and at once: its clock is the audio it is fed. */
export interface EnergyDetector {
  readonly phase: VoicePhase;
  /** True where the last frame was as loud as speech. */
  readonly isLoud: boolean;
  /** One 20 ms mu-law frame; returns what it brought about, or null (no allocation when nothing happens). */
  push(frame: Uint8Array, isEcho?: boolean): VoiceActivityEvent | null;
}

/**
 * A light voice-activity detector: energy over an adaptive noise floor. It follows the line's noise, and takes tones, hum and
 * hiss as noise within a second of their beginning, because their energy does not vary as speech does. The builtin voice's data
 * signal alone is no speech to it. It cannot tell speech from other sounds that rise and fall, such as music.
 */
export function createEnergyVoiceActivity(options: EnergyVoiceActivityOptions = {}): EnergyDetector {
  const confirmFrames = Math.max(1, Math.ceil((options.confirmMs ?? DEFAULT_CONFIRM_MS) / FRAME_MS));
  const pauseFrames = Math.max(1, Math.ceil((options.pauseMs ?? DEFAULT_PAUSE_MS) / FRAME_MS));
  const lullFrames = Math.max(1, Math.ceil((options.lullMs ?? Infinity) / FRAME_MS));
  const meter = createFrameMeter();
  const history = createEnergyHistory();
  const floor = createNoiseFloor();
  const pause: VoiceActivityEvent = { type: 'speech-pause', silenceMs: (pauseFrames - 1) * FRAME_MS };
  let phase: VoicePhase = 'silence';
  let isLoud = false;
  /** Frames since the onset. */
  let age = 0;
  /** Frames in a row without speech. */
  let silent = 0;

  function isActive(): boolean {
    const { energy, crossings } = meter;
    if (energy < MIN_SPEECH_ENERGY || (crossings > HISS_CROSSINGS && energy < LOUD_HISS_ENERGY)) return false;
    return energy > floor.energy * (phase === 'silence' ? ONSET_RATIO : HOLD_RATIO);
  }

  function absorbSteadySound(): void {
    if (phase !== 'silence' && history.variation(STEADY_FRAMES) < STEADY_VARIATION) floor.absorb(history.mean(STEADY_FRAMES));
  }

  function isConfirmed(): boolean {
    if (age < confirmFrames) return false;
    // The onset's own frame is only partly filled with the sound, so it does not count.
    return confirmFrames < 4 || history.variation(Math.min(age - 1, STEADY_FRAMES)) >= TONE_VARIATION;
  }

  function enter(next: VoicePhase, event: VoiceActivityEvent): VoiceActivityEvent {
    phase = next;
    silent = 0;
    return event;
  }

  function step(active: boolean): VoiceActivityEvent | null {
    const isLull = silent >= lullFrames;
    silent = active ? 0 : silent + 1;
    switch (phase) {
      case 'silence':
        if (!active) return null;
        age = 1;
        return confirmFrames === 1 ? enter('speech', start) : enter('onset', onset);
      case 'onset':
        age += 1;
        if (silent >= DROP_FRAMES) return enter('silence', dropped);
        return active && isConfirmed() ? enter('speech', start) : null;
      case 'speech':
        if (silent >= pauseFrames) return enter('silence', pause);
        if (silent === lullFrames) return lull;
        return active && isLull ? resumed : null;
    }
  }

  return {
    get phase() {
      return phase;
    },
    get isLoud() {
      return isLoud;
    },
    push(frame, isEcho = false) {
      meter.measure(frame);
      history.add(meter.energy);
      isLoud = !isEcho && isActive();
      const event = step(isLoud);
      floor.follow(meter.energy, phase !== 'silence');
      absorbSteadySound();
      return event;
    },
  };
}

/** The light detector, for calls: no model, no worker, its answer at once. */
export const energyVoiceActivity: VoiceActivity = {
  name: 'energy',
  open({ confirmMs, onEvent, ...windows }) {
    const detector = createEnergyVoiceActivity({ ...windows, confirmMs: confirmMs ?? CALL_CONFIRM_MS });
    let isClosed = false;
    return {
      push(frame, isEcho) {
        const event = isClosed ? null : detector.push(frame, isEcho);
        if (event !== null) onEvent(event);
      },
      close: () => void (isClosed = true),
    };
  },
};
