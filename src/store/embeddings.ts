import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { isUuid } from '../base/ids.js';
import { queryRows, type Database, type Queryable } from './database.js';
import { storableText } from './encode-json.js';
import type { ClaimedEmbedding, EmbeddingStore } from './store.js';

/** Documents at once, over all organizations and nodes: a vendor that is slow takes no more of the workers than these. */
const LANES = 4;

/** Longest message of a failure that is kept, characters. */
const MAX_MESSAGE_LENGTH = 500;

/** Jobs of one queue run one after the other: an organization's vendor is asked for one document at a time. `organization` is an SQL expression. */
const laneSql = (organization: string): string => `'embedding:' || (get_byte(uuid_send(${organization}), 15) % ${LANES})`;

/** Organizations of this alias that have an embedding model. */
const hasModelSql = (organization: string): string => `json_typeof(${organization}.default_models->'embeddings') = 'object'`;

/** $1 organization. Those under way begin anew: they find out by themselves whether what they have is still good. */
const queueAllSql = `
INSERT INTO document_embeddings (document_uuid, lane)
SELECT document.uuid, ${laneSql('organization.id')} FROM documents document JOIN organizations organization ON organization.id = document.organization_id
WHERE organization.id = $1 AND document.mode = 'retrieval' AND ${hasModelSql('organization')}
ON CONFLICT (document_uuid) DO UPDATE SET status = 'pending', next_attempt_at = clock_timestamp(), tries = 0, claim = NULL, claimed_until = NULL,
  failure_code = NULL, failure_message = NULL`;

/** $1 organization. */
const dropAllSql = `
DELETE FROM document_embeddings embedding USING documents document, organizations organization
WHERE document.uuid = embedding.document_uuid AND organization.id = document.organization_id AND organization.id = $1
  AND (${hasModelSql('organization')}) IS NOT TRUE`;

const isFreeSql = `status = 'pending' AND (claimed_until IS NULL OR claimed_until < clock_timestamp())`;

/** $2 claim, $3 claim in ms. `chosen`: SQL of the document's UUID. */
const claimSql = (chosen: string): string => `
UPDATE document_embeddings embedding SET tries = tries + 1, claim = $2, claimed_until = clock_timestamp() + $3::float8 * interval '1 millisecond'
FROM documents document
WHERE embedding.document_uuid = ${chosen} AND document.uuid = embedding.document_uuid AND ${isFreeSql}
RETURNING document.uuid AS "documentUuid", embedding.lane, document.organization_id AS "organizationId", document.name AS "documentName", document.chunk_count AS "chunkCount",
  embedding.embedded_chunks AS "embeddedChunks", embedding.tries, embedding.vendor, embedding.model, embedding.dimensions`;

/** $1 lane. */
const nextSql = `(
  SELECT document_uuid FROM document_embeddings WHERE lane = $1 AND next_attempt_at <= clock_timestamp() AND ${isFreeSql}
  ORDER BY document_uuid LIMIT 1 FOR UPDATE SKIP LOCKED
)`;

/** What a claim holds. $1 document, $2 claim. */
const heldSql = `document_uuid = $1 AND claim = $2 AND status = 'pending'`;

/** $3 vendor, $4 model, $5 dimensions. */
const restartSql = `
WITH held AS (
  UPDATE document_embeddings SET vendor = $3, model = $4, dimensions = $5, embedded_chunks = 0 WHERE ${heldSql} RETURNING document_uuid
), forgotten AS (DELETE FROM document_vectors USING held WHERE document_vectors.document_uuid = held.document_uuid)
SELECT document_uuid FROM held`;

/** $3 positions, $4 vectors. What came further may fail anew as often as the first. */
const appendSql = `
WITH held AS (
  UPDATE document_embeddings SET embedded_chunks = embedded_chunks + cardinality($3::int[]), tries = 1 WHERE ${heldSql} RETURNING document_uuid
)
INSERT INTO document_vectors (document_uuid, position, vector)
SELECT held.document_uuid, part.position, part.vector FROM held, unnest($3::int[], $4::bytea[]) AS part (position, vector)
RETURNING position`;

