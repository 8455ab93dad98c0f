import { describe, expect, it } from 'vitest';
import { silentLog } from '../base/log.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { HEARTBEAT_INTERVAL_MS, LEASE_MS, startLeases } from './leases.js';

/** Records calls; answers as told. */
function createFakeStore(answers: { heartbeat: (runIds: readonly string[]) => Promise<readonly string[]>; findExhausted?: () => Promise<readonly string[]> }) {
  const calls: unknown[][] = [];
  return {
    calls,
    runs: {
      heartbeat(nodeId: string, runIds: readonly string[], leaseMs: number) {
        calls.push(['heartbeat', nodeId, runIds, leaseMs]);
        return answers.heartbeat(runIds);
      },
    },
    quotas: {
      findExhausted(runIds: readonly string[]) {
        calls.push(['findExhausted', runIds]);
        return answers.findExhausted?.() ?? Promise.resolve([]);
      },
    },
  };
}

function start(store: ReturnType<typeof createFakeStore>, held: readonly string[]) {
  const clock = createVirtualClock();
  const exhausted: (readonly string[])[] = [];
  const ended: (readonly string[])[] = [];
  const leases = startLeases({
    store,
    nodeId: 'node',
    clock,
    log: silentLog,
    heldRunIds: () => held,
    onEnded: (ids) => void ended.push(ids),
    onExhausted: (ids) => void exhausted.push(ids),
  });
  return { clock, leases, exhausted, ended };
}

const allLive = (runIds: readonly string[]) => Promise.resolve(runIds);

describe('leases', () => {
  it('beats within a third of the lease for the runs held, and tells whose quota is used up', async () => {
    const store = createFakeStore({ heartbeat: allLive, findExhausted: () => Promise.resolve(['run-2']) });
    const { clock, leases, exhausted, ended } = start(store, ['run-1', 'run-2']);
    expect(HEARTBEAT_INTERVAL_MS * 3).toBeLessThanOrEqual(LEASE_MS);
    await clock.advance(HEARTBEAT_INTERVAL_MS * 2);
    expect(store.calls).toEqual([
      ['heartbeat', 'node', ['run-1', 'run-2'], LEASE_MS],
      ['findExhausted', ['run-1', 'run-2']],
      ['heartbeat', 'node', ['run-1', 'run-2'], LEASE_MS],
      ['findExhausted', ['run-1', 'run-2']],
    ]);
    expect(exhausted).toEqual([['run-2'], ['run-2']]);
    expect(ended).toEqual([]);
    await leases.stop();
    expect(clock.pendingTimers()).toBe(0);
  });

  it('asks for nothing without calls', async () => {
    const store = createFakeStore({ heartbeat: allLive });
    const { clock, leases } = start(store, []);
    await clock.advance(HEARTBEAT_INTERVAL_MS * 3);
    expect(store.calls).toEqual([]);
    await leases.stop();
  });

  it('tells which of the runs held have ended without this node', async () => {
    const store = createFakeStore({ heartbeat: () => Promise.resolve(['run-1']) });
    const { clock, leases, ended } = start(store, ['run-1', 'run-2', 'run-3']);
    await clock.advance(HEARTBEAT_INTERVAL_MS);
    expect(ended).toEqual([['run-2', 'run-3']]);
    await leases.stop();
  });

  it('survives a database that fails, and never beats twice at once', async () => {
    let release: (() => void) | undefined;
    let mode: 'fails' | 'hangs' = 'fails';
    const store = createFakeStore({
      heartbeat: (runIds) => (mode === 'fails' ? Promise.reject(new Error('down')) : new Promise((resolve) => (release = () => resolve(runIds)))),
    });
    const { clock, leases, ended } = start(store, ['run']);
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
    expect(ended).toEqual([]);
  });
});
