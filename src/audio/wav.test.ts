import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentStreamError } from '../base/errors.js';
import { decodeMulaw, encodeAlaw } from './g711.js';
import { encodeWav, parseWav, wavHeader } from './wav.js';

const ramp = Int16Array.from({ length: 500 }, (_, n) => n * 60 - 15000);

describe('WAV', () => {
  it('reads back what it writes: PCM16, one and two channels', () => {
    expect(parseWav(encodeWav({ sampleRateHz: 8000, channels: [ramp] }))).toEqual({ sampleRateHz: 8000, channels: [ramp] });
    const reversed = ramp.slice().reverse();
    expect(parseWav(encodeWav({ sampleRateHz: 22050, channels: [ramp, reversed] })).channels).toEqual([ramp, reversed]);
  });

  it('pads the shorter channel', () => {
    const { channels } = parseWav(encodeWav({ sampleRateHz: 8000, channels: [ramp, Int16Array.of(7)] }));
    expect([...(channels[1] ?? [])].slice(0, 3)).toEqual([7, 0, 0]);
    expect(channels[1]).toHaveLength(ramp.length);
  });

  it('reads mu-law and A-law', () => {
    const mulaw = encodeWav({ sampleRateHz: 8000, channels: [ramp] }, 'mulaw');
    expect(parseWav(mulaw).channels[0]).toEqual(decodeMulaw(mulaw.subarray(58)));
    const alaw = Buffer.concat([wavHeader({ encoding: 'mulaw', channelCount: 1, sampleRateHz: 8000 }, 500), encodeAlaw(ramp)]);
    alaw.writeUInt16LE(6, 20);
    expect(parseWav(alaw).channels[0]?.[0]).toBeCloseTo(-15000, -3);
  });

  it('reads extensible headers, skips other chunks and reads a recording that was cut short', () => {
    const plain = encodeWav({ sampleRateHz: 8000, channels: [ramp] });
    const list = Buffer.from('LIST\x03\x00\x00\x00abc\x00', 'latin1');
    const withList = Buffer.concat([plain.subarray(0, 36), list, plain.subarray(36)]);
    expect(parseWav(withList).channels[0]).toEqual(ramp);
    const extensible = Buffer.alloc(40);
    plain.copy(extensible, 0, 20, 36);
    extensible.writeUInt16LE(0xfffe, 0);
    extensible.writeUInt16LE(1, 24);
    const chunk = Buffer.concat([Buffer.from('fmt \x28\x00\x00\x00', 'latin1'), extensible]);
    expect(parseWav(Buffer.concat([plain.subarray(0, 12), chunk, plain.subarray(36)])).channels[0]).toEqual(ramp);
    expect(parseWav(plain.subarray(0, 44 + 100)).channels[0]).toHaveLength(50);
    const streamed = Buffer.concat([wavHeader({ encoding: 'pcm16', channelCount: 2, sampleRateHz: 8000 }), Buffer.alloc(400)]);
    expect(parseWav(streamed).channels.map((channel) => channel.length)).toEqual([100, 100]);
  });

  it('keeps the header’s length when the true size is patched in', () => {
    for (const encoding of ['pcm16', 'mulaw'] as const) {
      const format = { encoding, channelCount: 2, sampleRateHz: 8000 } as const;
      const patched = wavHeader(format, 1600);
      expect(patched).toHaveLength(wavHeader(format).length);
      expect(patched.readUInt32LE(4)).toBe(patched.length - 8 + 1600);
      expect(patched.readUInt32LE(patched.length - 4)).toBe(1600);
    }
  });

  it.each([
    ['an empty file', Buffer.alloc(0), 'no RIFF/WAVE header'],
    ['text', Buffer.from('hello, this is not audio'), 'no RIFF/WAVE header'],
    ['a header alone', encodeWav({ sampleRateHz: 8000, channels: [ramp] }).subarray(0, 36), 'no data chunk'],
    ['three channels', patch((wav) => wav.writeUInt16LE(3, 22)), '3 channels'],
    ['24 bits', patch((wav) => wav.writeUInt16LE(24, 34)), '24 bits'],
    ['no rate', patch((wav) => wav.writeUInt32LE(0, 24)), 'sample rate of 0 Hz'],
    ['data first', patch((wav) => wav.write('junk', 12, 'latin1')), 'before the format'],
  ])('refuses %s with the reason', (_name, file, reason) => {
    expect(() => parseWav(file)).toThrow(AgentStreamError);
    expect(() => parseWav(file)).toThrow(reason);
  });

  it('never fails on arbitrary bytes but with its own error', () => {
    const header = encodeWav({ sampleRateHz: 8000, channels: [ramp] }).subarray(0, 60);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 12, max: 50 }), (bytes, at) => {
        const file = Buffer.from(header);
        file.set(bytes.subarray(0, file.length - at), at);
        try {
          expect(parseWav(file).channels.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(AgentStreamError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

function patch(change: (wav: Buffer) => void): Buffer {
  const wav = encodeWav({ sampleRateHz: 8000, channels: [ramp] });
  change(wav);
  return wav;
}
