import { mulawToLinear } from '../../audio/g711.js';
import {
  CRC_NIBBLES,
  DATA_TONES,
  HEADER_NIBBLES,
  MAX_TEXT_NIBBLES,
  nibblesCrc,
  PREAMBLE,
  SYMBOL_SAMPLES,
  SYNC_TONE_A,
  SYNC_TONE_B,
  toneCycles,
  TONES,
  unpackHeader,
} from './data-signal.js';
import { decodeText } from './data-signal-text.js';

/** One packet as it was read. Times are samples since the first pushed byte. */
export interface ReceivedPacket {
  readonly text: string;
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly sequence: number;
  readonly startSample: number;
  readonly endSample: number;
}

/** What the decoder found. */
export interface DataSignalListener {
  onPacket(packet: ReceivedPacket): void;
  /** A preamble was heard, but what followed did not pass its check, or stopped. */
  onDamaged(): void;
}

/** Reads the data signal from a stream of 8 kHz mu-law. Pure: its clock is the audio. */
export interface DataSignalDecoder {
  /** Any length. */
  push(audio: Uint8Array): void;
  /** True from a preamble until its packet's last symbol: more text is on its way. */
  readonly isReading: boolean;
}

/** Time resolution: 4 ms, five blocks to a symbol. A symbol read half a block late loses 1 dB. */
const BLOCK_SAMPLES = 32;
const BLOCKS_PER_SYMBOL = SYMBOL_SAMPLES / BLOCK_SAMPLES;
/** Block of a preamble's first and second symbol, counted back from its last block. */
const FIRST_SYNC_BACK = 2 * BLOCKS_PER_SYMBOL;
const SECOND_SYNC_BACK = BLOCKS_PER_SYMBOL;
/** Past symbol energies kept; a power of two above FIRST_SYNC_BACK. */
const HISTORY = 16;
/** Share of the band's energy that a sync tone must hold. Noise of one symbol reaches it in one case of 10^5. */
const SYNC_DOMINANCE = 0.3;
/** Squared correlation of a tone of amplitude 40 (−58 dBFS) over one symbol: below it nothing is looked for. */
const MIN_SYMBOL_ENERGY = (40 * (SYMBOL_SAMPLES / 2)) ** 2;
/** Energy of a block's second difference below which the band is empty, for tones of the least amplitude. */
const GATE_ENERGY = 60_000;
/** A packet may be preceded by silence that cuts its first symbol; this many quiet blocks empty every window. */
const QUIET_BLOCKS = FIRST_SYNC_BACK + BLOCKS_PER_SYMBOL;

/** cos and sin of each tone, per sample of a symbol: `[tone][sample]`. */
const cosines = Float32Array.from({ length: TONES * SYMBOL_SAMPLES }, (_, i) => Math.cos(phaseAt(i)));
const sines = Float32Array.from({ length: TONES * SYMBOL_SAMPLES }, (_, i) => Math.sin(phaseAt(i)));

function phaseAt(index: number): number {
  return (2 * Math.PI * toneCycles(Math.floor(index / SYMBOL_SAMPLES)) * (index % SYMBOL_SAMPLES)) / SYMBOL_SAMPLES;
}

/** Energies of all tones over the last symbol's length, refreshed every block. */
interface ToneBank {
  readonly energies: Float64Array;
  /** Adds one block; returns the band's energy. */
  add(block: Int16Array): number;
  addQuiet(): void;
}

