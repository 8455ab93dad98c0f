import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { createMetronome } from '../audio/pacer.js';
import { ringBack } from '../audio/ring-back.js';
import { silentLog } from '../base/log.js';
import { PRE_CALL_FETCH_LIMIT_MS } from './pre-call-fetch.js';
import { RING_AFTER_MS, whileRinging } from './ring-back.js';

/** A caller who waits for so long, on a carrier that can or cannot clear. */
async function ring(waitMs: number) {
  const clock = createVirtualClock();
  const metronome = createMetronome(clock);
  const sent: { atMs: number; frame: Buffer }[] = [];
  const clearedAtMs: number[] = [];
  const wait = new Promise<string>((resolve) => void clock.setTimer(waitMs, () => resolve('fetched')));
  const done = whileRinging(wait, {
    clock,
    log: silentLog,
    metronome,
    stream: { sendMedia: (frame) => void sent.push({ atMs: clock.nowMs(), frame: Buffer.from(frame) }), sendClear: () => void clearedAtMs.push(clock.nowMs()) },
    capabilities: { marks: 'echoed', clear: true, dtmfIn: true, dtmfOut: 'none', maxLeadMs: 200 },
  });
  const startedAtMs = clock.nowMs();
  await clock.advance(waitMs + 1000);
  return { result: await done, sent, clearedAtMs: clearedAtMs.map((atMs) => atMs - startedAtMs), startedAtMs, participants: metronome.size() };
}

describe('a caller who waits for the call to begin', () => {
  it('hears that it rings, until the wait is over', async () => {
    const { result, sent, clearedAtMs, startedAtMs, participants } = await ring(3000);
    expect(result).toBe('fetched');
    expect((sent[0]?.atMs ?? 0) - startedAtMs).toBe(RING_AFTER_MS);
    const heard = Buffer.concat(sent.map(({ frame }) => frame));
    expect(heard.equals(Buffer.from(ringBack.subarray(0, heard.length)))).toBe(true);
    // At 20 ms a frame, and what the carrier keeps ahead.
    expect(Math.abs(heard.length / 8 - (3000 - RING_AFTER_MS + 160))).toBeLessThanOrEqual(20);
    expect([clearedAtMs, participants]).toEqual([[3000], 0]);
  });

  it('for a moment hears nothing, and nothing is cleared', async () => {
    const { result, sent, clearedAtMs, participants } = await ring(RING_AFTER_MS - 20);
    expect([result, sent, clearedAtMs, participants]).toEqual(['fetched', [], [], 0]);
  });

  it('is rung for as long as the longest wait', async () => {
    const { sent } = await ring(PRE_CALL_FETCH_LIMIT_MS);
    expect(Math.abs(sent.length * 20 - (PRE_CALL_FETCH_LIMIT_MS - RING_AFTER_MS + 160))).toBeLessThanOrEqual(20);
  });
});
