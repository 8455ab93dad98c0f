import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { alawToMulaw, encodeAlaw, encodeMulaw } from '../../audio/g711.js';
import { createResampler } from '../../audio/resample.js';
import { systemClock } from '../../base/clock.js';
import { createDataSignalDecoder, type ReceivedPacket } from './data-signal-decoder.js';
import { encodeSegment, mixSegment, type DataSegment } from './data-signal-encoder.js';
import { decodeText, encodeText } from './data-signal-text.js';
import { nibblesCrc, packHeader, packetSamples, unpackHeader } from './data-signal.js';
import { builtinTtsSettingsSchema } from './settings.js';
import { renderClause } from './voice.js';

const LINES = [
  'Hello, thank you for calling.',
  'We are open from nine to five, Monday to Friday, and on Saturdays until noon.',
  'Yes.',
  'My number is 555 0123 4567, and my e-mail is a.b@example.com!',
  'Größe, façade, señor: 100 € für ein Übergrößen-T-Shirt?',
  'I would like to book a table for two on Friday evening at seven o’clock, please.',
];

interface Spoken {
  readonly text: string;
  readonly samples: Int16Array;
  readonly speech: Int16Array;
  readonly segment: DataSegment;
}

async function speakLine(text: string, engine: 'auto' | 'bundled'): Promise<Spoken> {
  const settings = builtinTtsSettingsSchema.parse({ engine });
  const speech = await renderClause(text, { settings, language: 'en', clock: systemClock, signal: new AbortController().signal });
  const segment = encodeSegment(text, speech.length, 0);
  const samples = new Int16Array(Math.max(speech.length, segment.lengthSamples) + 400);
  samples.set(speech);
  mixSegment(samples, segment);
  return { text, samples, speech, segment };
}

function receive(mulaw: Uint8Array, chunkBytes = 160): { packets: ReceivedPacket[]; text: string; damaged: number } {
  const packets: ReceivedPacket[] = [];
  let damaged = 0;
  const decoder = createDataSignalDecoder({ onPacket: (packet) => packets.push(packet), onDamaged: () => (damaged += 1) });
  for (let at = 0; at < mulaw.length; at += chunkBytes) decoder.push(mulaw.subarray(at, at + chunkBytes));
  return { packets, text: packets.map((packet) => packet.text).join(''), damaged };
}

function clamp(value: number): number {
  return Math.max(-32768, Math.min(32767, Math.round(value)));
}

function throughRate(samples: Int16Array, rateHz: number): Int16Array {
  const convert = (input: Int16Array, fromHz: number, toHz: number) => {
    const resampler = createResampler(fromHz, toHz);
    return Int16Array.from([...resampler.push(input), ...resampler.flush()]);
  };
  return convert(convert(samples, 8000, rateHz), rateHz, 8000);
}

function createNoise(seed: number): () => number {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 0x80000000;
  };
  return () => {
    let sum = 0;
    for (let i = 0; i < 12; i += 1) sum += uniform();
    return sum / 2;
  };
}

function rms(samples: Int16Array): number {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, samples.length));
}

describe('text in the data signal', () => {
  it('joins to the text again, whatever the characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), (text) => {
        const runs = encodeText(text);
        expect(runs.map((run) => run.text).join('')).toBe(text);
        expect(runs.map((run) => decodeText(Uint8Array.from(run.nibbles), 0, run.nibbles.length)).join('')).toBe(text);
      }),
    );
  });

  it('replaces a lone surrogate', () => {
    const [run] = encodeText('a\ud800b');
    expect(decodeText(Uint8Array.from(run!.nibbles), 0, run!.nibbles.length)).toBe('a\ufffdb');
  });

  it('never throws on arbitrary nibbles', () => {
    fc.assert(
      fc.property(fc.uint8Array({ max: 15, maxLength: 63 }), (nibbles) => {
        const text = decodeText(nibbles, 0, nibbles.length);
        expect(text === null || typeof text === 'string').toBe(true);
      }),
    );
  });

  it('is carried at 16 characters a second or more, packet overhead included', () => {
    const sentences = LINES.filter((line) => line.length > 20);
    const rates = sentences.map((line) => line.length / (encodeText(line).reduce((sum, run) => sum + packetSamples(run.nibbles.length), 0) / 8000));
    process.stdout.write(`characters per second of data: ${rates.map((rate) => rate.toFixed(1)).join(' ')}\n`);
    expect(Math.min(...rates)).toBeGreaterThan(16);
  });
});

describe('packets', () => {
  it('keep what the header says', () => {
    fc.assert(
      fc.property(fc.nat(63), fc.boolean(), fc.boolean(), fc.nat(15), (textNibbles, isFirst, isLast, sequence) => {
        const header = { textNibbles, isFirst, isLast, sequence };
        expect(unpackHeader(Uint8Array.from(packHeader(header)))).toEqual(header);
      }),
    );
  });

  it('have the check value of CRC-16/CCITT-FALSE', () => {
    const nibbles = [...'123456789'].flatMap((digit) => [digit.charCodeAt(0) >> 4, digit.charCodeAt(0) & 15]);
    expect(nibblesCrc(nibbles, nibbles.length)).toBe(0x29b1);
  });

  it('end with the speech where there is time, never overlap, and follow the words', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 120 }), fc.nat(100_000), (text, speechSamples) => {
        const { packets, lengthSamples } = encodeSegment(text, speechSamples, 3);
        let end = 0;
        for (const packet of packets) {
          expect(packet.startSample).toBeGreaterThanOrEqual(end);
          end = packet.startSample + packet.symbols.length * 160;
        }
        const needed = packets.reduce((sum, packet) => sum + packet.symbols.length * 160, 0);
        expect(lengthSamples).toBe(end);
        expect(lengthSamples).toBeLessThanOrEqual(Math.max(needed, speechSamples));
      }),
    );
  });
});

