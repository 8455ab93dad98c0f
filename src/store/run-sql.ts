import { analysesSql, announceSql, endingEventsSql, nodeDeliveriesSql } from './outbox-sql.js';
import { elapsedMsSql, isLiveSql } from './quotas.js';

/** Columns of a run as the domain names them. */
export const runColumnsSql = `
id, name, organization_id AS "organizationId", owner_user_id AS "ownerUserId", agent_uuid AS "agentUuid", agent_version AS "agentVersion",
telephony_config_id AS "telephonyConfigId", call_type AS "callType", mode, state, initial_context AS "initialContext",
gathered_context AS "gatheredContext", logs, session_id AS "sessionId", end_reason AS "endReason", close_code AS "closeCode",
close_reason AS "closeReason", created_at AS "createdAt", answered_at AS "answeredAt", ended_at AS "endedAt",
duration_ms::float8 AS "durationMs", usage, cost, latency, analysis, recording_path AS "recordingPath",
recording_expires_at AS "recordingExpiresAt", recording_deleted_at AS "recordingDeletedAt", node_id AS "nodeId"`;

/** Serialises the mints of one organization, so that two cannot both take the last slot; what merely refers to it is not held up. */
export const lockOrganizationSql = 'SELECT concurrent_calls AS "concurrentCalls" FROM organizations WHERE id = $1 FOR NO KEY UPDATE';

const noCost = { micros: '0', partlyPriced: '0' };

/** Of a run's `cost` (runs/cost.ts): what it comes to, and whether something in it has no price. */
const costMicrosSql = (cost: string): string => `round(coalesce((${cost}->>'total')::numeric, 0) * 1000000)::bigint`;
const isPartlyPricedSql = (cost: string): string => `coalesce(jsonb_array_length(${cost}->'unknown'), 0) > 0`;

/**
 * Adds to the owner's counters of the day and the month in which the runs of CTE `source` were minted.
 * Ordered, so that two statements never lock counters crosswise.
 */
const countUsageSql = (source: string, runs: string, ms: string, cost: { micros: string; partlyPriced: string } = noCost): string => `
  INSERT INTO usage_counters (user_id, period, period_start, runs, used_ms, cost_micros, partly_priced_runs)
  SELECT owner_user_id, period, date_trunc(period, created_at, 'UTC'), ${runs}, ${ms}, ${cost.micros}, ${cost.partlyPriced}
  FROM ${source}, (VALUES ('day'), ('month')) AS periods (period)
  GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (user_id, period, period_start)
  DO UPDATE SET runs = usage_counters.runs + excluded.runs, used_ms = usage_counters.used_ms + excluded.used_ms,
    cost_micros = usage_counters.cost_micros + excluded.cost_micros,
    partly_priced_runs = usage_counters.partly_priced_runs + excluded.partly_priced_runs`;

/**
 * Decides and inserts in one statement; the organization is locked. $1 organization, $2 owner, $3 agent, $4 limit of the organization,
 * $5 limit of the agent or null, $6 id, $7 name, $8 version, $9 mode, $10 initial context, $11 gathered context, $12 node, $13 lease in ms.
 */
