import { describe, expect, it } from 'vitest';
import { silentLog } from '../base/log.js';
import type { SweepRequest, SweepResult } from '../store/store.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { HEARTBEAT_INTERVAL_MS, LEASE_MS } from './leases.js';
import { MAX_BREAK_MS, startSweeper, SWEEP_INTERVAL_MS } from './sweeper.js';

/** A sweeper on a database whose clock runs with the test's, until told otherwise. */
function setUp(options: { isExclusive?: boolean } = {}) {
  const clock = createVirtualClock();
  const requests: SweepRequest[] = [];
  let skewMs = 0;
  let answer: 'at-once' | 'fails' | 'hangs' = 'at-once';
  const hanging: (() => void)[] = [];
  const databaseMs = () => clock.wallMs() + skewMs;
  const result = (): SweepResult => ({ endedRunIds: [], at: new Date(databaseMs()) });
  const store = {
    runs: {
      sweep(request: SweepRequest): Promise<SweepResult> {
        requests.push(request);
        if (answer === 'fails') return Promise.reject(new Error('down'));
        return answer === 'hangs' ? new Promise((resolve) => hanging.push(() => resolve(result()))) : Promise.resolve(result());
      },
    },
  };
  const sweeper = startSweeper({
    store,
    nodeId: 'node',
    heldRunIds: () => ['held'],
    isExclusive: options.isExclusive ?? false,
    clock,
    log: silentLog,
  });
  /** Whether the last sweep would end another node's run whose lease ran out, were it carried out now. */
  const believes = () => {
    const until = requests.at(-1)?.leasesBelievedUntil ?? null;
    return until !== null && until.getTime() > databaseMs();
  };
  return {
    clock,
    sweeper,
    requests,
    believes,
    setAnswer: (value: typeof answer) => void (answer = value),
    thaw: () => hanging.splice(0).forEach((release) => release()),
    jump: (ms: number) => void (skewMs += ms),
    /** Advances until leases are believed; the time it took. */
    async untilBelieved() {
      const fromMs = clock.nowMs();
      while (!believes()) await clock.advance(250);
      return clock.nowMs() - fromMs;
    },
  };
}

/** Enough for every living node to have beaten, and no longer than the contract allows a lost run to stay. */
function expectWholeLease(waitedMs: number): void {
  expect(waitedMs).toBeGreaterThanOrEqual(LEASE_MS);
  expect(waitedMs).toBeLessThanOrEqual(30_000);
}

describe('sweeper', () => {
  it('sweeps at the start and at every interval, and stops', async () => {
    const { clock, sweeper, requests } = setUp();
    await sweeper.firstSweep;
    expect(requests).toEqual([{ nodeId: 'node', heldRunIds: ['held'], isExclusive: false, leasesBelievedUntil: null }]);
    await clock.advance(SWEEP_INTERVAL_MS * 2);
    expect(requests).toHaveLength(3);
    await sweeper.stop();
    await clock.advance(SWEEP_INTERVAL_MS * 2);
    expect(requests).toHaveLength(3);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('names itself and what it holds in every sweep, exclusive or not', async () => {
    const { clock, sweeper, requests } = setUp({ isExclusive: true });
    await clock.advance(60_000);
    expect(requests.length).toBeGreaterThan(10);
    for (const request of requests) expect(request).toMatchObject({ nodeId: 'node', heldRunIds: ['held'], isExclusive: true });
    await sweeper.stop();
  });

  it('believes leases once the database has answered for a whole one', async () => {
    const { untilBelieved, sweeper, clock, believes } = setUp();
    expectWholeLease(await untilBelieved());
    for (let sweeps = 0; sweeps < 20; sweeps += 1) {
      await clock.advance(SWEEP_INTERVAL_MS);
      expect(believes()).toBe(true);
    }
    await sweeper.stop();
  });

  it('waits for a whole lease after a sweep that failed', async () => {
    const { clock, untilBelieved, setAnswer, believes, sweeper } = setUp();
    await untilBelieved();
    setAnswer('fails');
    await clock.advance(SWEEP_INTERVAL_MS);
    setAnswer('at-once');
    await clock.advance(SWEEP_INTERVAL_MS);
    expect(believes()).toBe(false);
    expectWholeLease((await untilBelieved()) + SWEEP_INTERVAL_MS);
    await sweeper.stop();
  });

  it('does not let a sweep that a frozen database carries out late end anything', async () => {
    for (const frozenMs of [MAX_BREAK_MS + 1, LEASE_MS - HEARTBEAT_INTERVAL_MS, LEASE_MS, LEASE_MS * 4]) {
      const { clock, untilBelieved, setAnswer, thaw, believes, sweeper } = setUp();
      await untilBelieved();
      setAnswer('hangs');
      await clock.advance(frozenMs);
      // The statement is in the server's hands and runs as soon as the server does.
      expect(believes()).toBe(false);
      setAnswer('at-once');
      thaw();
      await clock.advance(0);
      expectWholeLease(await untilBelieved());
      await sweeper.stop();
    }
  });

  it('takes no notice of a hiccup that no lease can have run out over', async () => {
    const { clock, untilBelieved, setAnswer, thaw, believes, sweeper } = setUp();
    await untilBelieved();
    setAnswer('hangs');
    await clock.advance(SWEEP_INTERVAL_MS + 1_000);
    expect(believes()).toBe(true);
    setAnswer('at-once');
    thaw();
    await clock.advance(SWEEP_INTERVAL_MS);
    expect(believes()).toBe(true);
    await sweeper.stop();
  });

  it('waits for a whole lease after the database’s clock jumped', async () => {
    for (const jumpMs of [LEASE_MS, 3_600_000, -3_600_000]) {
      const { clock, untilBelieved, jump, believes, requests, sweeper } = setUp();
      await untilBelieved();
      jump(jumpMs);
      await clock.advance(SWEEP_INTERVAL_MS);
      if (jumpMs > 0) expect(believes()).toBe(false);
      await clock.advance(SWEEP_INTERVAL_MS);
      expect(requests.at(-1)?.leasesBelievedUntil).toBeNull();
      expectWholeLease((await untilBelieved()) + SWEEP_INTERVAL_MS);
      await sweeper.stop();
    }
  });
});
