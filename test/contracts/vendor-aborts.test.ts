import { expect, it } from 'vitest';
import { createCountingClock } from '../support/fakes/counting-clock.js';
import { settle, until } from '../support/wait-for.js';
import { beginAttempt } from './vendor-attempt.js';
import { titleOf, vendorLegRows, type VendorLegRow } from './vendor-legs.js';

const CALLS = 1000;
const AT_ONCE = 10;
/** Longest that a call lasts: as long as the fakes take for a phrase, an answer or a sentence. */
const LONGEST_MS = 250;

/** Numbers from 0 to 1 that are the same in each run (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Sockets of this process, both ends of those to a fake. */
const openHandles = () => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;

/** Where a call was when it was aborted. */
type Moment = 'before anything came' | 'under way' | 'over';

/** Begins and aborts calls, a few at once, and waits until nothing of them is left. */
async function abortCalls(row: VendorLegRow, count: number, random: () => number): Promise<Moment[]> {
  const fake = await row.start(() => null);
  const clock = createCountingClock();
  const moments: Moment[] = [];
  let begun = 0;
  async function callAfterCall(): Promise<void> {
    while (begun < count) {
      begun += 1;
      const attempt = beginAttempt(row.vendor, row.leg, { clock, baseUrl: fake.baseUrl, settings: row.settings });
      const share = random();
      // A fifth is aborted at once; of the others many soon, in the handshake.
      if (share > 0.2) await settle(Math.floor(random() ** 3 * LONGEST_MS));
      attempt.speakOn();
      attempt.abort();
      const seen = attempt.types.length;
      moments.push(attempt.outcome() !== null ? 'over' : seen > 0 ? 'under way' : 'before anything came');
      await settle(5);
      // What a model had sent by then may still be read; a recogniser and a voice are silent at once.
      if (row.leg === 'stt' || row.leg === 'tts') expect(attempt.types.slice(seen)).toEqual([]);
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, callAfterCall));
  await until(() => fake.leftOpen() === 0, `${titleOf(row)}: no socket or request left, of ${fake.leftOpen()}`);
  await until(() => clock.pendingTimers() === 0, `${titleOf(row)}: no timer left, of ${clock.pendingTimers()}`);
  await fake.close();
  return moments;
}

it(`leaves no socket, timer or unhandled rejection after ${CALLS} aborted calls, over every leg of every vendor`, { timeout: 60_000 }, async () => {
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown) => void unhandled.push(error);
  process.on('unhandledRejection', onUnhandled);
  const handlesBefore = openHandles();
  const random = createRandom(20_261_122);
  const moments: Moment[] = [];
  for (const [index, row] of vendorLegRows.entries()) {
    const share = Math.floor((CALLS * (index + 1)) / vendorLegRows.length) - Math.floor((CALLS * index) / vendorLegRows.length);
    moments.push(...(await abortCalls(row, share, random)));
  }
  await until(() => openHandles() <= handlesBefore, 'handles are as before');
  await settle();
  process.off('unhandledRejection', onUnhandled);
  expect(moments).toHaveLength(CALLS);
  // The seed must reach every moment, or the count says little.
  for (const moment of ['before anything came', 'under way', 'over'] as const) expect(moments.filter((each) => each === moment).length).toBeGreaterThan(CALLS / 100);
  expect(unhandled).toEqual([]);
});
