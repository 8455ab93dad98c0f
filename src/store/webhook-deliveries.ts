import { eq } from 'drizzle-orm';
import { isUuid, uuidv7 } from '../base/ids.js';
import { queryRows, type Database } from './database.js';
import { storableText } from './encode-json.js';
import { announceSql, laneSql } from './outbox-sql.js';
import { decodeIdCursor, pageLimit, toPage } from './page.js';
import { runColumnsSql } from './run-sql.js';
import { webhookEndpoints } from './schema.js';
import type { Secrets } from './secrets.js';
import type { ClaimedDelivery, Run, WebhookDelivery, WebhookDeliveryStore } from './store.js';
import { secretsOf } from './webhook-endpoints.js';

/** Deliveries kept per endpoint, and for all webhook nodes of an organization; those under way stay. */
const MAX_DELIVERIES_KEPT = 1_000;
/** Older ones are deleted once in so many deliveries that this process completes. */
const TRIM_INTERVAL = 64;

const columnsSql = `
id, organization_id AS "organizationId", endpoint_id AS "endpointId", run_id AS "runId", node_id AS "nodeId", event_type AS "eventType",
event_id AS "eventId", status, attempts, tries, next_attempt_at AS "nextAttemptAt", last_attempt_at AS "lastAttemptAt", outcome,
response_status AS "responseStatus", response_body AS "responseBody", created_at AS "createdAt"`;

/** $1 run, $2 event type. */
const announceRunSql = `
WITH subject AS (SELECT id, organization_id FROM runs WHERE id = $1), ${announceSql('subject', '(VALUES ($2::text))')}
SELECT id FROM subject`;

/** $1 organization, $2 endpoint, $3 event id. */
const writeTestSql = `
INSERT INTO webhook_deliveries (organization_id, endpoint_id, event_type, event_id, lane)
SELECT organization_id, id, 'endpoint.test', $3::uuid, ${laneSql('id::text')} FROM webhook_endpoints
WHERE organization_id = $1 AND id = $2 FOR KEY SHARE
RETURNING ${columnsSql}`;

/** Absent conditions are null. $1 organization, $2 endpoint, $3 run, $4 cursor, $5 limit. */
const listSql = `
SELECT ${columnsSql} FROM webhook_deliveries
WHERE organization_id = $1 AND ($2::uuid IS NULL OR endpoint_id = $2) AND ($3::uuid IS NULL OR run_id = $3) AND ($4::uuid IS NULL OR id < $4)
ORDER BY id DESC LIMIT $5`;

/** $1 organization, $2 endpoint, $3 delivery. An attempt that is under way keeps its claim: two never run at once. */
const resendSql = `
UPDATE webhook_deliveries SET status = 'pending', tries = 0, next_attempt_at = clock_timestamp()
WHERE organization_id = $1 AND endpoint_id = $2 AND id = $3
RETURNING ${columnsSql}`;

/** $1 delivery, $2 claim in ms. */
const claimSql = `
UPDATE webhook_deliveries SET attempts = attempts + 1, tries = tries + 1, last_attempt_at = clock_timestamp(),
  claimed_until = clock_timestamp() + $2::float8 * interval '1 millisecond'
WHERE id = $1 AND status = 'pending' AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
RETURNING ${columnsSql}, body`;

/** $1 delivery, $2 status, $3 delay of the next attempt in ms or null, $4 outcome, $5 response status, $6 response body, $7 disables the endpoint. */
const recordSql = `
WITH recorded AS (
  UPDATE webhook_deliveries SET status = $2, outcome = $4, response_status = $5, response_body = $6, claimed_until = NULL,
    next_attempt_at = clock_timestamp() + $3::float8 * interval '1 millisecond'
  WHERE id = $1 RETURNING endpoint_id
), disabled AS (
  UPDATE webhook_endpoints SET enabled = false, disabled_reason = 'gone', updated_at = now() FROM recorded WHERE $7::boolean AND id = endpoint_id
)
SELECT endpoint_id FROM recorded`;

/** $1 delivery whose neighbours are trimmed. */
const trimSql = `
WITH place AS (SELECT organization_id, endpoint_id FROM webhook_deliveries WHERE id = $1),
oldest_kept AS (
  SELECT delivery.id FROM webhook_deliveries delivery, place
  WHERE delivery.organization_id = place.organization_id AND delivery.endpoint_id IS NOT DISTINCT FROM place.endpoint_id
  ORDER BY delivery.id DESC OFFSET ${MAX_DELIVERIES_KEPT - 1} LIMIT 1
)
DELETE FROM webhook_deliveries delivery USING place, oldest_kept
WHERE delivery.organization_id = place.organization_id AND delivery.endpoint_id IS NOT DISTINCT FROM place.endpoint_id
  AND delivery.id < oldest_kept.id AND delivery.status <> 'pending'`;

