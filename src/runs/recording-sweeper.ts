import { repeat, type Clock } from '../base/clock.js';
import { toAgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { ExpiredRecording, RunStore } from '../store/store.js';

/** How often expired recordings are looked for, in ms. */
export const RECORDING_SWEEP_INTERVAL_MS = 60_000;

/** Recordings deleted by one sweep at most: more than a node can make meanwhile, few enough not to keep its disk from the calls. */
export const MAX_RECORDINGS_PER_SWEEP = 200;

/** The deletion of recordings whose time is over. */
export interface RecordingSweeper {
  /** Stops after the file that is being deleted. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Deletes the recordings of this node's data directory that agents keep for `recording.retention_days`, oldest first: the file, then the run is
 * marked, so that a crash in between is made good by the next sweep. A file that is gone already counts as deleted; one that cannot
 * be deleted is tried again when the sweeps have come to the end of what has expired.
 */
export function startRecordingSweeper(options: {
  store: { readonly runs: Pick<RunStore, 'listExpiredRecordings' | 'markRecordingsDeleted'> };
  /** The data directory's id. */
  storeId: string;
  /** Deletes the file of a run, if it is there. */
  deleteFile: (recording: ExpiredRecording) => Promise<void>;
  clock: Clock;
  log: Log;
}): RecordingSweeper {
  const { store, storeId, deleteFile, clock, log } = options;
  const stopping = new AbortController();
  let after: ExpiredRecording | null = null;
  let current: Promise<void> | null = null;

  async function deleted(recording: ExpiredRecording): Promise<boolean> {
    try {
      await deleteFile(recording);
      return true;
    } catch (error) {
      log.warn('An expired recording could not be deleted', { runId: recording.id, error: toAgentStreamError(error).message });
      return false;
    }
  }

  async function sweep(): Promise<void> {
    try {
      const expired = await store.runs.listExpiredRecordings({ storeId, after, limit: MAX_RECORDINGS_PER_SWEEP });
      const deletedIds: string[] = [];
      for (const recording of expired) {
        if (stopping.signal.aborted) break;
        if (await deleted(recording)) deletedIds.push(recording.id);
      }
      if (deletedIds.length > 0) await store.runs.markRecordingsDeleted(deletedIds);
      after = expired.length < MAX_RECORDINGS_PER_SWEEP ? null : (expired.at(-1) ?? null);
      if (deletedIds.length > 0) log.info('Expired recordings were deleted', { recordings: deletedIds.length });
    } catch (error) {
      log.warn('Expired recordings could not be looked up or marked', { code: toAgentStreamError(error).code });
    }
  }

  const start = () => {
    current ??= sweep().finally(() => {
      current = null;
    });
  };
  start();
  const timer = repeat(clock, RECORDING_SWEEP_INTERVAL_MS, start);

  return {
    async stop() {
      stopping.abort();
      timer.cancel();
      await current;
    },
  };
}
