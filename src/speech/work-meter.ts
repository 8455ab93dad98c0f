import type { Leg } from './vendor.js';

/** What vendors charge for, as the call counts it. */
export interface WorkCounts {
  /** Audio given to a recogniser, or got from a voice. */
  audioMs: number;
  /** Text given to a voice. */
  characters: number;
  /** All tokens a model was given, those from its cache included. */
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  /** Requests to a model of which it did not say what they took: cut off, or by a vendor that does not tell. */
  uncountedRequests: number;
}

/** What one vendor's model did for one leg of a call. Counts that stayed 0 are left out. */
export interface VendorWork extends Readonly<Partial<WorkCounts>> {
  readonly leg: Leg;
  readonly vendor: string;
  readonly model: string;
}

/** Counts the work of all vendors of one call, by the vendor that did it. */
export interface WorkMeter {
  /** The counts of one vendor's model, to be added to. */
  countsOf(leg: Leg, vendor: string, model: string): WorkCounts;
  /** What was done so far, in the order in which the vendors came to be. Vendors that did nothing are left out. */
  readonly work: readonly VendorWork[];
}

/** Creates a meter at zero. */
export function createWorkMeter(): WorkMeter {
  const entries = new Map<string, { readonly leg: Leg; readonly vendor: string; readonly model: string; readonly counts: WorkCounts }>();
  return {
    countsOf(leg, vendor, model) {
      const key = JSON.stringify([leg, vendor, model]);
      const counts = { audioMs: 0, characters: 0, inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, uncountedRequests: 0 };
      const entry = entries.get(key) ?? { leg, vendor, model, counts };
      entries.set(key, entry);
      return entry.counts;
    },
    get work() {
      return [...entries.values()].flatMap(({ leg, vendor, model, counts }) => {
        const done = Object.entries({ ...counts, audioMs: Math.round(counts.audioMs) }).filter(([, count]) => count > 0);
        return done.length === 0 ? [] : [{ leg, vendor, model, ...Object.fromEntries(done) }];
      });
    },
  };
}
