import { createRandom } from './vad/sounds.js';

/** How long a vendor takes, ms: always the same, or lognormal with these quantiles, as vendors' times are. */
export type Delay = number | { readonly p50Ms: number; readonly p95Ms: number };

/** The standard normal distribution's 95th percentile. */
const Z95 = 1.6449;

/** Draws delays; the same sequence for the same seed. */
export function createDelay(delay: Delay, seed: number): number | (() => number) {
  if (typeof delay === 'number') return delay;
  const random = createRandom(seed);
  const { p50Ms, p95Ms } = delay;
  const sigma = Math.log(p95Ms / p50Ms) / Z95;
  return () => p50Ms * Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));
}
