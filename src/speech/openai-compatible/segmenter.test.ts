import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { babble, silence } from '../../../test/support/fakes/speech-audio.js';
import { createSegmenter, type Segment } from './segmenter.js';

const BYTES_PER_MS = 8;
const create = () => createSegmenter({ silenceMs: 500, maxSegmentMs: 3000 });
const timesOf = (segments: readonly (Segment | null)[]) => segments.map((segment) => segment && [segment.start / BYTES_PER_MS, segment.end / BYTES_PER_MS]);

describe('segments', () => {
  it('hold the speech, what came right before it and the silence that closed it', () => {
    const segments = create().push(Buffer.concat([silence(1000), babble(800), silence(1000)]));
    const [[startMs, endMs]] = timesOf(segments) as [[number, number]];
    expect(segments).toHaveLength(1);
    expect(startMs).toBeGreaterThanOrEqual(700);
    expect(startMs).toBeLessThanOrEqual(1000);
    expect(endMs).toBeGreaterThanOrEqual(2200);
    expect(endMs).toBeLessThanOrEqual(2340);
    expect(segments[0]!.audio).toHaveLength(segments[0]!.end - segments[0]!.start);
  });

  it('are cut on request, and go on without a gap or an overlap', () => {
    const segmenter = create();
    segmenter.push(Buffer.concat([silence(400), babble(700)]));
    const first = segmenter.cut();
    const rest = segmenter.push(Buffer.concat([babble(800), silence(800)]));
    expect(first).not.toBeNull();
    expect(rest).toHaveLength(1);
    expect(rest[0]!.start).toBe(first!.end);
  });

  it('are none where a cut leaves only silence behind', () => {
    const segmenter = create();
    segmenter.push(Buffer.concat([silence(400), babble(700), silence(200)]));
    expect(segmenter.cut()).not.toBeNull();
    expect(segmenter.cut()).toBeNull();
    expect(segmenter.push(silence(3000))).toEqual([]);
    expect(segmenter.cut()).toBeNull();
  });

  it('are cut where they grow too long', () => {
    const segments = create().push(Buffer.concat([silence(400), babble(8000), silence(1000)]));
    expect(segments.length).toBeGreaterThanOrEqual(3);
    for (const { start, end } of segments) expect(end - start).toBeLessThanOrEqual(3000 * BYTES_PER_MS);
    for (const [index, { start }] of segments.entries()) if (index > 0) expect(start).toBe(segments[index - 1]!.end);
  });

  it('that are short are filled up with silence', () => {
    const segmenter = create();
    segmenter.push(Buffer.concat([silence(20), babble(120)]));
    const segment = segmenter.cut()!;
    expect(segment.end - segment.start).toBeLessThan(500 * BYTES_PER_MS);
    expect(segment.audio).toHaveLength(500 * BYTES_PER_MS);
    expect(segment.audio.at(-1)).toBe(0xff);
  });

  it('are the same however the audio is chopped, in order, without an overlap and within the audio', () => {
    const stretch = fc.record({ isSpeech: fc.boolean(), ms: fc.integer({ min: 20, max: 2000 }) });
    fc.assert(
      fc.property(fc.array(stretch, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 6 }), (stretches, sizes) => {
        const audio = Buffer.concat(stretches.map(({ isSpeech, ms }) => (isSpeech ? babble(ms) : silence(ms))));
        const chopped = create();
        const segments: Segment[] = [];
        for (let i = 0, n = 0; i < audio.length; n += 1) {
          const size = sizes[n % sizes.length]!;
          segments.push(...chopped.push(audio.subarray(i, i + size)));
          i += size;
        }
        expect(chopped.end).toBe(audio.length);
        expect(timesOf(segments)).toEqual(timesOf(create().push(audio)));
        let last = 0;
        for (const { start, end } of segments) {
          expect(start).toBeGreaterThanOrEqual(last);
          expect(end).toBeLessThanOrEqual(audio.length);
          last = end;
        }
      }),
      { numRuns: 50 },
    );
  });
});