export const mintSql = `
WITH quota AS (
  SELECT q.minutes, q.runs, span.start, coalesce(c.runs, 0) AS used_runs, coalesce(c.used_ms, 0) AS used_ms
  FROM (SELECT 1) one
  LEFT JOIN quotas q ON q.user_id = $2
  CROSS JOIN LATERAL (SELECT date_trunc(coalesce(q.period, 'month'), clock_timestamp(), 'UTC') AS start) span
  LEFT JOIN usage_counters c ON c.user_id = q.user_id AND c.period = q.period AND c.period_start = span.start
), live AS (
  SELECT count(*) AS calls, count(*) FILTER (WHERE agent_uuid = $3) AS calls_of_agent,
    coalesce(sum(${elapsedMsSql}) FILTER (WHERE owner_user_id = $2 AND created_at >= (SELECT start FROM quota)), 0) AS owner_ms
  FROM runs WHERE organization_id = $1 AND ${isLiveSql}
), balance AS (
  SELECT quota.*, live.*, quota.minutes * 60000 - quota.used_ms - live.owner_ms AS remaining_ms FROM quota, live
), verdict AS (
  SELECT remaining_ms, CASE
    WHEN remaining_ms <= 0 OR used_runs >= runs THEN 'quota-exceeded'
    WHEN calls >= $4::int OR calls_of_agent >= $5::int THEN 'concurrency-limit'
  END AS refusal FROM balance
), minted AS (
  INSERT INTO runs (id, name, organization_id, owner_user_id, agent_uuid, agent_version, mode, state, initial_context, gathered_context,
    node_id, created_at, heartbeat_at, lease_expires_at)
  SELECT $6, $7, $1, $2, $3, $8, $9, 'initialized', $10, $11, $12, clock_timestamp(), clock_timestamp(),
    clock_timestamp() + $13::float8 * interval '1 millisecond'
  FROM verdict WHERE refusal IS NULL
  RETURNING *
), counted AS (${countUsageSql('minted', 'count(*)', '0')})
SELECT verdict.refusal, verdict.remaining_ms AS "remainingMs", run.* FROM verdict LEFT JOIN (SELECT ${runColumnsSql} FROM minted) run ON true`;

/** What an analysis added to the cost of the runs of CTE `source`, which has `cost` and, as it was before, `former_cost`. */
export const countAnalysisSql = (source: string): string => countUsageSql(source, '0', '0', {
  micros: `sum(${costMicrosSql('cost')} - ${costMicrosSql('former_cost')})`,
  partlyPriced: `count(*) FILTER (WHERE ${isPartlyPricedSql('cost')} AND NOT ${isPartlyPricedSql('former_cost')})`,
});

/** What a run's end sets off, in the statement that ends the runs of CTE `ended`: usage, webhooks, analyses, and word to whoever waits. */
const followEndSql = `counted AS (${countUsageSql('ended', '0', 'sum(duration_ms)', {
  micros: `sum(${costMicrosSql('cost')})`,
  partlyPriced: `count(*) FILTER (WHERE ${isPartlyPricedSql('cost')})`,
})}),
${announceSql('ended', endingEventsSql)},
${analysesSql('ended')},
${nodeDeliveriesSql('ended', 'to_analyse')}`;

/** Columns of an ended run that {@link followEndSql} reads. */
const endedColumnsSql = ['id', 'organization_id', 'owner_user_id', 'agent_uuid', 'agent_version', 'state', 'end_reason', 'created_at', 'duration_ms', 'cost'];

/** Columns of a run that what follows its analysis reads. */
export const analysisColumns = ['id', 'organization_id', 'owner_user_id', 'agent_uuid', 'agent_version', 'created_at', 'duration_ms', 'cost'];

const notifyEndedSql = `SELECT id, pg_notify('run_ended', json_build_object('runId', id)::text) FROM ended`;

/** How long the recording is kept; null: for good. Hours, since a day's length is the time zone's. */
const retentionSql = "recording_retention_days * interval '24 hours'";

/**
 * The one way to a terminal state while the node lives. $1 id, $2 state, $3 end reason, $4 close code, $5 close reason, $6 duration in ms,
 * $7 gathered context, $8 usage, $9 cost, $10 latency, $11 recording path.
 */
export const finaliseSql = `
WITH ended AS (
  UPDATE runs SET state = $2, end_reason = $3, close_code = $4, close_reason = $5, ended_at = clock_timestamp(), duration_ms = $6,
    gathered_context = gathered_context || $7::jsonb, usage = $8, cost = $9, latency = $10, recording_path = $11,
    recording_expires_at = clock_timestamp() + ${retentionSql}
  WHERE id = $1 AND state IN ('initialized', 'running')
  RETURNING ${endedColumnsSql.join(', ')}
), ${followEndSql}
${notifyEndedSql}`;

/**
 * Ends live runs whose node is gone, up to `limit` at a time. The last sign of life is the last heartbeat or event. Runs that somebody else
 * is ending at this moment are left to them.
 */
