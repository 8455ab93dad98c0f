import { queryRows, type Database } from './database.js';
import type { ExpiredRecording, RunStore } from './store.js';

/** The next question comes with the next sweep: one that a frozen database does not answer is not waited for. */
const ANSWER_TIMEOUT_MS = 4_000;

/** $1 data directory, $2 and $3 time and id to go on behind, or null, $4 limit. */
const expiredSql = `
SELECT id, created_at AS "createdAt", recording_expires_at AS "expiresAt" FROM runs
WHERE recording_store = $1 AND recording_expires_at <= clock_timestamp() AND recording_deleted_at IS NULL
  AND ($2::timestamptz IS NULL OR (recording_expires_at, id) > ($2, $3::uuid))
ORDER BY recording_expires_at, id LIMIT $4`;

const markDeletedSql = `
UPDATE runs SET recording_deleted_at = clock_timestamp() WHERE id = ANY($1::uuid[]) AND recording_deleted_at IS NULL`;

/** Recordings whose time is over, in PostgreSQL. */
export function createRecordingStore({ pool }: Database): Pick<RunStore, 'listExpiredRecordings' | 'markRecordingsDeleted'> {
  return {
    listExpiredRecordings: ({ storeId, after, limit }) =>
      queryRows<ExpiredRecording>(pool, expiredSql, [storeId, after?.expiresAt ?? null, after?.id ?? null, limit], ANSWER_TIMEOUT_MS),

    async markRecordingsDeleted(runIds) {
      await queryRows(pool, markDeletedSql, [runIds], ANSWER_TIMEOUT_MS);
    },
  };
}
