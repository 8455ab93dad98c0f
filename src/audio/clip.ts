import { AgentStreamError } from '../base/errors.js';
import { SAMPLE_RATE_HZ } from './frame.js';
import { encodeMulaw } from './g711.js';
import { createResampler } from './resample.js';
import { decodeWavSamples, readWav, type WavSampleFormat } from './wav.js';

/** Longest clip, seconds. */
const MAX_CLIP_SECONDS = 60;
/** Largest file that is taken, bytes: a minute of 48 kHz, 16 bits, two channels. */
export const MAX_CLIP_FILE_BYTES = 12 * 1024 * 1024;

/** Rates that recordings have. Others would each need a table of filters of their own. */
const sampleRatesHz: readonly number[] = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000];
/** Decoded in one go: about a millisecond of work. */
const SLICE_MS = 100;

const CONVERT = 'Convert it to WAV, for instance: ffmpeg -i recording -ac 1 -ar 16000 -c:a pcm_s16le recording.wav';

/** What a file is that is no WAV, by how it begins. */
const signatures: readonly (readonly [name: string, begins: RegExp])[] = [
  ['an MP3', /^(?:ID3|\xff[\xe2-\xe7\xf2-\xf7\xfa-\xfb])/],
  ['an Ogg or Opus file', /^OggS/],
  ['a FLAC file', /^fLaC/],
  ['an MP4 or M4A file', /^.{4}ftyp/s],
  ['a WebM file', /^\x1a\x45\xdf\xa3/],
  ['an AIFF file', /^FORM.{4}AIF/s],
];

const unreadable = (message: string): AgentStreamError => new AgentStreamError('clip-unreadable', { message });

function refuseOtherFormats(file: Buffer): void {
  const head = file.toString('latin1', 0, 16);
  const known = signatures.find(([, begins]) => begins.test(head));
  if (known !== undefined) throw unreadable(`This is ${known[0]}. ${CONVERT}`);
}

function readSamples(file: Buffer): { readonly format: WavSampleFormat; readonly data: Buffer } {
  try {
    const wav = readWav(file);
    // Tells an encoding that is not supported.
    decodeWavSamples(wav.data.subarray(0, 0), wav.format);
    return wav;
  } catch (error) {
    throw error instanceof AgentStreamError ? unreadable(`${error.message}. ${CONVERT}`) : error;
  }
}

function toMono(samples: Int16Array, channelCount: number): Int16Array {
  if (channelCount === 1) return samples;
  return Int16Array.from({ length: samples.length / 2 }, (_, at) => ((samples[2 * at] ?? 0) + (samples[2 * at + 1] ?? 0)) >> 1);
}

/**
 * Decodes an uploaded recording to 8 kHz mu-law, channels mixed: a slice of about a millisecond of work at a time, so that calls go on between them.
 * @throws AgentStreamError `clip-unreadable`, with what to do
 */
export function* decodeClip(file: Buffer): Generator<Uint8Array, void> {
  refuseOtherFormats(file);
  const { format, data } = readSamples(file);
  const { sampleRateHz, channelCount } = format;
  if (!sampleRatesHz.includes(sampleRateHz)) throw unreadable(`Its sample rate is ${sampleRateHz} Hz; ${sampleRatesHz.join(', ')} are taken. ${CONVERT}`);
  const bytesPerSecond = sampleRateHz * channelCount * (format.bitsPerSample / 8);
  const blockBytes = bytesPerSecond / sampleRateHz;
  const length = data.length - (data.length % blockBytes);
  if (length === 0) throw unreadable('It holds no sound.');
  const seconds = length / bytesPerSecond;
  if (seconds > MAX_CLIP_SECONDS) throw unreadable(`It lasts ${seconds.toFixed(1)} s; ${MAX_CLIP_SECONDS} s are taken. Cut it, or put it into several nodes.`);
  const resampler = createResampler(sampleRateHz, SAMPLE_RATE_HZ);
  const sliceBytes = blockBytes * Math.round((sampleRateHz * SLICE_MS) / 1000);
  for (let from = 0; from < length; from += sliceBytes) {
    const samples = decodeWavSamples(data.subarray(from, Math.min(length, from + sliceBytes)), format);
    yield encodeMulaw(resampler.push(toMono(samples, channelCount)));
  }
  yield encodeMulaw(resampler.flush());
}
