/** Values kept per measurement; later ones are only counted. */
const SAMPLES_LIMIT = 2_000_000;

/** Quantiles of one measurement. Null where nothing was measured. */
export interface Summary {
  readonly count: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
}

/** A bounded collection of numbers, cheap to add to while a run is measured. */
export interface Samples {
  readonly count: number;
  add(value: number): void;
  clear(): void;
  quantile(q: number): number | null;
  summarise(): Summary;
}

/** Creates an empty collection. */
export function createSamples(): Samples {
  let values = new Float64Array(1024);
  let count = 0;
  const kept = () => Math.min(count, SAMPLES_LIMIT);
  const quantileOf = (sorted: Float64Array, q: number) =>
    sorted.length === 0 ? null : (sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? null);
  const sort = () => values.slice(0, kept()).sort();
  return {
    get count() {
      return count;
    },
    add(value) {
      if (count < SAMPLES_LIMIT) {
        if (count === values.length) {
          const grown = new Float64Array(Math.min(SAMPLES_LIMIT, values.length * 2));
          grown.set(values);
          values = grown;
        }
        values[count] = value;
      }
      count += 1;
    },
    clear() {
      count = 0;
    },
    quantile: (q) => quantileOf(sort(), q),
    summarise() {
      const sorted = sort();
      return {
        count,
        p50: quantileOf(sorted, 0.5),
        p95: quantileOf(sorted, 0.95),
        p99: quantileOf(sorted, 0.99),
        p999: quantileOf(sorted, 0.999),
        max: quantileOf(sorted, 1),
      };
    },
  };
}
