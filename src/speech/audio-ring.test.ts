import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAudioRing } from './audio-ring.js';

describe('createAudioRing', () => {
  it('holds the newest bytes at their positions', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 12 }), fc.integer({ min: 1, max: 40 }), (capacity, pushes, step) => {
        const ring = createAudioRing(capacity);
        const all = Buffer.concat(pushes);
        for (const bytes of pushes) ring.push(bytes);
        expect(ring.end).toBe(all.length);
        expect(ring.start).toBe(Math.max(0, all.length - capacity));
        const read: Buffer[] = [];
        for (let position = ring.start; position < ring.end; ) {
          const view = ring.view(position, step);
          expect(view.length).toBeGreaterThan(0);
          read.push(Buffer.from(view));
          position += view.length;
        }
        expect(Buffer.concat(read)).toEqual(all.subarray(ring.start));
      }),
    );
  });
});
