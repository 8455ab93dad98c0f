import { SAMPLE_RATE_HZ, type AudioEncoding, type AudioFormat } from './frame.js';
import { alawToMulaw, decodeAlaw, decodeMulaw, encodeAlaw, encodeMulaw, mulawToAlaw } from './g711.js';
import { createResampler } from './resample.js';

/**
 * Converts one direction of one stream. The result is valid until the next call; an empty result means that more input is needed.
 * Where both sides speak mu-law at 8 kHz the input itself is returned.
 */
export type AudioConverter = (audio: Uint8Array) => Uint8Array;

/** Wire format → 8 kHz mu-law. L16 chunks may split a sample: the odd byte waits for the next chunk. */
export function createDecoder(format: AudioFormat): AudioConverter {
  if (format.sampleRateHz === SAMPLE_RATE_HZ && format.encoding === 'mulaw') return (audio) => audio;
  if (format.sampleRateHz === SAMPLE_RATE_HZ && format.encoding === 'alaw') return createByteConverter(alawToMulaw);
  const toSamples = createSampleReader(format.encoding);
  const resampler = createResampler(format.sampleRateHz, SAMPLE_RATE_HZ);
  return (audio) => encodeMulaw(resampler.push(toSamples(audio)));
}

/** 8 kHz mu-law → wire format. */
export function createEncoder(format: AudioFormat): AudioConverter {
  if (format.sampleRateHz === SAMPLE_RATE_HZ && format.encoding === 'mulaw') return (audio) => audio;
  if (format.sampleRateHz === SAMPLE_RATE_HZ && format.encoding === 'alaw') return createByteConverter(mulawToAlaw);
  const resampler = createResampler(SAMPLE_RATE_HZ, format.sampleRateHz);
  return (audio) => writeSamples(resampler.push(decodeMulaw(audio)), format.encoding);
}

function createByteConverter(translate: (input: Uint8Array, out: Uint8Array) => Uint8Array): AudioConverter {
  let scratch = new Uint8Array(0);
  return (audio) => {
    if (scratch.length !== audio.length) scratch = new Uint8Array(audio.length);
    return translate(audio, scratch);
  };
}

function createSampleReader(encoding: AudioEncoding): (audio: Uint8Array) => Int16Array {
  if (encoding === 'mulaw') return (audio) => decodeMulaw(audio);
  if (encoding === 'alaw') return (audio) => decodeAlaw(audio);
  const isLittleEndian = encoding === 'l16-le';
  let carry: number | null = null;
  return (audio) => {
    const bytes = carry === null ? audio : Buffer.concat([Uint8Array.of(carry), audio]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const samples = new Int16Array(bytes.length >> 1);
    for (let i = 0; i < samples.length; i += 1) samples[i] = view.getInt16(2 * i, isLittleEndian);
    carry = bytes.length % 2 === 1 ? (bytes[bytes.length - 1] ?? null) : null;
    return samples;
  };
}

function writeSamples(samples: Int16Array, encoding: AudioEncoding): Uint8Array {
  if (encoding === 'mulaw') return encodeMulaw(samples);
  if (encoding === 'alaw') return encodeAlaw(samples);
  const bytes = Buffer.allocUnsafe(samples.length * 2);
  for (let i = 0; i < samples.length; i += 1) {
    const sample = samples[i] as number;
    if (encoding === 'l16-le') bytes.writeInt16LE(sample, 2 * i);
    else bytes.writeInt16BE(sample, 2 * i);
  }
  return bytes;
}
