import { isUuid } from '../base/ids.js';
import { queryRows, type Database } from './database.js';
import type { OrganizationUsage, Quota, QuotaPeriod, QuotaStore } from './store.js';

/** Holds for users without a quota of their own. */
const unlimited: Quota = { period: 'month', minutes: null, runs: null };

/** Quotas and what was used of them, in PostgreSQL. */
export function createQuotaStore({ pool }: Database): QuotaStore {
  return {
    async get(organizationId, userId) {
      if (!isUuid(organizationId) || !isUuid(userId)) return null;
      const [row] = await queryRows<QuotaRow>(pool, getSql, [organizationId, userId]);
      if (row === undefined) return null;
      const { period, minutes, quotaRuns, ...usage } = row;
      return { quota: period === null ? unlimited : { period, minutes, runs: quotaRuns }, usage };
    },

    async put(organizationId, userId, quota) {
      if (!isUuid(organizationId) || !isUuid(userId)) return null;
      const [row] = await queryRows<{ period: QuotaPeriod; minutes: number | null; runs: number | null }>(pool, putSql, [
        organizationId,
        userId,
        quota.period,
        quota.minutes,
        quota.runs,
      ]);
      return row ?? null;
    },

    async usage(organizationId) {
      const [row] = await queryRows<OrganizationUsage>(pool, usageSql, [
        isUuid(organizationId) ? organizationId : null,
      ]);
      if (row === undefined) throw new Error('An aggregate returned no row');
      return row;
    },

    async findExhausted(runIds) {
      if (runIds.length === 0) return [];
      const rows = await queryRows<{ id: string }>(pool, findExhaustedSql, [runIds]);
      return rows.map((row) => row.id);
    },
  };
}

interface QuotaRow {
  period: QuotaPeriod | null;
  minutes: number | null;
  quotaRuns: number | null;
  periodStart: Date;
  periodEnd: Date;
  usedMs: number;
  runs: number;
}

/** Milliseconds a live run has taken so far: from the answer, or from its minting while it is not answered. */
export const elapsedMsSql = `(extract(epoch FROM clock_timestamp() - coalesce(answered_at, created_at)) * 1000)::float8`;

/** A run that holds a slot. */
export const isLiveSql = `state IN ('initialized', 'running') AND lease_expires_at > clock_timestamp()`;

const getSql = `
SELECT q.period, q.minutes, q.runs AS "quotaRuns", span.start AS "periodStart", (span.start AT TIME ZONE 'UTC' + span.length) AT TIME ZONE 'UTC' AS "periodEnd",
  round(coalesce(c.used_ms, 0) + live.ms)::float8 AS "usedMs", coalesce(c.runs, 0)::int AS runs
FROM users u
LEFT JOIN quotas q ON q.user_id = u.id
CROSS JOIN LATERAL (
  SELECT coalesce(q.period, 'month') AS period, date_trunc(coalesce(q.period, 'month'), now(), 'UTC') AS start,
    ('1 ' || coalesce(q.period, 'month'))::interval AS length
) span
LEFT JOIN usage_counters c ON c.user_id = u.id AND c.period = span.period AND c.period_start = span.start
CROSS JOIN LATERAL (
  SELECT coalesce(sum(${elapsedMsSql}), 0) AS ms FROM runs
  WHERE organization_id = u.organization_id AND owner_user_id = u.id AND created_at >= span.start AND ${isLiveSql}
) live
WHERE u.organization_id = $1 AND u.id = $2`;

const putSql = `
INSERT INTO quotas (user_id, period, minutes, runs) SELECT id, $3, $4, $5 FROM users WHERE organization_id = $1 AND id = $2
ON CONFLICT (user_id) DO UPDATE SET period = excluded.period, minutes = excluded.minutes, runs = excluded.runs
RETURNING period, minutes, runs`;

const usageSql = `
SELECT span.start AS "periodStart", used.runs::int AS runs, round(used.ms + live.ms)::float8 AS "durationMs", live.calls::int AS "liveCalls",
  (used.micros / 1000000)::numeric(20, 6)::text AS "costTotal", used.partly_priced::int AS "partlyPricedRuns"
FROM (SELECT date_trunc('month', now(), 'UTC') AS start) span
CROSS JOIN LATERAL (
  SELECT coalesce(sum(c.runs), 0) AS runs, coalesce(sum(c.used_ms), 0) AS ms,
    coalesce(sum(c.cost_micros), 0)::numeric AS micros, coalesce(sum(c.partly_priced_runs), 0) AS partly_priced
  FROM usage_counters c JOIN users u ON u.id = c.user_id
  WHERE u.organization_id = $1 AND c.period = 'month' AND c.period_start = span.start
) used
CROSS JOIN LATERAL (
  SELECT count(*) AS calls, coalesce(sum(${elapsedMsSql}) FILTER (WHERE created_at >= span.start), 0) AS ms
  FROM runs WHERE organization_id = $1 AND ${isLiveSql}
) live`;

/** Sums each owner's live time once, however many of the runs are theirs. */
const findExhaustedSql = `
WITH asked AS (
  SELECT r.id, r.organization_id, r.owner_user_id, q.period, q.minutes, date_trunc(q.period, r.created_at, 'UTC') AS start
  FROM runs r JOIN quotas q ON q.user_id = r.owner_user_id
  WHERE r.id = ANY($1::uuid[]) AND r.state IN ('initialized', 'running') AND q.minutes IS NOT NULL
), owners AS (
  SELECT DISTINCT organization_id, owner_user_id, period, minutes, start FROM asked
), exhausted AS (
  SELECT o.owner_user_id, o.start FROM owners o
  LEFT JOIN usage_counters c ON c.user_id = o.owner_user_id AND c.period = o.period AND c.period_start = o.start
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(${elapsedMsSql}), 0) AS ms FROM runs
    WHERE organization_id = o.organization_id AND owner_user_id = o.owner_user_id
      AND date_trunc(o.period, created_at, 'UTC') = o.start AND ${isLiveSql}
  ) live
  WHERE coalesce(c.used_ms, 0) + live.ms >= o.minutes * 60000
)
SELECT a.id FROM asked a JOIN exhausted e USING (owner_user_id, start)`;
