import type { VendorDelays } from '../messages.js';

/** What the command line decides. */
export interface ScenarioOptions {
  /** Numbers of calls to measure, one window each. */
  readonly calls: readonly number[];
  readonly windowMs: number;
  readonly repeats: number;
  /** Also measure the naive baseline. */
  readonly hasBaseline: boolean;
  readonly isRecording: boolean;
  readonly isPreemptive: boolean;
  /** Silence that ends a turn, ms. */
  readonly minDelayMs: number;
  readonly delays: VendorDelays;
}

/** One scenario of the benchmark. */
export interface Scenario {
  readonly name: string;
  readonly summary: string;
  readonly defaults: Partial<ScenarioOptions>;
  /** Prints its table and returns what is written as raw results. */
  run(options: ScenarioOptions): Promise<unknown>;
}
