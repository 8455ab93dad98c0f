import { and, asc, desc, eq, gte, inArray, isNull, lt } from 'drizzle-orm';
import { AgentStreamError } from '../base/errors.js';
import { isUuid, uuidv7 } from '../base/ids.js';
import type { Database } from './database.js';
import { storableText } from './encode-json.js';
import { decodeIdCursor, pageLimit, toPage } from './page.js';
import { queueEmbedding } from './embeddings.js';
import { documentChunks, documentEmbeddings, documents, documentVectors } from './schema.js';
import type { DocumentEmbedding, DocumentStore, KnowledgeDocument } from './store.js';

/** Documents of an organization. */
const MAX_DOCUMENTS = 1000;
/** Rows of one INSERT: PostgreSQL takes 65,535 parameters. */
const ROWS_PER_INSERT = 1000;

const withEmbedding = { document: documents, embedding: documentEmbeddings };

interface Row {
  readonly document: typeof documents.$inferSelect;
  readonly embedding: typeof documentEmbeddings.$inferSelect | null;
}

function embeddingOf({ status, vendor, model, dimensions, embeddedChunks, failureCode, failureMessage }: NonNullable<Row['embedding']>): DocumentEmbedding {
  return {
    status: status === 'pending' ? 'processing' : status,
    model: vendor === null || model === null ? null : { vendor, model, dimensions },
    embeddedChunks,
    failure: failureCode === null ? null : { code: failureCode, message: failureMessage ?? '' },
  };
}

const toDocument = ({ document, embedding }: Row): KnowledgeDocument => ({ ...document, embedding: embedding === null ? null : embeddingOf(embedding) });

/** Documents in PostgreSQL. */
export function createDocumentStore({ orm, callerOrm, clock }: Database): DocumentStore {
  const isDocument = (organizationId: string, uuid: string) => and(eq(documents.organizationId, organizationId), eq(documents.uuid, uuid));

  return {
    async create(organizationId, fields, chunks) {
      const count = await orm.$count(documents, eq(documents.organizationId, organizationId));
      if (count >= MAX_DOCUMENTS) throw new AgentStreamError('conflict', { message: `An organization has at most ${MAX_DOCUMENTS} documents.` });
      const uuid = uuidv7(clock.wallMs());
      const rows = chunks.map(({ position, heading, page, text }) => ({
        documentUuid: uuid,
        position,
        heading: heading.map(storableText),
        page,
        text: storableText(text),
      }));
      return orm.transaction(async (transaction) => {
        const [row] = await transaction
          .insert(documents)
          .values({ ...fields, uuid, organizationId, name: storableText(fields.name), chunkCount: chunks.length })
          .returning();
        if (row === undefined) throw new Error('INSERT returned no row');
        for (let from = 0; from < rows.length; from += ROWS_PER_INSERT) {
          await transaction.insert(documentChunks).values(rows.slice(from, from + ROWS_PER_INSERT));
        }
        const isQueued = await queueEmbedding(transaction, uuid);
        return { ...row, embedding: isQueued ? { status: 'processing' as const, model: null, embeddedChunks: 0, failure: null } : null };
      });
    },

    async list(organizationId, request) {
      if (!isUuid(organizationId)) return { items: [], nextCursor: null };
      const limit = pageLimit(request);
      const before = decodeIdCursor(request);
      const rows = await orm
        .select(withEmbedding)
        .from(documents)
        .leftJoin(documentEmbeddings, eq(documentEmbeddings.documentUuid, documents.uuid))
        .where(and(eq(documents.organizationId, organizationId), before === null ? undefined : lt(documents.uuid, before)))
        .orderBy(desc(documents.uuid))
        .limit(limit + 1);
      return toPage(rows.map(toDocument), limit, ({ uuid }) => [uuid]);
    },

    async get(organizationId, uuid) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return null;
      const [row] = await orm
        .select(withEmbedding)
        .from(documents)
        .leftJoin(documentEmbeddings, eq(documentEmbeddings.documentUuid, documents.uuid))
        .where(isDocument(organizationId, uuid));
      return row === undefined ? null : toDocument(row);
    },

    async find(organizationId, uuids) {
      const asked = uuids.filter(isUuid);
      if (!isUuid(organizationId) || asked.length === 0) return [];
      const rows = await callerOrm
        .select(withEmbedding)
        .from(documents)
        .leftJoin(documentEmbeddings, eq(documentEmbeddings.documentUuid, documents.uuid))
        .where(and(eq(documents.organizationId, organizationId), inArray(documents.uuid, asked)))
        .orderBy(asc(documents.uuid));
      return rows.map(toDocument);
    },

    async chunks(organizationId, uuid, { position = 0, limit } = {}) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return [];
      const { position: at, heading, page, text } = documentChunks;
      const query = callerOrm
        .select({ position: at, heading, page, text })
        .from(documentChunks)
        .innerJoin(documents, eq(documents.uuid, documentChunks.documentUuid))
        .where(and(isDocument(organizationId, uuid), gte(at, position)))
        .orderBy(asc(at));
      return limit === undefined ? query : query.limit(limit);
    },

    async vectors(organizationId, uuid, { vendor, model, dimensions }, { position, limit }) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return [];
      const isOfModel = and(
        eq(documentEmbeddings.vendor, vendor),
        eq(documentEmbeddings.model, model),
        dimensions === null ? isNull(documentEmbeddings.dimensions) : eq(documentEmbeddings.dimensions, dimensions),
      );
      return callerOrm
        .select({ position: documentVectors.position, vector: documentVectors.vector })
        .from(documentVectors)
        .innerJoin(documentEmbeddings, and(eq(documentEmbeddings.documentUuid, documentVectors.documentUuid), isOfModel))
        .innerJoin(documents, eq(documents.uuid, documentVectors.documentUuid))
        .where(and(isDocument(organizationId, uuid), eq(documentEmbeddings.embeddedChunks, documents.chunkCount), gte(documentVectors.position, position)))
        .orderBy(asc(documentVectors.position))
        .limit(limit);
    },

    async delete(organizationId, uuid) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return false;
      return (await orm.delete(documents).where(isDocument(organizationId, uuid)).returning({ uuid: documents.uuid })).length > 0;
    },
  };
}
