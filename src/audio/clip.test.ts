import { describe, expect, it } from 'vitest';
import { decodeClip } from './clip.js';
import { decodeMulaw, encodeMulaw } from './g711.js';
import { encodeWav } from './wav.js';

const tone = (sampleRateHz: number, ms: number, hz = 440) =>
  Int16Array.from({ length: Math.round((sampleRateHz * ms) / 1000) }, (_, at) => 12_000 * Math.sin((2 * Math.PI * hz * at) / sampleRateHz));

const decoded = (file: Buffer) => Buffer.concat([...decodeClip(file)]);

/** Zero crossings per second: twice the frequency of a tone. */
const crossingsPerSecond = (samples: Int16Array) => (samples.filter((sample, at) => at > 0 && sample >= 0 !== (samples[at - 1] ?? 0) >= 0).length * 8000) / samples.length;

/** A WAV file of other samples than {@link encodeWav} writes. */
function rawWav(format: { tag: number; bits: number; sampleRateHz: number }, data: Uint8Array): Buffer {
  const header = encodeWav({ sampleRateHz: format.sampleRateHz, channels: [new Int16Array(0)] });
  header.writeUInt16LE(format.tag, 20);
  header.writeUInt16LE(format.bits, 34);
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}

describe('a recording that is uploaded', () => {
  it('of 8 kHz mu-law is taken as it is', () => {
    const samples = tone(8000, 500);
    expect(decoded(encodeWav({ sampleRateHz: 8000, channels: [samples] }, 'mulaw'))).toEqual(Buffer.from(encodeMulaw(samples)));
  });

  it.each([8000, 11025, 16000, 22050, 44100, 48000])('of %d Hz keeps its length and its pitch', (sampleRateHz) => {
    const audio = decodeMulaw(decoded(encodeWav({ sampleRateHz, channels: [tone(sampleRateHz, 1250)] })));
    expect(Math.abs(audio.length - 10_000)).toBeLessThanOrEqual(1);
    expect(Math.abs(crossingsPerSecond(audio.subarray(400, 9600)) - 880)).toBeLessThan(8);
  });

  it('of 8 bits is read without a sign', () => {
    const samples = tone(8000, 100);
    const audio = decodeMulaw(decoded(rawWav({ tag: 1, bits: 8, sampleRateHz: 8000 }, Uint8Array.from(samples, (sample) => (sample >> 8) + 128))));
    audio.forEach((sample, at) => expect(Math.abs(sample - (samples[at] ?? 0))).toBeLessThan(600));
  });

  it('of two channels is mixed', () => {
    const samples = tone(16000, 200);
    const silent = new Int16Array(samples.length);
    const mixed = decodeMulaw(decoded(encodeWav({ sampleRateHz: 16000, channels: [samples, silent] })));
    const alone = decodeMulaw(decoded(encodeWav({ sampleRateHz: 16000, channels: [samples] })));
    expect(Math.max(...mixed) / Math.max(...alone)).toBeCloseTo(0.5, 1);
  });

  it('is decoded slice by slice', () => {
    const pieces = [...decodeClip(encodeWav({ sampleRateHz: 48000, channels: [tone(48000, 1000)] }))];
    expect(pieces.length).toBeGreaterThanOrEqual(10);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(810);
  });

  it.each<[string, Buffer, RegExp]>([
    ['an MP3 with tags', Buffer.from('ID3\x04\x00\x00\x00\x00\x00\x00abcdef', 'latin1'), /^This is an MP3\. Convert it to WAV/],
    ['an MP3 without', Buffer.from([0xff, 0xfb, 0x90, 0x64, 0, 0, 0, 0, 0, 0, 0, 0]), /^This is an MP3/],
    ['Opus', Buffer.from('OggS\0\x02\0\0\0\0\0\0'), /^This is an Ogg or Opus file/],
    ['an M4A', Buffer.from('\0\0\0\x20ftypM4A \0\0\0\0'), /^This is an MP4 or M4A file/],
    ['text', Buffer.from('Hello, is this audio?'), /no RIFF\/WAVE header.*Convert it to WAV/],
    ['samples of 24 bits', rawWav({ tag: 1, bits: 24, sampleRateHz: 48000 }, Buffer.alloc(4800)), /format 1 with 24 bits.*Convert/],
    ['floating point', rawWav({ tag: 3, bits: 32, sampleRateHz: 48000 }, Buffer.alloc(4800)), /format 3 with 32 bits/],
    ['an odd sample rate', encodeWav({ sampleRateHz: 44101, channels: [tone(44101, 20)] }), /44101 Hz; 8000, /],
    ['no sound', encodeWav({ sampleRateHz: 8000, channels: [new Int16Array(0)] }), /holds no sound/],
    ['more than a minute', encodeWav({ sampleRateHz: 8000, channels: [new Int16Array(8000 * 61)] }), /lasts 61\.0 s; 60 s are taken/],
  ])('that is %s is refused, and says what to do', (_, file, message) => {
    expect(() => decoded(file)).toThrow(expect.objectContaining({ code: 'clip-unreadable', message: expect.stringMatching(message) as string }) as Error);
  });
});
