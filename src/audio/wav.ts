import { AgentStreamError } from '../base/errors.js';
import { decodeAlaw, decodeMulaw, encodeMulaw } from './g711.js';

/** RIFF format tags (RFC 2361). */
const FORMAT_PCM = 1;
const FORMAT_ALAW = 6;
const FORMAT_MULAW = 7;
const FORMAT_EXTENSIBLE = 0xfffe;

/** Size written while the true one is not known yet: readers take it as "to the end of the file". */
const UNKNOWN_SIZE = 0xffffffff;

/** Audio of a WAV file as 16-bit samples, one array per channel. */
export interface WavAudio {
  readonly sampleRateHz: number;
  readonly channels: readonly Int16Array[];
}

/** What a WAV header says. */
export interface WavFormat {
  readonly encoding: 'pcm16' | 'mulaw';
  readonly channelCount: 1 | 2;
  readonly sampleRateHz: number;
}

/** How the samples of a WAV file are written. */
export interface WavSampleFormat {
  /** RIFF format tag (RFC 2361). */
  readonly tag: number;
  readonly channelCount: number;
  readonly sampleRateHz: number;
  readonly bitsPerSample: number;
}

function invalid(problem: string): AgentStreamError {
  return new AgentStreamError('invalid-request', { message: `Not a WAV file that can be read: ${problem}` });
}

/**
 * Reads a WAV file of one or two channels in PCM of 8 or 16 bits, mu-law or A-law. A data chunk that claims more than the file holds (as in a
 * recording that was cut) is read to the end of the file.
 * @throws AgentStreamError `invalid-request` with what is wrong.
 */
export function parseWav(file: Buffer): WavAudio {
  const { format, data } = readWav(file);
  return { sampleRateHz: format.sampleRateHz, channels: deinterleave(decodeWavSamples(data, format), format.channelCount) };
}

/**
 * Finds the samples of a WAV file, without decoding them.
 * @throws AgentStreamError `invalid-request` where it is no WAV file, or has neither one nor two channels
 */
export function readWav(file: Buffer): { readonly format: WavSampleFormat; readonly data: Buffer } {
  if (file.length < 12 || file.toString('latin1', 0, 4) !== 'RIFF' || file.toString('latin1', 8, 12) !== 'WAVE') throw invalid('no RIFF/WAVE header');
  let format: WavSampleFormat | undefined;
  for (let offset = 12; offset + 8 <= file.length; ) {
    const id = file.toString('latin1', offset, offset + 4);
    const size = file.readUInt32LE(offset + 4);
    const body = file.subarray(offset + 8, Math.min(file.length, offset + 8 + size));
    if (id === 'fmt ') format = parseFormat(body);
    if (id === 'data') {
      if (format === undefined) throw invalid('the data chunk comes before the format chunk');
      return { format, data: body };
    }
    offset += 8 + size + (size % 2);
  }
  throw invalid('no data chunk');
}

function parseFormat(body: Buffer): WavSampleFormat {
  if (body.length < 16) throw invalid('the format chunk is too short');
  const declaredTag = body.readUInt16LE(0);
  const tag = declaredTag === FORMAT_EXTENSIBLE && body.length >= 26 ? body.readUInt16LE(24) : declaredTag;
  const format = { tag, channelCount: body.readUInt16LE(2), sampleRateHz: body.readUInt32LE(4), bitsPerSample: body.readUInt16LE(14) };
  if (format.channelCount < 1 || format.channelCount > 2) throw invalid(`${format.channelCount} channels; one or two are supported`);
  if (format.sampleRateHz < 1000 || format.sampleRateHz > 384_000) throw invalid(`a sample rate of ${format.sampleRateHz} Hz`);
  return format;
}

/**
 * Samples of 16 bits, channels interleaved.
 * @throws AgentStreamError `invalid-request` where the format is not supported
 */