describe.each(['auto', 'bundled'] as const)('the data signal under speech (%s)', (engine) => {
  let lines: Spoken[] = [];
  beforeAll(async () => {
    lines = await Promise.all(LINES.map((line) => speakLine(line, engine)));
  });

  const expectAll = (change: (samples: Int16Array) => Uint8Array, chunkBytes?: number) => {
    for (const { text, samples } of lines) expect(receive(change(samples), chunkBytes).text).toBe(text);
  };

  it('survives mu-law and A-law', () => {
    expectAll((samples) => encodeMulaw(samples));
    expectAll((samples) => alawToMulaw(encodeAlaw(samples)));
  });

  it.each([16_000, 24_000])('survives a way over %d Hz', (rateHz) => expectAll((samples) => encodeMulaw(throughRate(samples, rateHz))));

  it.each([0.3, 0.6, 1.2, 1.5])('survives a gain of %d', (gain) => expectAll((samples) => encodeMulaw(samples.map((sample) => clamp(sample * gain)))));

  it.each([1, 7, 16, 31, 77, 159])('is read %d samples off its symbols', (offset) => {
    expectAll((samples) => encodeMulaw(Int16Array.from([...new Int16Array(offset), ...samples])));
  });

  it.each([1, 33, 800, 8000])('is read in chunks of %d bytes', (bytes) => expectAll((samples) => encodeMulaw(samples), bytes));

  it('survives noise 20 dB below the speech', () => {
    for (const { text, samples, speech } of lines) {
      const noise = createNoise(text.length);
      const level = rms(speech) / 10;
      expect(receive(encodeMulaw(samples.map((sample) => clamp(sample + level * noise())))).text).toBe(text);
    }
  });

  it('loses no more than the packets that a lost frame touches', () => {
    const { samples, segment } = lines[1]!;
    for (let at = 0; at + 160 < samples.length; at += 1120) {
      const touched = (start: number, length: number) => start < at + 160 && start + length > at;
      const intact = segment.packets.filter((packet) => !touched(packet.startSample, packet.symbols.length * 160)).length;
      const silenced = samples.slice().fill(0, at, at + 160);
      const dropped = Int16Array.from([...samples.subarray(0, at), ...samples.subarray(at + 160)]);
      expect(receive(encodeMulaw(silenced)).packets.length).toBeGreaterThanOrEqual(intact);
      expect(receive(encodeMulaw(dropped)).packets.length).toBeGreaterThanOrEqual(intact);
    }
  });

  it('stays far below the speech', () => {
    for (const { segment, speech } of lines) {
      const signal = new Int16Array(segment.lengthSamples);
      mixSegment(signal, segment);
      const sounding = signal.filter((sample) => sample !== 0);
      expect(20 * Math.log10(rms(speech) / rms(sounding))).toBeGreaterThan(9);
    }
  });
});

describe('the decoder', () => {
  it('hears nothing in noise', () => {
    const noise = createNoise(4);
    const result = receive(encodeMulaw(Int16Array.from({ length: 8000 * 60 }, () => clamp(1000 * noise()))));
    expect(result).toMatchObject({ packets: [], damaged: 0 });
  });

  it('stops reading when the voice is cut off', async () => {
    const { samples } = await speakLine('We are open from nine to five.', 'bundled');
    let damaged = 0;
    const decoder = createDataSignalDecoder({ onPacket: () => undefined, onDamaged: () => (damaged += 1) });
    decoder.push(encodeMulaw(samples.subarray(0, 2000)));
    expect(decoder.isReading).toBe(true);
    decoder.push(new Uint8Array(320).fill(0xff));
    expect(decoder.isReading).toBe(false);
    expect(damaged).toBe(1);
  });

  it('never throws on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4000 }), (bytes) => {
        expect(receive(bytes, 160).packets).toEqual([]);
      }),
    );
  });

  it('is cheap (measured, not timed)', async () => {
    const { samples } = await speakLine(LINES[1]!, 'bundled');
    const audio = encodeMulaw(samples);
    const measure = (input: Uint8Array, rounds: number) => {
      const decoder = createDataSignalDecoder({ onPacket: () => undefined, onDamaged: () => undefined });
      const startMs = performance.now();
      for (let i = 0; i < rounds; i += 1) decoder.push(input);
      return (performance.now() - startMs) / ((rounds * input.length) / 8000);
    };
    measure(audio, 5);
    const perSecond = measure(audio, 10);
    // Full-scale noise opens the gate in every block, and often looks like a preamble.
    let seed = 1;
    const noise = Uint8Array.from({ length: 80_000 }, () => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0) >>> 24);
    const noisy = measure(noise, 5);
    const quiet = measure(new Uint8Array(80_000).fill(0xff), 5);
    process.stdout.write(`decoding a second: ${perSecond.toFixed(3)} ms of speech, ${noisy.toFixed(3)} ms of noise, ${quiet.toFixed(4)} ms of silence\n`);
    expect(Math.max(perSecond, noisy)).toBeLessThan(50);
  });
});
