import fc from 'fast-check';
import { afterEach, expect } from 'vitest';
import type { SpeechToTextEvent } from '../../src/speech/speech-to-text.js';
import type { VendorModule } from '../../src/speech/vendor.js';
import { listenTo } from '../contracts/speech-to-text-faults.js';
import type { FakeRecogniser, FakeRecogniserOptions } from './fakes/recogniser-server.js';

/** Opens a vendor's recogniser against its fake, which each test of the file has for itself. */
export function listenAgainst(vendor: VendorModule, startFake: (options: FakeRecogniserOptions) => Promise<FakeRecogniser>) {
  let fake: FakeRecogniser | undefined;
  afterEach(async () => {
    await fake?.close();
    fake = undefined;
  });
  return async (settings: Record<string, unknown> = {}, options: Parameters<typeof listenTo>[2] = {}) => {
    fake ??= await startFake({ apiKey: 'test-key' });
    return { server: fake, ...listenTo({ vendor, settings }, fake.wsUrl, options) };
  };
}

/** Types of what was reported, interim texts left out. */
export const settledTypes = (events: readonly SpeechToTextEvent[]): readonly string[] => events.map(({ type }) => type).filter((type) => type !== 'transcript-interim');

/** What two turns report where the vendor settles the first by itself, and the second is asked for. */
export const twoTurns = ['stt-ready', 'transcript-final', 'turn-pause', 'turn-resumed', 'transcript-final', 'finalized'];

/** A codec never throws: what is no message of its protocol is null, and every other one has found something. */
export function expectReadsAnything(parse: (message: Buffer) => readonly unknown[] | null): void {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      const found = parse(Buffer.from(text));
      expect(found === null || found.length > 0).toBe(true);
    }),
  );
}
