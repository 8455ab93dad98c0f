import type { Run } from './runs.js';

/** Everything an attempt at the analysis of a run needs. */
export interface ClaimedAnalysis {
  readonly run: Run;
  /** Of the version that the run was pinned to. */
  readonly workflow: unknown;
  readonly settings: unknown;
  /** Attempts so far, this one included. */
  readonly tries: number;
  /** What earlier attempts left (after-call/analyse-run.ts); null before the first. */
  readonly progress: unknown;
}

/** What is written to the run, once. */
export interface SettledAnalysis {
  readonly analysis: Readonly<Record<string, unknown>>;
  /** Of the whole run, the analysis included; null leaves what there is. */
  readonly cost: Readonly<Record<string, unknown>> | null;
  /** The vendors' work of the analysis: added to `usage.vendors`. */
  readonly work: readonly Readonly<Record<string, unknown>>[];
  /** False: nothing was judged, and nobody is told. */
  readonly isAnnounced: boolean;
}

/** Runs to be judged: written with the run's end where its version has a `qa` node that is enabled. A pending one always has its job. */
export interface AnalysisStore {
  /** Takes a run for one attempt of at most `claimMs`. `busy`: another one is under way. `done`: there is nothing to do any more. */
  claim(runId: string, claimMs: number): Promise<ClaimedAnalysis | 'busy' | 'done'>;
  /** Gives up a claim: the next attempt is due after `delayMs`, and finds `progress`. */
  postpone(runId: string, delayMs: number, progress: unknown): Promise<void>;
  /**
   * Writes the analysis, its cost and an event to the run, announces `run.analysed`, and has the webhook nodes send their requests, in one
   * statement. False where that was done before.
   */
  settle(runId: string, settled: SettledAnalysis): Promise<boolean>;
}
