import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { silentLog } from '../base/log.js';
import type { ExpiredRecording } from '../store/store.js';
import { MAX_RECORDINGS_PER_SWEEP, RECORDING_SWEEP_INTERVAL_MS, startRecordingSweeper } from './recording-sweeper.js';

const recording = (index: number): ExpiredRecording => ({ id: `run-${String(index).padStart(4, '0')}`, createdAt: new Date(0), expiresAt: new Date(index) });

/** A sweeper over `count` expired recordings. */
function setUp(count: number) {
  const clock = createVirtualClock();
  const kept = new Map(Array.from({ length: count }, (_, index) => [recording(index).id, recording(index)]));
  const stuck = new Set<string>();
  const tried: string[] = [];
  const asked: { storeId: string; limit: number }[] = [];
  let isDown = false;
  let deleting: Promise<void> = Promise.resolve();
  const sweeper = startRecordingSweeper({
    store: {
      runs: {
        async listExpiredRecordings({ storeId, after, limit }) {
          asked.push({ storeId, limit });
          if (isDown) throw new Error('down');
          return [...kept.values()].filter(({ expiresAt }) => after === null || expiresAt > after.expiresAt).slice(0, limit);
        },
        async markRecordingsDeleted(ids) {
          if (isDown) throw new Error('down');
          for (const id of ids) kept.delete(id);
        },
      },
    },
    storeId: 'store',
    async deleteFile({ id }) {
      tried.push(id);
      await deleting;
      if (stuck.has(id)) throw new Error('EACCES');
    },
    clock,
    log: silentLog,
  });
  return {
    ...{ clock, sweeper, kept, stuck, tried, asked },
    setDown: (value: boolean) => void (isDown = value),
    holdUp: (until: Promise<void>) => void (deleting = until),
  };
}

describe('the sweep of recordings', () => {
  it('deletes what has expired at once, and what expires later a minute later at most', async () => {
    const { clock, kept, asked } = setUp(3);
    await clock.advance(1);
    expect(kept.size).toBe(0);
    kept.set('late', { ...recording(9), id: 'late' });
    await clock.advance(RECORDING_SWEEP_INTERVAL_MS);
    expect(kept.size).toBe(0);
    expect(new Set(asked.map(({ storeId }) => storeId))).toEqual(new Set(['store']));
  });

  it('deletes a bounded number at a time', async () => {
    const { clock, kept, tried, asked } = setUp(MAX_RECORDINGS_PER_SWEEP + 50);
    await clock.advance(1);
    expect(tried).toHaveLength(MAX_RECORDINGS_PER_SWEEP);
    expect(asked[0]?.limit).toBe(MAX_RECORDINGS_PER_SWEEP);
    await clock.advance(RECORDING_SWEEP_INTERVAL_MS);
    expect(kept.size).toBe(0);
  });

  it('marks no run whose file is still there, is not held up by it, and tries again', async () => {
    const { clock, kept, stuck, tried } = setUp(2 * MAX_RECORDINGS_PER_SWEEP);
    for (let index = 0; index < MAX_RECORDINGS_PER_SWEEP; index += 1) stuck.add(recording(index).id);
    await clock.advance(2 * RECORDING_SWEEP_INTERVAL_MS + 1);
    expect([...kept.keys()]).toEqual([...stuck]);
    stuck.clear();
    await clock.advance(2 * RECORDING_SWEEP_INTERVAL_MS);
    expect(kept.size).toBe(0);
    expect(tried.length).toBeLessThanOrEqual(4 * MAX_RECORDINGS_PER_SWEEP);
  });

  it('makes good what a database that was away kept from being marked', async () => {
    const { clock, kept, setDown } = setUp(1);
    setDown(true);
    await clock.advance(RECORDING_SWEEP_INTERVAL_MS);
    expect(kept.size).toBe(1);
    setDown(false);
    await clock.advance(RECORDING_SWEEP_INTERVAL_MS);
    expect(kept.size).toBe(0);
  });

  it('stops after the file that it deletes, and never begins twice', async () => {
    const { clock, sweeper, kept, tried, asked, holdUp } = setUp(3);
    let goOn: () => void = () => undefined;
    holdUp(new Promise((resolve) => (goOn = resolve)));
    await clock.advance(3 * RECORDING_SWEEP_INTERVAL_MS);
    expect([tried.length, asked.length]).toEqual([1, 1]);
    const stopped = sweeper.stop();
    goOn();
    await stopped;
    expect(tried).toHaveLength(1);
    expect(kept.size).toBe(2);
    expect(clock.pendingTimers()).toBe(0);
  });
});
