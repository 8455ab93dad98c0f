import {
  nibblesCrc,
  packHeader,
  packetSamples,
  PREAMBLE,
  SYMBOL_SAMPLES,
  TONE_AMPLITUDE,
  toneCycles,
  TONES,
} from './data-signal.js';
import { encodeText } from './data-signal-text.js';

/** One packet, ready to be mixed. */
export interface DataPacket {
  readonly symbols: readonly number[];
  /** Where it begins in its segment. */
  readonly startSample: number;
}

/** The packets of one segment (a clause). */
export interface DataSegment {
  readonly packets: readonly DataPacket[];
  /** Samples from the segment's start to the end of its last packet. */
  readonly lengthSamples: number;
  /** Sequence number for the next segment of the same utterance. */
  readonly nextSequence: number;
}

/** One symbol of each tone. Every tone has whole periods in it, so that symbols join without a click. */
const waveforms: readonly Float32Array[] = Array.from({ length: TONES }, (_, tone) =>
  Float32Array.from({ length: SYMBOL_SAMPLES }, (__, n) => TONE_AMPLITUDE * Math.sin((2 * Math.PI * toneCycles(tone) * n) / SYMBOL_SAMPLES)),
);

/**
 * Lays out the packets of `text` over `speechSamples` of speech: each begins when its words do, as far as there is room, and the
 * last one ends with the speech, or later where the text needs more time than the speech takes.
 */
export function encodeSegment(text: string, speechSamples: number, firstSequence: number): DataSegment {
  const runs = encodeText(text);
  const characters = runs.reduce((sum, run) => sum + run.text.length, 0);
  let remaining = runs.reduce((sum, run) => sum + packetSamples(run.nibbles.length), 0);
  let spoken = 0;
  let end = 0;
  const packets = runs.map((run, index) => {
    const header = { textNibbles: run.nibbles.length, isFirst: index === 0, isLast: index === runs.length - 1, sequence: (firstSequence + index) & 15 };
    const body = [...packHeader(header), ...run.nibbles];
    const crc = nibblesCrc(body, body.length);
    const symbols = [...PREAMBLE, ...body, crc >> 12, (crc >> 8) & 15, (crc >> 4) & 15, crc & 15];
    const wordsAt = Math.floor((speechSamples * spoken) / Math.max(1, characters));
    const startSample = Math.max(end, Math.min(wordsAt, speechSamples - remaining));
    spoken += run.text.length;
    end = startSample + symbols.length * SYMBOL_SAMPLES;
    remaining -= symbols.length * SYMBOL_SAMPLES;
    return { symbols, startSample };
  });
  return { packets, lengthSamples: end, nextSequence: (firstSequence + runs.length) & 15 };
}

/** Adds a segment's tones to 16-bit samples in place; `samples` must be at least `lengthSamples` long. */
export function mixSegment(samples: Int16Array, segment: DataSegment): void {
  for (const packet of segment.packets) {
    let at = packet.startSample;
    for (const symbol of packet.symbols) {
      const waveform = waveforms[symbol] as Float32Array;
      for (let n = 0; n < SYMBOL_SAMPLES; n += 1, at += 1) {
        samples[at] = Math.max(-32768, Math.min(32767, Math.round((samples[at] as number) + (waveform[n] as number))));
      }
    }
  }
}