/** $3 delay in ms, $4 code, $5 message. */
const postponeSql = `
UPDATE document_embeddings SET claim = NULL, claimed_until = NULL, next_attempt_at = clock_timestamp() + $3::float8 * interval '1 millisecond',
  tries = CASE WHEN $4::text IS NULL THEN 0 ELSE tries END, failure_code = $4, failure_message = $5
WHERE ${heldSql} RETURNING document_uuid`;

/** $3 code, $4 message. */
const settleSql = `
UPDATE document_embeddings SET claim = NULL, claimed_until = NULL, next_attempt_at = NULL, status = CASE WHEN $3::text IS NULL THEN 'ready' ELSE 'failed' END,
  failure_code = $3, failure_message = $4
WHERE ${heldSql} RETURNING document_uuid`;

/**
 * Has a document embedded where its organization has a model; whether it has. The organization's row is locked until the transaction ends, which
 * this is to be the last statement of: a change of the model then comes before or after the document, and never misses it.
 */
export async function queueEmbedding(transaction: Queryable, documentUuid: string): Promise<boolean> {
  const lane = sql.raw(laneSql('organization.id'));
  const { rowCount } = await transaction.execute(sql`
    INSERT INTO document_embeddings (document_uuid, lane)
    SELECT document.uuid, ${lane} FROM documents document JOIN organizations organization ON organization.id = document.organization_id
    WHERE document.uuid = ${documentUuid} AND document.mode = 'retrieval' AND ${sql.raw(hasModelSql('organization'))}
    FOR SHARE OF organization`);
  return (rowCount ?? 0) > 0;
}

interface ClaimedRow extends Pick<ClaimedEmbedding, 'documentUuid' | 'lane' | 'organizationId' | 'documentName' | 'chunkCount' | 'embeddedChunks' | 'tries'> {
  [column: string]: unknown;
  vendor: string | null;
  model: string | null;
  dimensions: number | null;
}

/** Work on documents' vectors in PostgreSQL. */
export function createEmbeddingStore({ pool }: Database): EmbeddingStore {
  const isHeld = async (text: string, values: readonly unknown[]) => (await queryRows(pool, text, values)).length > 0;
  const failureValues = (failure: { code: string; message: string } | null) =>
    failure === null ? [null, null] : [failure.code, storableText(failure.message.slice(0, MAX_MESSAGE_LENGTH))];

  async function claimChosen(chosen: string, by: string, claimMs: number): Promise<ClaimedEmbedding | null> {
    const claim = randomUUID();
    const [row] = await queryRows<ClaimedRow>(pool, claimSql(chosen), [by, claim, claimMs]);
    if (row === undefined) return null;
    const { vendor, model, dimensions, ...work } = row;
    return { ...work, claim, model: vendor === null || model === null ? null : { vendor, model, dimensions } };
  }

  return {
    async queueAll(organizationId) {
      if (!isUuid(organizationId)) return;
      await queryRows(pool, queueAllSql, [organizationId]);
      await queryRows(pool, dropAllSql, [organizationId]);
    },

    async claim(documentUuid, claimMs) {
      if (!isUuid(documentUuid)) return 'done';
      const claimed = await claimChosen('$1', documentUuid, claimMs);
      if (claimed !== null) return claimed;
      const [pending] = await queryRows(pool, `SELECT document_uuid FROM document_embeddings WHERE document_uuid = $1 AND status = 'pending'`, [documentUuid]);
      return pending === undefined ? 'done' : 'busy';
    },

    claimNext: (lane, claimMs) => claimChosen(nextSql, lane, claimMs),

    restart: (documentUuid, claim, { vendor, model, dimensions }) => isHeld(restartSql, [documentUuid, claim, vendor, model, dimensions]),

    async append(documentUuid, claim, vectors) {
      return isHeld(appendSql, [documentUuid, claim, vectors.map(({ position }) => position), vectors.map(({ vector }) => vector)]);
    },

    postpone: (documentUuid, claim, delayMs, failure) => isHeld(postponeSql, [documentUuid, claim, delayMs, ...failureValues(failure)]),

    settle: (documentUuid, claim, failure) => isHeld(settleSql, [documentUuid, claim, ...failureValues(failure)]),

    async drop(documentUuid) {
      await queryRows(pool, 'DELETE FROM document_embeddings WHERE document_uuid = $1', [documentUuid]);
    },
  };
}
