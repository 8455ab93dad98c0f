import type { Clock } from '../../src/base/clock.js';
import { createHealthTable, type HealthTable } from '../../src/speech/fallback/health-table.js';
import { createLineup, type Candidate, type Fallover, type Lineup } from '../../src/speech/fallback/lineup.js';
import type { Leg } from '../../src/speech/vendor.js';

/** A lineup of products, each of which is a vendor of its own, and what fell over in it. */
export interface TestLineup<Product> extends Lineup<Product> {
  readonly fallovers: readonly Fallover[];
}

/** Lines products up as the vendors `first`, `second`, and so on. */
export function lineUp<Product extends { readonly model: string }>(
  leg: Leg,
  [first, ...others]: readonly [Product, ...Product[]],
  options: {
    readonly clock: Clock;
    readonly health?: HealthTable;
    readonly probe?: (product: Product, signal: AbortSignal) => Promise<void>;
    readonly onFallover?: (fallover: Fallover) => void;
  },
): TestLineup<Product> {
  const { clock, health = createHealthTable(clock), probe = () => Promise.resolve() } = options;
  const names = ['first', 'second', 'third', 'fourth', 'fifth'];
  const fallovers: Fallover[] = [];
  const candidate = (product: Product, index: number): Candidate<Product> => {
    const vendor = names[index] ?? 'another';
    return { vendor, product, healthKey: `${leg} ${vendor}` };
  };
  const candidates = [candidate(first, 0), ...others.map((product, index) => candidate(product, index + 1))] as const;
  const onFallover = (fallover: Fallover) => {
    fallovers.push(fallover);
    options.onFallover?.(fallover);
  };
  return Object.assign(createLineup({ leg, candidates, health, clock, probe, onFallover }), { fallovers });
}
