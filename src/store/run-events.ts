import { isUuid } from '../base/ids.js';
import type { RunEvent } from '../runs/events.js';
import { queryRows, type Database } from './database.js';
import { encodeJson, storableText } from './encode-json.js';
import type { RunStore } from './store.js';

/** Bytes of one event's data; larger data is replaced by a note of its size. */
const MAX_EVENT_DATA_BYTES = 65_536;
/** Events of one page. */
const MAX_EVENTS_LISTED = 1_000;

/** The event logs of runs in PostgreSQL. */
export function createRunEventStore({ pool }: Database): Pick<RunStore, 'appendEvents' | 'appendEventBatches' | 'listEvents'> {
  async function appendEventBatches(batches: readonly { readonly runId: string; readonly events: readonly RunEvent[] }[]): Promise<void> {
    const rows = batches.flatMap(({ runId, events }) => (isUuid(runId) ? events.map((event) => ({ runId, event })) : []));
    if (rows.length === 0) return;
    await pool.query(appendSql, [
      rows.map((row) => row.runId),
      rows.map((row) => row.event.seq),
      rows.map((row) => row.event.atMs),
      rows.map((row) => storableText(row.event.type)),
      rows.map((row) => encodeData(row.event.data)),
    ]);
  }

  return {
    appendEventBatches,

    appendEvents: (id, events) => appendEventBatches([{ runId: id, events }]),

    async listEvents(organizationId, id, afterSeq, limit) {
      if (!isUuid(organizationId) || !isUuid(id)) return null;
      const rows = await queryRows<{ seq: number | null } & Omit<RunEvent, 'seq'>>(pool, listSql, [
        organizationId,
        id,
        afterSeq,
        Math.min(MAX_EVENTS_LISTED, Math.max(1, limit)),
      ]);
      if (rows.length === 0) return null;
      return rows.flatMap(({ seq, ...event }) => (seq === null ? [] : [{ seq, ...event }]));
    },
  };
}

function encodeData(data: unknown): string {
  const text = encodeJson(data);
  const bytes = Buffer.byteLength(text);
  return bytes <= MAX_EVENT_DATA_BYTES ? text : JSON.stringify({ omitted_bytes: bytes });
}

/** Joined with the runs, so that one deleted meanwhile does not fail the others' events. */
const appendSql = `
WITH appended AS (
  INSERT INTO run_events (run_id, seq, at_ms, type, data, recorded_at)
  SELECT e.run_id, e.seq, e.at_ms, e.type, e.data, clock_timestamp()
  FROM unnest($1::uuid[], $2::int[], $3::float8[], $4::text[], $5::jsonb[]) AS e (run_id, seq, at_ms, type, data)
  JOIN runs ON runs.id = e.run_id
  ON CONFLICT (run_id, seq) DO NOTHING
  RETURNING run_id, seq
)
SELECT pg_notify('run_events', json_build_object('runId', run_id, 'lastSeq', max(seq))::text) FROM appended GROUP BY run_id`;

/** One row without `seq` where the run is known but has no further events. */
const listSql = `
SELECT e.seq, e.at_ms AS "atMs", e.type, e.data
FROM runs
LEFT JOIN LATERAL (SELECT seq, at_ms, type, data FROM run_events WHERE run_id = runs.id AND seq > $3 ORDER BY seq LIMIT $4) e ON true
WHERE runs.organization_id = $1 AND runs.id = $2
ORDER BY e.seq`;