function createToneBank(): ToneBank {
  const energies = new Float64Array(TONES);
  const real = new Float64Array(TONES * BLOCKS_PER_SYMBOL);
  const imaginary = new Float64Array(TONES * BLOCKS_PER_SYMBOL);
  let slot = 0;

  function correlate(block: Int16Array, tone: number): void {
    const base = tone * SYMBOL_SAMPLES + slot * BLOCK_SAMPLES;
    let re = 0;
    let im = 0;
    for (let n = 0; n < BLOCK_SAMPLES; n += 1) {
      const sample = block[n] as number;
      re += sample * (cosines[base + n] as number);
      im += sample * (sines[base + n] as number);
    }
    real[tone * BLOCKS_PER_SYMBOL + slot] = re;
    imaginary[tone * BLOCKS_PER_SYMBOL + slot] = im;
  }

  function sumEnergy(tone: number): number {
    let re = 0;
    let im = 0;
    for (let i = tone * BLOCKS_PER_SYMBOL; i < (tone + 1) * BLOCKS_PER_SYMBOL; i += 1) {
      re += real[i] as number;
      im += imaginary[i] as number;
    }
    return re * re + im * im;
  }

  return {
    energies,
    add(block) {
      let total = 0;
      for (let tone = 0; tone < TONES; tone += 1) {
        correlate(block, tone);
        const energy = sumEnergy(tone);
        energies[tone] = energy;
        total += energy;
      }
      slot = (slot + 1) % BLOCKS_PER_SYMBOL;
      return total;
    },
    addQuiet() {
      for (let tone = 0; tone < TONES; tone += 1) {
        real[tone * BLOCKS_PER_SYMBOL + slot] = 0;
        imaginary[tone * BLOCKS_PER_SYMBOL + slot] = 0;
      }
      energies.fill(0);
      slot = (slot + 1) % BLOCKS_PER_SYMBOL;
    },
  };
}

/** Finds the block in which a preamble ends. */
interface SyncFinder {
  /** One block; true where a preamble ended with the block before it: the score falls once the window slides past its end. */
  add(energies: Float64Array, total: number): boolean;
  addQuiet(): void;
}

function createSyncFinder(): SyncFinder {
  const toneA = new Float64Array(HISTORY);
  const toneB = new Float64Array(HISTORY);
  let index = 0;
  let best = 0;
  /** Blocks. */
  let sincePeak = 0;

  const record = (a: number, b: number) => {
    toneA[index & (HISTORY - 1)] = a;
    toneB[index & (HISTORY - 1)] = b;
    index += 1;
  };
  const at = (ring: Float64Array, back: number) => ring[(index - 1 - back) & (HISTORY - 1)] as number;

  return {
    add(energies, total) {
      const floor = Math.max(MIN_SYMBOL_ENERGY, total * SYNC_DOMINANCE);
      const a = energies[SYNC_TONE_A] as number;
      const b = energies[SYNC_TONE_B] as number;
      // Beside the window's place a neighbour leaks in: energy times purity has a sharp peak where the symbols are.
      record(a > floor ? a / total : 0, b > floor ? b / total : 0);
      const score = Math.min(at(toneA, 0), at(toneB, SECOND_SYNC_BACK), at(toneA, FIRST_SYNC_BACK));
      // For the length of a symbol, the slope behind a peak holds no other peak, unless a higher one.
      if (sincePeak > BLOCKS_PER_SYMBOL) best = 0;
      if (score > best) {
        best = score;
        sincePeak = 0;
      } else {
        sincePeak += 1;
      }
      return best > 0 && sincePeak === 1;
    },
    addQuiet() {
      record(0, 0);
      best = 0;
      sincePeak = 0;
    },
  };
}

/** Nibbles of the packet being read. */
interface PacketReader {
  readonly state: 'idle' | 'reading';
  /** Begins after a preamble that ended at `preambleEnd`, one block before the block at hand. */
  begin(preambleEnd: number): void;
  /** The signal has stopped. */
  stop(): void;
  /** One block; `endSample` is where it ends. */
  add(energies: Float64Array, endSample: number): void;
}

