import { describe, expect, it } from 'vitest';
import { silentLog } from '../base/log.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { HEARTBEAT_INTERVAL_MS, LEASE_MS, startLeases } from './leases.js';
import { startSweeper, SWEEP_INTERVAL_MS } from './sweeper.js';

/** Records calls; answers as told. */
function createFakeStore(answer: () => Promise<readonly string[]>) {
  const calls: unknown[][] = [];
  const record =
    (name: string) =>
    (...args: unknown[]) => {
      calls.push([name, ...args]);
      return answer();
    };
  return {
    calls,
    runs: { heartbeat: async (...args: [string, number]) => void (await record('heartbeat')(...args)), sweep: record('sweep') },
    quotas: { findExhausted: record('findExhausted') },
  };
}

describe('leases', () => {
  it('beats within a third of the lease and tells whose quota is used up', async () => {
    const clock = createVirtualClock();
    const store = createFakeStore(() => Promise.resolve(['run-2']));
    const exhausted: (readonly string[])[] = [];
    const leases = startLeases({
      store,
      nodeId: 'node',
      clock,
      log: silentLog,
      liveRunIds: () => ['run-1', 'run-2'],
      onExhausted: (ids) => exhausted.push(ids),
    });
    expect(HEARTBEAT_INTERVAL_MS * 3).toBeLessThanOrEqual(LEASE_MS);
    await clock.advance(HEARTBEAT_INTERVAL_MS * 2);
    expect(store.calls).toEqual([
      ['heartbeat', 'node', LEASE_MS],
      ['findExhausted', ['run-1', 'run-2']],
      ['heartbeat', 'node', LEASE_MS],
      ['findExhausted', ['run-1', 'run-2']],
    ]);
    expect(exhausted).toEqual([['run-2'], ['run-2']]);
    await leases.stop();
    expect(clock.pendingTimers()).toBe(0);
  });

  it('asks for no quota without live calls', async () => {
    const clock = createVirtualClock();
    const store = createFakeStore(() => Promise.resolve([]));
    const leases = startLeases({ store, nodeId: 'node', clock, log: silentLog, liveRunIds: () => [], onExhausted: () => undefined });
    await clock.advance(HEARTBEAT_INTERVAL_MS);
    expect(store.calls.map(([name]) => name)).toEqual(['heartbeat']);
    await leases.stop();
  });

  it('survives a database that fails, and never beats twice at once', async () => {
    const clock = createVirtualClock();
    let release: (() => void) | undefined;
    let mode: 'fails' | 'hangs' = 'fails';
    const store = createFakeStore(() =>
      mode === 'fails' ? Promise.reject(new Error('down')) : new Promise((resolve) => (release = () => resolve([]))),
    );
    const leases = startLeases({ store, nodeId: 'node', clock, log: silentLog, liveRunIds: () => [], onExhausted: () => undefined });
    await clock.advance(HEARTBEAT_INTERVAL_MS * 3);
    expect(store.calls).toHaveLength(3);
    mode = 'hangs';
    await clock.advance(HEARTBEAT_INTERVAL_MS * 3);
    expect(store.calls).toHaveLength(4);
    let isStopped = false;
    const stopping = leases.stop().then(() => (isStopped = true));
    await clock.advance(0);
    expect(isStopped).toBe(false);
    release?.();
    await stopping;
  });
});

describe('sweeper', () => {
  it('sweeps at the start and at every interval, also after failures', async () => {
    const clock = createVirtualClock();
    let isUp = false;
    const store = createFakeStore(() => (isUp ? Promise.resolve(['run']) : Promise.reject(new Error('down'))));
    const sweeper = startSweeper({ store, clock, log: silentLog, exclusiveNodeId: 'node' });
    await sweeper.firstSweep;
    expect(store.calls).toEqual([['sweep', 'node']]);
    isUp = true;
    await clock.advance(SWEEP_INTERVAL_MS * 2);
    expect(store.calls).toHaveLength(3);
    await sweeper.stop();
    await clock.advance(SWEEP_INTERVAL_MS * 2);
    expect(store.calls).toHaveLength(3);
    expect(clock.pendingTimers()).toBe(0);
  });
});
