/** Deliveries at once to one receiver, over all nodes: one that is slow takes no more of the workers than these. */
const LANES_PER_RECEIVER = 4;

/** A longer one is no node's (workflow/nodes/shared.ts), and would not fit the index. */
const MAX_NODE_ID_LENGTH = 100;

/** The queue of a delivery: jobs of one queue run one after the other, and each receiver has a few. `receiver` is an SQL expression. */
export const laneSql = (receiver: string): string =>
  `'webhook:' || md5(${receiver}) || ':' || floor(random() * ${LANES_PER_RECEIVER})::int`;

/** The identifier of a run's event, the same whoever announces it: `run` has `id`, `event` has `type`. */
const eventIdSql = `md5(run.id::text || event.type)::uuid`;

/** One row per event of a run that has ended; the state and the reason tell which. */
export const endingEventsSql = `(VALUES
  (CASE run.state WHEN 'failed' THEN 'run.failed' ELSE 'run.ended' END),
  (CASE run.end_reason WHEN 'transferred' THEN 'run.transferred' END))`;

/**
 * CTEs that write what is to be delivered of the runs of CTE `source` (`id`, `organization_id`, and what `events` reads), in the statement
 * that makes it true. Endpoints that are being deleted are passed over.
 */
export const announceSql = (source: string, events: string): string => `
receivers AS (
  SELECT run.organization_id, run.id AS run_id, endpoint.id AS endpoint_id, event.type, ${eventIdSql} AS event_id
  FROM ${source} run CROSS JOIN LATERAL ${events} event (type)
  JOIN webhook_endpoints endpoint ON endpoint.organization_id = run.organization_id AND endpoint.enabled AND event.type = ANY (endpoint.events)
  FOR KEY SHARE OF endpoint
), announced AS (
  INSERT INTO webhook_deliveries (organization_id, endpoint_id, run_id, event_type, event_id, lane)
  SELECT organization_id, endpoint_id, run_id, type, event_id, ${laneSql('endpoint_id::text')} FROM receivers
  ON CONFLICT DO NOTHING
)`;

/** Nodes of one type of the pinned versions of the runs of `source` (`id`, `agent_uuid`, `agent_version`). Lax: a draft may hold anything. */
const nodesSql = (source: string, type: 'webhook' | 'qa'): string => `${source} run
  JOIN agent_versions version ON version.agent_uuid = run.agent_uuid AND version.number = run.agent_version
  CROSS JOIN LATERAL jsonb_path_query(version.workflow::jsonb, 'lax $.nodes[*] ? (@.type == "${type}" && exists (@.id))') node`;

/** Analyses at once of one organization, over all nodes: a model that is slow takes no more of the workers than these. */
const ANALYSIS_LANES = 4;

/** CTEs that have the runs of CTE `source` judged whose pinned version has an enabled `qa` node: `to_analyse` holds them (`id`). */
export const analysesSql = (source: string): string => `
to_analyse AS (
  SELECT DISTINCT run.id, run.organization_id FROM ${nodesSql(source, 'qa')}
  WHERE coalesce(node->'data'->>'qa_enabled', 'true') <> 'false'
), analyses AS (
  INSERT INTO run_analyses (run_id, lane) SELECT id, 'analysis:' || organization_id || ':' || floor(random() * ${ANALYSIS_LANES})::int FROM to_analyse
  ON CONFLICT DO NOTHING
)`;

/**
 * A CTE that writes one delivery for each enabled webhook node of the pinned versions of the runs of CTE `source` (`id`, `organization_id`,
 * `agent_uuid`, `agent_version`), but for those of CTE `except` (`id`), whose time comes later.
 */
export const nodeDeliveriesSql = (source: string, except?: string): string => `
after_call AS (
  INSERT INTO webhook_deliveries (organization_id, run_id, node_id, event_type, event_id, lane)
  SELECT run.organization_id, run.id, node->>'id', 'workflow.webhook', md5(run.id::text || (node->>'id'))::uuid,
    ${laneSql(`run.agent_uuid::text || (node->>'id')`)}
  FROM ${nodesSql(source, 'webhook')}
  WHERE coalesce(node->'data'->>'enabled', 'true') <> 'false' AND length(node->>'id') <= ${MAX_NODE_ID_LENGTH}
    ${except === undefined ? '' : `AND run.id NOT IN (SELECT id FROM ${except})`}
  ON CONFLICT DO NOTHING
)`;
