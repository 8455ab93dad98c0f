import { join } from 'node:path';
import type { Run } from '../store/store.js';

/** Where recordings lie: one folder per day below the data directory, named by run. */
export interface Recordings {
  /** Absolute. */
  pathOf(run: Run): string;
  /** Below the data directory, as the run records it. */
  relativePathOf(run: Run): string;
}

/** Recordings below `dataDir`. */
export function recordingsIn(dataDir: string): Recordings {
  const relativePathOf = (run: Run) => join('recordings', run.createdAt.toISOString().slice(0, 10), `${run.id}.wav`);
  return { relativePathOf, pathOf: (run) => join(dataDir, relativePathOf(run)) };
}