export function decodeWavSamples(data: Buffer, format: WavSampleFormat): Int16Array {
  if (format.tag === FORMAT_MULAW && format.bitsPerSample === 8) return decodeMulaw(data);
  if (format.tag === FORMAT_ALAW && format.bitsPerSample === 8) return decodeAlaw(data);
  if (format.tag === FORMAT_PCM && format.bitsPerSample === 16) return readPcm16(data);
  // PCM of 8 bits has no sign (Multimedia Programming Interface 1.0, "WAVE").
  if (format.tag === FORMAT_PCM && format.bitsPerSample === 8) return Int16Array.from(data, (sample) => (sample - 128) << 8);
  throw invalid(`format ${format.tag} with ${format.bitsPerSample} bits; PCM of 8 or 16 bits, mu-law and A-law are supported`);
}

function readPcm16(data: Buffer): Int16Array {
  const samples = new Int16Array(data.length >> 1);
  for (let i = 0; i < samples.length; i += 1) samples[i] = data.readInt16LE(2 * i);
  return samples;
}

function deinterleave(samples: Int16Array, channelCount: number): Int16Array[] {
  if (channelCount === 1) return [samples];
  const length = Math.floor(samples.length / channelCount);
  return Array.from({ length: channelCount }, (_, channel) =>
    Int16Array.from({ length }, (_unused, i) => samples[i * channelCount + channel] ?? 0),
  );
}

/**
 * The header of a WAV file. While a recording is being written leave `dataBytes` out; when it is complete write the header again,
 * with the true size, over the first bytes: its length depends on the format alone.
 */
export function wavHeader(format: WavFormat, dataBytes?: number): Buffer {
  const bytesPerSample = format.encoding === 'pcm16' ? 2 : 1;
  const blockAlign = bytesPerSample * format.channelCount;
  // Other encodings than PCM carry an extension size and a fact chunk (Multimedia Programming Interface 1.0, "WAVE").
  const isPcm = format.encoding === 'pcm16';
  const header = Buffer.alloc(isPcm ? 44 : 58);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(dataBytes === undefined ? UNKNOWN_SIZE : Math.min(UNKNOWN_SIZE, header.length - 8 + dataBytes), 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(isPcm ? 16 : 18, 16);
  header.writeUInt16LE(isPcm ? FORMAT_PCM : FORMAT_MULAW, 20);
  header.writeUInt16LE(format.channelCount, 22);
  header.writeUInt32LE(format.sampleRateHz, 24);
  header.writeUInt32LE(format.sampleRateHz * blockAlign, 28);
  header.writeUInt16LE(blockAlign, 32);
  header.writeUInt16LE(8 * bytesPerSample, 34);
  if (!isPcm) {
    header.write('fact', 38, 'latin1');
    header.writeUInt32LE(4, 42);
    header.writeUInt32LE(dataBytes === undefined ? UNKNOWN_SIZE : Math.floor(dataBytes / blockAlign), 46);
  }
  header.write('data', header.length - 8, 'latin1');
  header.writeUInt32LE(dataBytes ?? UNKNOWN_SIZE, header.length - 4);
  return header;
}

/** A whole WAV file. The shorter channel is padded with silence. */
export function encodeWav(audio: WavAudio, encoding: WavFormat['encoding'] = 'pcm16'): Buffer {
  const channelCount = audio.channels.length;
  if (channelCount !== 1 && channelCount !== 2) throw invalid(`${channelCount} channels; one or two are supported`);
  const length = Math.max(...audio.channels.map((channel) => channel.length));
  const samples = new Int16Array(length * channelCount);
  audio.channels.forEach((channel, index) => channel.forEach((sample, i) => void (samples[i * channelCount + index] = sample)));
  const data = encoding === 'mulaw' ? encodeMulaw(samples) : writePcm16(samples);
  return Buffer.concat([wavHeader({ encoding, channelCount, sampleRateHz: audio.sampleRateHz }, data.length), data]);
}

function writePcm16(samples: Int16Array): Buffer {
  const data = Buffer.allocUnsafe(samples.length * 2);
  samples.forEach((sample, i) => void data.writeInt16LE(sample, 2 * i));
  return data;
}
