import { FRAME_MS } from '../audio/frame.js';
import { mulawToLinear } from '../audio/g711.js';

/** Longest way of the agent's words to the caller's ear and back into their microphone. */
const MAX_ECHO_DELAY_MS = 500;

/** Frames of the agent that are remembered: sent up to 200 ms ahead, looked up so long after they were played. */
const REMEMBERED_FRAMES = 64;

/** Mean square below which the agent is silent: about −55 dBFS. Nothing echoes. */
const SILENT_ENERGY = 3_400;

const toRatio = (db: number): number => 10 ** (db / 10);

/**
 * How loud the echo is taken to be before anything is known of it; at least, since it may begin at any time and a caller who is softer
 * than that is hardly to be understood; and at most: beyond that it is rather the caller.
 */
const FIRST_GAIN = toRatio(-15);
const MIN_GAIN = toRatio(-25);
const MAX_GAIN = toRatio(-12);

/** What is no more than this much louder than the echo may be is still echo. */
const MARGIN = toRatio(4);

/** The echo is believed to be softer by 6 dB for each second of the agent's voice that does not bring it. */
const GAIN_DECAY = toRatio((-6 * FRAME_MS) / 1000);

/** Frames whose levels are compared, how alike they must be, and how much the agent's must vary (dB) for it to mean anything. */
const COMPARED_FRAMES = 16;
const ALIKE = 0.9;
const MIN_VARIATION_DB = 4;

/** What was louder than the echo can be is heard for so long after, its soft sounds too. */
const HOLD_FRAMES = 5;

const MAX_LAG = MAX_ECHO_DELAY_MS / FRAME_MS;

/** Knows which of the caller's frames the agent's own words explain. */
export interface EchoGuard {
  /** A frame of the agent will be played at `playAtMs`. */
  noteSent(frame: Uint8Array, playAtMs: number): void;
  /** Nothing that was to be played after this time is. */
  noteCleared(atMs: number): void;
  /** The caller's frame of this time: true where it holds no more than the agent's echo. Each frame once, in order. */
  isEcho(frame: Uint8Array, atMs: number): boolean;
}

function energyOf(frame: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < frame.length; i += 1) {
    const sample = mulawToLinear[frame[i] as number] as number;
    sum += sample * sample;
  }
  return sum / Math.max(1, frame.length);
}

/** Energies by the number of their 20 ms. */
function createEnergyTrack() {
  const energies = new Float64Array(REMEMBERED_FRAMES);
  const numbers = new Float64Array(REMEMBERED_FRAMES).fill(-1);
  return {
    set(number: number, energy: number): void {
      energies[number % REMEMBERED_FRAMES] = energy;
      numbers[number % REMEMBERED_FRAMES] = number;
    },
    get(number: number): number {
      if (number < 0) return 0;
      const at = number % REMEMBERED_FRAMES;
      return numbers[at] === number ? (energies[at] as number) : 0;
    },
    dropFrom(number: number): void {
      for (let at = 0; at < REMEMBERED_FRAMES; at += 1) if ((numbers[at] as number) >= number) numbers[at] = -1;
    },
  };
}

type EnergyTrack = ReturnType<typeof createEnergyTrack>;

/** Correlation of the levels of two tracks' last frames, `lag` frames apart; 0 where the agent's vary too little to tell. */
function likeness(caller: EnergyTrack, agent: EnergyTrack, number: number, lag: number): number {
  let sumX = 0;
  let sumY = 0;
  let sumXX = 0;
  let sumYY = 0;
  let sumXY = 0;
  for (let back = 0; back < COMPARED_FRAMES; back += 1) {
    const x = 10 * Math.log10(agent.get(number - lag - back) + SILENT_ENERGY);
    const y = 10 * Math.log10(caller.get(number - back) + 1);
    sumX += x;
    sumY += y;
    sumXX += x * x;
    sumYY += y * y;
    sumXY += x * y;
  }
  const varianceX = sumXX / COMPARED_FRAMES - (sumX / COMPARED_FRAMES) ** 2;
  const varianceY = sumYY / COMPARED_FRAMES - (sumY / COMPARED_FRAMES) ** 2;
  if (varianceX < MIN_VARIATION_DB ** 2 || varianceY <= 0) return 0;
  return (sumXY / COMPARED_FRAMES - (sumX * sumY) / COMPARED_FRAMES ** 2) / Math.sqrt(varianceX * varianceY);
}

/**
 * Tells the agent's echo from the caller by level: what is not clearly louder than the echo can be is echo. How loud that is, is
 * learnt: less with every second in which the agent spoke and softer came back, more where the caller's track rises and falls as
 * the agent's did some time before. Cheap, and nothing is allocated per frame.
 */
export function createEchoGuard(): EchoGuard {
  const agent = createEnergyTrack();
  const caller = createEnergyTrack();
  let gain = FIRST_GAIN;
  /** The last frame that was louder than the echo can be. */
  let lastLouder = -Infinity;

  function loudest(number: number): number {
    let most = 0;
    for (let lag = 0; lag <= MAX_LAG; lag += 1) most = Math.max(most, agent.get(number - lag));
    return most;
  }

  function isAlike(number: number): boolean {
    for (let lag = 0; lag <= MAX_LAG; lag += 1) if (likeness(caller, agent, number, lag) >= ALIKE) return true;
    return false;
  }

  return {
    noteSent: (frame, playAtMs) => agent.set(Math.max(0, Math.floor(playAtMs / FRAME_MS)), energyOf(frame)),
    noteCleared: (atMs) => agent.dropFrom(Math.ceil(atMs / FRAME_MS)),
    isEcho(frame, atMs) {
      const number = Math.max(0, Math.floor(atMs / FRAME_MS));
      const energy = energyOf(frame);
      caller.set(number, energy);
      const reference = loudest(number);
      if (reference < SILENT_ENERGY) return false;
      const ratio = energy / reference;
      if (ratio <= gain * MARGIN) {
        if (number - lastLouder <= HOLD_FRAMES) return false;
        gain = Math.min(MAX_GAIN, Math.max(MIN_GAIN, ratio, gain * GAIN_DECAY));
        return true;
      }
      if (ratio <= MAX_GAIN * MARGIN && isAlike(number)) {
        gain = Math.min(MAX_GAIN, ratio);
        lastLouder = -Infinity;
        return true;
      }
      lastLouder = number;
      return false;
    },
  };
}