function createPacketReader(listener: DataSignalListener): PacketReader {
  const nibbles = new Uint8Array(HEADER_NIBBLES + MAX_TEXT_NIBBLES + CRC_NIBBLES);
  let state: 'idle' | 'reading' = 'idle';
  let count = 0;
  let blocksLeft = 0;
  let startSample = 0;

  function finish(endSample: number): void {
    state = 'idle';
    const { textNibbles, isFirst, isLast, sequence } = unpackHeader(nibbles);
    const length = HEADER_NIBBLES + textNibbles;
    let sent = 0;
    for (let i = length; i < length + CRC_NIBBLES; i += 1) sent = (sent << 4) | (nibbles[i] as number);
    const text = sent === nibblesCrc(nibbles, length) ? decodeText(nibbles, HEADER_NIBBLES, textNibbles) : null;
    if (text === null) listener.onDamaged();
    else listener.onPacket({ text, isFirst, isLast, sequence, startSample, endSample });
  }

  function loudestTone(energies: Float64Array): number {
    let best = 0;
    for (let tone = 1; tone < DATA_TONES; tone += 1) if ((energies[tone] as number) > (energies[best] as number)) best = tone;
    return best;
  }

  return {
    get state() {
      return state;
    },
    begin(preambleEnd) {
      // A preamble that is heard a few blocks better is the same preamble.
      if (state === 'reading' && count > 0) listener.onDamaged();
      state = 'reading';
      count = 0;
      blocksLeft = BLOCKS_PER_SYMBOL;
      startSample = preambleEnd - PREAMBLE.length * SYMBOL_SAMPLES;
    },
    stop() {
      if (state === 'idle') return;
      state = 'idle';
      listener.onDamaged();
    },
    add(energies, endSample) {
      if (state === 'idle') return;
      blocksLeft -= 1;
      if (blocksLeft > 0) return;
      blocksLeft = BLOCKS_PER_SYMBOL;
      nibbles[count] = loudestTone(energies);
      count += 1;
      if (count < HEADER_NIBBLES) return;
      const total = HEADER_NIBBLES + unpackHeader(nibbles).textNibbles + CRC_NIBBLES;
      if (count >= total) finish(endSample);
    },
  };
}

/** Creates a decoder. Costs next to nothing while the band above the speech is empty. */
export function createDataSignalDecoder(listener: DataSignalListener): DataSignalDecoder {
  const block = new Int16Array(BLOCK_SAMPLES);
  const bank = createToneBank();
  const sync = createSyncFinder();
  const reader = createPacketReader(listener);
  let filled = 0;
  let quietBlocks = 0;
  let samples = 0;
  let previous = 0;
  let beforePrevious = 0;

  function highBandEnergy(): number {
    let sum = 0;
    let x1 = previous;
    let x2 = beforePrevious;
    for (let n = 0; n < BLOCK_SAMPLES; n += 1) {
      const sample = block[n] as number;
      const difference = sample - 2 * x1 + x2;
      sum += difference * difference;
      x2 = x1;
      x1 = sample;
    }
    previous = x1;
    beforePrevious = x2;
    return sum;
  }

  function takeBlock(): void {
    samples += BLOCK_SAMPLES;
    const isQuiet = highBandEnergy() < GATE_ENERGY;
    quietBlocks = isQuiet ? quietBlocks + 1 : 0;
    if (quietBlocks > QUIET_BLOCKS && reader.state === 'idle') return;
    if (isQuiet) {
      bank.addQuiet();
      sync.addQuiet();
      // A whole symbol of silence: the voice was cut off.
      if (quietBlocks > BLOCKS_PER_SYMBOL) reader.stop();
    } else {
      const total = bank.add(block);
      if (sync.add(bank.energies, total)) reader.begin(samples - BLOCK_SAMPLES);
    }
    reader.add(bank.energies, samples);
  }

  return {
    push(audio) {
      for (let at = 0; at < audio.length; ) {
        const count = Math.min(BLOCK_SAMPLES - filled, audio.length - at);
        for (let n = 0; n < count; n += 1) block[filled + n] = mulawToLinear[audio[at + n] as number] as number;
        at += count;
        filled = (filled + count) % BLOCK_SAMPLES;
        if (filled === 0) takeBlock();
      }
    },
    get isReading() {
      return reader.state === 'reading';
    },
  };
}