export const endLostRunsSql = (isLost: string, limit: number): string => `
WITH lost AS (
  SELECT id, coalesce(answered_at, created_at) AS started_at, heartbeat_at FROM runs
  WHERE state IN ('initialized', 'running') AND ${isLost} ORDER BY id LIMIT ${limit} FOR UPDATE SKIP LOCKED
), ended AS (
  UPDATE runs SET state = 'failed', end_reason = 'node_lost', ended_at = seen.last_at,
    duration_ms = greatest(0, round(extract(epoch FROM seen.last_at - lost.started_at) * 1000)),
    recording_expires_at = seen.last_at + ${retentionSql}
  FROM lost, LATERAL (
    SELECT greatest(lost.heartbeat_at, (SELECT recorded_at FROM run_events WHERE run_id = lost.id ORDER BY seq DESC LIMIT 1)) AS last_at
  ) seen
  WHERE runs.id = lost.id
  RETURNING ${endedColumnsSql.map((column) => `runs.${column}`).join(', ')}
), ${followEndSql}
${notifyEndedSql}`;

/** `initialized` → `running`, and the event of it. $1 id. */
export const markRunningSql = `
WITH started AS (
  UPDATE runs SET state = 'running', answered_at = clock_timestamp() WHERE id = $1 AND state = 'initialized' RETURNING id, organization_id
), ${announceSql('started', `(VALUES ('run.started'))`)}
SELECT id FROM started`;

/** A lease that ran out: its node died, or could not extend it. */
const hasExpiredSql = 'lease_expires_at <= clock_timestamp()';

/**
 * $1 node that sweeps, $2 runs it holds, $3 whether the database is exclusive, $4 until when leases are believed. The last is checked by the
 * database, so that a statement which a frozen database carries out when it wakes up ends nothing.
 */
export const isLostSql = `((node_id <> $1 AND $3::boolean)
  OR (${hasExpiredSql} AND clock_timestamp() < $4::timestamptz AND NOT (node_id = $1 AND id = ANY($2::uuid[]))))`;

/**
 * A run of another node whose lease ran out and that still has the session of run $2, which is another socket's attempt at it.
 * $1 session.
 */
export const isStaleHolderSql = `${hasExpiredSql} AND session_id = $1
  AND (organization_id, mode) = (SELECT organization_id, mode FROM runs WHERE id = $2) AND node_id <> (SELECT node_id FROM runs WHERE id = $2)`;

/** $1 id, $2 session, $3 telephony configuration, $4 initial context, $5 gathered context, $6 logs, $7 data directory, $8 days of retention. */
export const bindSessionSql = `
UPDATE runs SET session_id = $2, telephony_config_id = $3, initial_context = initial_context || $4::jsonb,
  gathered_context = gathered_context || $5::jsonb, logs = logs || $6::jsonb, recording_store = $7, recording_retention_days = $8
WHERE id = $1 AND state IN ('initialized', 'running') RETURNING id`;

/** $1 node, $2 its runs, $3 lease in ms. */
export const heartbeatSql = `
UPDATE runs SET heartbeat_at = clock_timestamp(), lease_expires_at = clock_timestamp() + $3::float8 * interval '1 millisecond'
WHERE node_id = $1 AND id = ANY($2::uuid[]) AND state IN ('initialized', 'running')
RETURNING id`;

/** Absent conditions are null. $1 organization, $2 agent, $3 state, $4 end reason, $5 from, $6 to, $7 LIKE pattern, $8 cursor, $9 limit. */
export const listRunsSql = `
SELECT ${runColumnsSql} FROM runs
WHERE organization_id = $1
  AND ($2::uuid IS NULL OR agent_uuid = $2) AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR end_reason = $4)
  AND ($5::timestamptz IS NULL OR created_at >= $5) AND ($6::timestamptz IS NULL OR created_at < $6)
  AND ($7::text IS NULL OR name ILIKE $7 OR id::text ILIKE $7 OR session_id ILIKE $7 OR initial_context->>'caller_number' ILIKE $7
    OR initial_context->>'called_number' ILIKE $7 OR gathered_context->>'call_id' ILIKE $7)
  AND ($8::uuid IS NULL OR id < $8)
ORDER BY id DESC LIMIT $9`;
