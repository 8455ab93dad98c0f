import { isUuid } from '../base/ids.js';
import { queryRows, type Database } from './database.js';
import { encodeJson } from './encode-json.js';
import { announceSql, nodeDeliveriesSql } from './outbox-sql.js';
import { analysisColumns, countAnalysisSql, runColumnsSql } from './run-sql.js';
import type { AnalysisStore, Run } from './store.js';

/** $1 run, $2 claim in ms. */
const claimSql = `
UPDATE run_analyses SET tries = tries + 1, claimed_until = clock_timestamp() + $2::float8 * interval '1 millisecond'
WHERE run_id = $1 AND status = 'pending' AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
RETURNING tries, progress`;

/** $1 run. */
const contentSql = `
SELECT version.workflow, version.settings FROM runs
JOIN agent_versions version ON version.agent_uuid = runs.agent_uuid AND version.number = runs.agent_version WHERE runs.id = $1`;

/** $1 run, $2 delay in ms, $3 progress. */
const postponeSql = `
UPDATE run_analyses SET claimed_until = NULL, progress = $3::jsonb, next_attempt_at = clock_timestamp() + $2::float8 * interval '1 millisecond'
WHERE run_id = $1 AND status = 'pending'`;

/** $1 run, $2 analysis, $3 cost or null, $4 work, $5 whether it is announced. */
const settleSql = `
WITH settled AS (
  UPDATE run_analyses SET status = 'settled', next_attempt_at = NULL, claimed_until = NULL, progress = NULL
  WHERE run_id = $1 AND status = 'pending' RETURNING run_id
), former AS (SELECT id, cost FROM runs WHERE id = $1),
analysed AS (
  UPDATE runs SET analysis = $2::jsonb, cost = coalesce($3::jsonb, runs.cost),
    usage = CASE jsonb_array_length($4::jsonb) WHEN 0 THEN usage ELSE usage || jsonb_build_object('vendors', coalesce(usage->'vendors', '[]') || $4::jsonb) END
  FROM settled, former WHERE runs.id = settled.run_id AND former.id = runs.id
  RETURNING ${analysisColumns.map((column) => `runs.${column}`).join(', ')}, former.cost AS former_cost
), counted AS (${countAnalysisSql('analysed')}),
noted AS (
  INSERT INTO run_events (run_id, seq, at_ms, type, data, recorded_at)
  SELECT id, (SELECT coalesce(max(seq), 0) + 1 FROM run_events WHERE run_id = $1), coalesce(duration_ms, 0), 'run-analysed',
    jsonb_build_object('status', $2::jsonb->'status', 'score', $2::jsonb->'score'), clock_timestamp()
  FROM analysed ON CONFLICT DO NOTHING
), ${announceSql('analysed', `(VALUES (CASE WHEN $5::boolean THEN 'run.analysed' END))`)},
${nodeDeliveriesSql('analysed')}
SELECT id FROM analysed`;

/** Analyses of runs in PostgreSQL. */
export function createAnalysisStore({ pool }: Database): AnalysisStore {
  return {
    async claim(runId, claimMs) {
      if (!isUuid(runId)) return 'done';
      const [claimed] = await queryRows<{ tries: number; progress: unknown }>(pool, claimSql, [runId, claimMs]);
      if (claimed === undefined) {
        const [pending] = await queryRows(pool, `SELECT run_id FROM run_analyses WHERE run_id = $1 AND status = 'pending'`, [runId]);
        return pending === undefined ? 'done' : 'busy';
      }
      const [run] = await queryRows<Run>(pool, `SELECT ${runColumnsSql} FROM runs WHERE id = $1`, [runId]);
      const [content] = await queryRows<{ workflow: unknown; settings: unknown }>(pool, contentSql, [runId]);
      return run === undefined || content === undefined ? 'done' : { run, ...content, ...claimed };
    },

    async postpone(runId, delayMs, progress) {
      await pool.query(postponeSql, [runId, delayMs, encodeJson(progress)]);
    },

    async settle(runId, { analysis, cost, work, isAnnounced }) {
      const values = [runId, encodeJson(analysis), cost === null ? null : encodeJson(cost), encodeJson(work), isAnnounced];
      return (await queryRows(pool, settleSql, values)).length > 0;
    },
  };
}
