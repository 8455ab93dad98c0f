import { describe, expect, it } from 'vitest';
import { lineUp } from '../../../test/support/lineup.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { AgentStreamError } from '../../base/errors.js';
import { createHealthTable, healthKeyOf } from './health-table.js';

interface Product {
  readonly model: string;
}

const products: readonly [Product, Product, Product] = [{ model: 'a' }, { model: 'b' }, { model: 'c' }];
const unreachable = new AgentStreamError('vendor-unreachable');
const unauthorized = new AgentStreamError('vendor-unauthorized');
const rejected = new AgentStreamError('vendor-rejected');

describe('a lineup', () => {
  const setUp = (health = createHealthTable(createVirtualClock())) => lineUp('llm', products, { clock: createVirtualClock(), health });

  it('asks each vendor once in a round, in order, and stays with the last one asked', () => {
    const line = setUp();
    const round = line.startRound();
    const asked = [round.product.model];
    while (round.failOver(unreachable)) asked.push(round.product.model);
    expect(asked).toEqual(['a', 'b', 'c']);
    expect(round.spare).toBeNull();
    expect(line.current.vendor).toBe('third');
    expect(line.fallovers.map(({ from, to, code }) => `${from.vendor} ${from.model} > ${to.vendor} ${to.model} ${code}`)).toEqual([
      'first a > second b vendor-unreachable',
      'second b > third c vendor-unreachable',
    ]);
  });

  it('goes round in the next round, but not back to a vendor that refused', () => {
    const line = setUp();
    line.startRound().failOver(unauthorized);
    const next = line.startRound();
    const asked = [next.product.model];
    while (next.failOver(unreachable)) asked.push(next.product.model);
    expect(asked).toEqual(['b', 'c']);
  });

  it('moves once for two requests that fail together', () => {
    const line = setUp();
    const [one, other] = [line.startRound(), line.startRound()];
    expect([one.failOver(unreachable), other.failOver(unreachable)]).toEqual([true, true]);
    expect([one.product.model, other.product.model]).toEqual(['b', 'b']);
    expect(line.fallovers).toHaveLength(1);
  });

  it('prefers a vendor that others do not pass over, and takes one that they do rather than none', () => {
    const health = createHealthTable(createVirtualClock());
    const line = setUp(health);
    for (let call = 0; call < 3; call += 1) health.noteFailure('llm second', 'vendor-unreachable');
    const round = line.startRound();
    const asked = [round.product.model];
    while (round.failOver(unreachable)) asked.push(round.product.model);
    expect(asked).toEqual(['a', 'c', 'b']);
  });
});

describe('what calls learn from each other', () => {
  function setUp() {
    const clock = createVirtualClock();
    const health = createHealthTable(clock);
    const probed: string[] = [];
    let isDown = true;
    const probe = ({ model }: Product): Promise<void> => {
      probed.push(model);
      return isDown ? Promise.reject(unreachable) : Promise.resolve();
    };
    return { clock, health, probed, call: () => lineUp('llm', products, { clock, health, probe }), recover: () => void (isDown = false) };
  }
  const failThrice = (call: () => ReturnType<typeof lineUp>, error: AgentStreamError) => {
    for (let n = 0; n < 3; n += 1) call().startRound().failOver(error);
  };

  it('is to begin with the next vendor after three failures in a row', () => {
    const { call } = setUp();
    for (let n = 0; n < 2; n += 1) call().startRound().failOver(unreachable);
    expect(call().current.vendor).toBe('first');
    call().startRound().failOver(unreachable);
    const line = call();
    expect(line.current.vendor).toBe('second');
    expect(line.fallovers).toMatchObject([{ from: { vendor: 'first' }, to: { vendor: 'second' }, code: 'vendor-unreachable' }]);
  });

  it('is nothing where an answer came between, or the request was at fault', () => {
    const { call } = setUp();
    for (let n = 0; n < 6; n += 1) {
      if (n % 2 === 1) call().startRound().noteAnswer();
      call().startRound().failOver(unreachable);
    }
    expect(call().current.vendor).toBe('first');
    failThrice(call, rejected);
    expect(call().current.vendor).toBe('first');
  });

  it('is tried in the background after half a minute, by one call alone', async () => {
    const { clock, call, probed, recover } = setUp();
    failThrice(call, unreachable);
    await clock.advance(29_000);
    call();
    expect(probed).toEqual([]);
    await clock.advance(1000);
    // The call itself does not wait for the outcome.
    expect(call().current.vendor).toBe('second');
    call();
    expect(probed).toEqual(['a']);
    await clock.advance(0);
    expect(call().current.vendor).toBe('second');
    recover();
    await clock.advance(30_000);
    call();
    await clock.advance(0);
    expect(probed).toEqual(['a', 'a']);
    expect(call().current.vendor).toBe('first');
    expect(clock.pendingTimers()).toBe(0);
  });

  it('is given up where a probe hangs', async () => {
    const clock = createVirtualClock();
    const health = createHealthTable(clock);
    const probe = (_product: Product, signal: AbortSignal) =>
      new Promise<void>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    const call = () => lineUp('llm', products, { clock, health, probe });
    failThrice(call, unreachable);
    await clock.advance(30_000);
    call();
    await clock.advance(5000);
    expect(call().current.vendor).toBe('second');
    expect(clock.pendingTimers()).toBe(0);
  });

  it('is bounded', () => {
    const clock = createVirtualClock();
    const health = createHealthTable(clock);
    for (let n = 0; n < 3; n += 1) health.noteFailure('oldest', 'vendor-unreachable');
    expect(health.restCode('oldest')).toBe('vendor-unreachable');
    for (let n = 0; n < 1000; n += 1) health.noteFailure(`vendor ${n}`, 'vendor-unreachable');
    expect(health.restCode('oldest')).toBeNull();
  });

  it('is kept apart by leg, vendor, model, address and key, and holds no key', () => {
    const one = { leg: 'llm', vendor: 'v', model: 'm', baseUrl: 'https://v.test', apiKey: 'secret-key' } as const;
    const others = [{ ...one, leg: 'stt' as const }, { ...one, vendor: 'w' }, { ...one, model: 'n' }, { ...one, baseUrl: 'https://w.test' }, { ...one, apiKey: 'k' }, { ...one, apiKey: undefined }];
    expect(new Set([one, ...others].map(healthKeyOf)).size).toBe(7);
    expect(healthKeyOf(one)).not.toContain('secret');
  });
});