/** $1 run, $2 node. */
const nodeSql = `
SELECT jsonb_path_query_first(version.workflow::jsonb, 'lax $.nodes[*] ? (@.type == "webhook" && @.id == $id)', jsonb_build_object('id', $2::text)) AS node
FROM runs run JOIN agent_versions version ON version.agent_uuid = run.agent_uuid AND version.number = run.agent_version WHERE run.id = $1`;

/** The outbox in PostgreSQL. */
export function createWebhookDeliveryStore({ pool, orm, clock }: Database, secrets: Secrets): WebhookDeliveryStore {
  let completed = 0;

  async function endpointOf(id: string | null): Promise<ClaimedDelivery['endpoint']> {
    if (id === null) return null;
    const [row] = await orm.select().from(webhookEndpoints).where(eq(webhookEndpoints.id, id));
    return row === undefined ? null : { url: row.url, enabled: row.enabled, secrets: secretsOf(row, secrets, clock.wallMs()) };
  }

  async function runOf(id: string | null): Promise<Run | null> {
    return id === null ? null : ((await queryRows<Run>(pool, `SELECT ${runColumnsSql} FROM runs WHERE id = $1`, [id]))[0] ?? null);
  }

  async function nodeOf({ runId, nodeId }: WebhookDelivery): Promise<unknown> {
    if (nodeId === null) return null;
    return (await queryRows<{ node: unknown }>(pool, nodeSql, [runId, nodeId]))[0]?.node ?? null;
  }

  return {
    async announce(runId, type) {
      await queryRows(pool, announceRunSql, [runId, type]);
    },

    async writeTest(organizationId, endpointId) {
      if (!isUuid(organizationId) || !isUuid(endpointId)) return null;
      return (await queryRows<WebhookDelivery>(pool, writeTestSql, [organizationId, endpointId, uuidv7(clock.wallMs())]))[0] ?? null;
    },

    async list(organizationId, filter) {
      const { endpointId = null, runId = null } = filter;
      if (![organizationId, endpointId, runId].every((id) => id === null || isUuid(id))) return { items: [], nextCursor: null };
      const limit = pageLimit(filter);
      const rows = await queryRows<WebhookDelivery>(pool, listSql, [organizationId, endpointId, runId, decodeIdCursor(filter), limit + 1]);
      return toPage(rows, limit, (delivery) => [delivery.id]);
    },

    async resend(organizationId, endpointId, id) {
      if (![organizationId, endpointId, id].every(isUuid)) return null;
      return (await queryRows<WebhookDelivery>(pool, resendSql, [organizationId, endpointId, id]))[0] ?? null;
    },

    async claim(id, claimMs) {
      const [row] = await queryRows<WebhookDelivery & { body: string | null }>(pool, claimSql, [id, claimMs]);
      if (row === undefined) {
        const [pending] = await queryRows(pool, `SELECT id FROM webhook_deliveries WHERE id = $1 AND status = 'pending'`, [id]);
        return pending === undefined ? 'done' : 'busy';
      }
      const { body, ...delivery } = row;
      const [endpoint, run, node] = await Promise.all([endpointOf(delivery.endpointId), runOf(delivery.runId), nodeOf(delivery)]);
      return { delivery, body, endpoint, run, node };
    },

    async release(id) {
      await pool.query('UPDATE webhook_deliveries SET claimed_until = NULL WHERE id = $1', [id]);
    },

    async keepBody(id, body) {
      await pool.query('UPDATE webhook_deliveries SET body = $2 WHERE id = $1', [id, body]);
    },

    async record(id, { status, retryInMs, outcome, responseStatus, responseBody, disablesEndpoint }) {
      const answer = responseBody === null ? null : storableText(responseBody);
      await queryRows(pool, recordSql, [id, status, retryInMs, outcome, responseStatus, answer, disablesEndpoint]);
      if (status === 'pending') return;
      completed += 1;
      if (completed % TRIM_INTERVAL === 0) await queryRows(pool, trimSql, [id]);
    },
  };
}
