import { SAMPLE_RATE_HZ } from '../../audio/frame.js';

/**
 * The data signal: text carried inside the builtin voice's audio, so that the builtin speech-to-text can "understand" it from
 * the audio alone. It is part of the simulation, not of telephony: 16 + 2 tones of 20 ms each (one of them at a time) above
 * the band that is left to the speech.
 *
 * A packet is: preamble (3 sync tones), header (length high, length low with flags, sequence), text, CRC-16; one 4-bit value
 * ("nibble") per symbol.
 */

/** Samples of one symbol: 20 ms, so that tones 50 Hz apart are orthogonal. */
export const SYMBOL_SAMPLES = 160;

const SYMBOLS_PER_SECOND = SAMPLE_RATE_HZ / SYMBOL_SAMPLES;

/** Lowest tone. All tones stay below 3.6 kHz, where resamplers and carriers' filters still let them through. */
const LOWEST_TONE_HZ = 2700;

/** Tones that carry a nibble each. */
export const DATA_TONES = 16;

/** Sync tone sent first and last in a preamble; never used for data. */
export const SYNC_TONE_A = 16;

/** Sync tone sent second in a preamble; never used for data. */
export const SYNC_TONE_B = 17;

/** All tones. */
export const TONES = DATA_TONES + 2;

/** Upper edge of the speech that is mixed with the signal. */
export const SPEECH_EDGE_HZ = 2450;

/** Amplitude of a tone, of 32768 (−34 dBFS; RMS −37 dBFS): 17 dB below the voice's speech. */
export const TONE_AMPLITUDE = 650;

/** Symbols before a packet's header. */
export const PREAMBLE: readonly number[] = [SYNC_TONE_A, SYNC_TONE_B, SYNC_TONE_A];

/** Nibbles between preamble and text. */
export const HEADER_NIBBLES = 3;

/** Nibbles after the text. */
export const CRC_NIBBLES = 4;

/** Longest text of a packet, in nibbles: what six bits of length can say. */
export const MAX_TEXT_NIBBLES = 63;

/** Text nibbles at which a packet is closed at the next word: about four words, 0.7 s. */
export const TARGET_TEXT_NIBBLES = 22;

/** Length of a packet with this much text, in samples. */
export function packetSamples(textNibbles: number): number {
  return (PREAMBLE.length + HEADER_NIBBLES + textNibbles + CRC_NIBBLES) * SYMBOL_SAMPLES;
}

/** Whole periods of a tone within one symbol. */
export function toneCycles(tone: number): number {
  // Sync tones at both edges of the band, data tones between them: neighbours of the sync tones are then never confused.
  const step = tone === SYNC_TONE_A ? 0 : tone === SYNC_TONE_B ? TONES - 1 : tone + 1;
  return LOWEST_TONE_HZ / SYMBOLS_PER_SECOND + step;
}

/** What a packet's header says. */
export interface PacketHeader {
  /** Nibbles of text that follow. */
  readonly textNibbles: number;
  /** The packet begins a segment (a clause). */
  readonly isFirst: boolean;
  /** The packet ends its segment. */
  readonly isLast: boolean;
  /** Counts packets of one utterance, modulo 16. */
  readonly sequence: number;
}

/** Packs a header into its three nibbles. */
export function packHeader(header: PacketHeader): readonly number[] {
  const bits = (header.textNibbles << 2) | (header.isFirst ? 2 : 0) | (header.isLast ? 1 : 0);
  return [bits >> 4, bits & 15, header.sequence & 15];
}

/** Reads a header from the start of `nibbles`. */
export function unpackHeader(nibbles: Uint8Array): PacketHeader {
  const bits = ((nibbles[0] as number) << 4) | (nibbles[1] as number);
  return { textNibbles: bits >> 2, isFirst: (bits & 2) !== 0, isLast: (bits & 1) !== 0, sequence: nibbles[2] as number };
}

/** CRC-16/CCITT (polynomial 0x1021, start 0xffff) over the first `count` nibbles. */
export function nibblesCrc(nibbles: ArrayLike<number>, count: number): number {
  let crc = 0xffff;
  for (let i = 0; i < count; i += 1) {
    crc ^= (nibbles[i] as number) << 12;
    for (let bit = 0; bit < 4; bit += 1) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}
