import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AgentStreamError } from '../../base/errors.js';
import { asRecord, isRecord } from '../../base/json.js';
import { fileFormats, formatOf } from '../../knowledge/format.js';
import { DEFAULT_PASSAGES, MAX_FILE_BYTES, MAX_PASSAGES, MAX_QUERY_LENGTH, MAX_TEXT_LENGTH } from '../../knowledge/limits.js';
import type { Passage } from '../../knowledge/passage-index.js';
import type { DocumentChunk, DocumentEmbedding, KnowledgeDocument } from '../../store/store.js';
import { principalOf } from '../auth.js';
import { ProblemsError } from '../problems.js';
import { found, listJson, nameSchema, noContent, pageJson, pageQuery, pageSchema, timeSchema } from '../schemas.js';
import type { AppServices, Problem } from '../services.js';

const tags = ['Documents'];

const failureSchema = z.object({ code: z.string(), message: z.string() });

const embeddingSchema = z
  .object({
    status: z.enum(['processing', 'ready', 'failed']),
    vendor: z.string().nullable().describe('Null until the first attempt'),
    model: z.string().nullable(),
    embedded_chunks: z.number().int().describe('Parts that have vectors'),
    failure: failureSchema.nullable().describe('What the last attempt failed with; while `processing` it is tried again'),
  })
  .meta({ id: 'DocumentEmbedding' });

const documentSchema = z
  .object({
    uuid: z.string(),
    name: z.string(),
    mime_type: z.string(),
    size_bytes: z.number().int().describe('Of the uploaded file, which is not kept'),
    mode: z.enum(['retrieval', 'full']),
    text_length: z.number().int().describe('Characters'),
    chunk_count: z.number().int(),
    embedding: embeddingSchema.nullable().describe('Null: it is searched by words alone, or not searched'),
    created_at: timeSchema,
  })
  .meta({ id: 'Document' });

const chunkShape = {
  position: z.number().int(),
  heading: z.array(z.string()).describe('Headings above it, the outermost first'),
  page: z.number().int().nullable(),
  text: z.string(),
};
const documentDetailSchema = documentSchema.extend({ chunks: z.array(z.object(chunkShape)) }).meta({ id: 'DocumentDetail' });
const passageSchema = z
  .object({
    document_uuid: z.string(),
    document_name: z.string(),
    ...chunkShape,
    score: z.number().describe('Comparable within one search only'),
  })
  .meta({ id: 'Passage' });

const searchAnswerSchema = z
  .object({
    ...pageSchema(passageSchema).shape,
    ranking: z.enum(['lexical', 'fused']).describe('`fused`: by words and embeddings'),
    failure: failureSchema.extend({ vendor: z.string().nullable(), model: z.string().nullable() }).nullable().describe('Why it is not `fused` although there is an embedding model'),
  })
  .meta({ id: 'DocumentSearch' });

/** Documents that one search may ask. */
const MAX_SEARCHED_DOCUMENTS = 100;

const documentParams = z.strictObject({ uuid: z.guid() });
const uploadQuery = z.strictObject({
  name: nameSchema.describe('File name; its ending tells the format, else Content-Type does'),
  mode: z.enum(['retrieval', 'full']).default('retrieval').describe('`full`: the model is shown all of it'),
});
/** The file as it is: no form. */
const fileBody = z.any().meta({ type: 'string', format: 'binary' });
const detailQuery = z.strictObject({
  position: z.coerce.number().int().min(0).default(0).describe('First part shown'),
  limit: z.coerce.number().int().min(0).max(100).default(5).describe('Parts shown'),
});
const searchBody = z.strictObject({
  query: z.string().trim().min(1).max(MAX_QUERY_LENGTH),
  document_uuids: z.array(z.guid()).min(1).max(MAX_SEARCHED_DOCUMENTS).optional().describe('Left out: the newest, as many as may be searched at once'),
  limit: z.int().min(1).max(MAX_PASSAGES).default(DEFAULT_PASSAGES),
});

const mediaTypes = Object.values(fileFormats).map(({ mimeType }) => mimeType);

const embeddingJson = ({ status, model, embeddedChunks, failure }: DocumentEmbedding): z.output<typeof embeddingSchema> => ({
  status,
  vendor: model?.vendor ?? null,
  model: model?.model ?? null,
  embedded_chunks: embeddedChunks,
  failure,
});

function documentJson(document: KnowledgeDocument): z.output<typeof documentSchema> {
  return {
    uuid: document.uuid,
    name: document.name,
    mime_type: document.mimeType,
    size_bytes: document.sizeBytes,
    mode: document.mode,
    text_length: document.textLength,
    chunk_count: document.chunkCount,
    embedding: document.embedding === null ? null : embeddingJson(document.embedding),
    created_at: document.createdAt.toISOString(),
  };
}

const chunkJson = ({ position, heading, page, text }: DocumentChunk) => ({ position, heading: [...heading], page, text });

const passageJson = (passage: Passage): z.output<typeof passageSchema> => ({
  document_uuid: passage.documentUuid,
  document_name: passage.documentName,
  ...chunkJson(passage),
  score: passage.score,
});

/** As many as a node may search. */
function newestThatFit(newest: readonly KnowledgeDocument[]): readonly string[] {
  let textLength = 0;
  return newest.filter((document) => (textLength += document.textLength) <= MAX_TEXT_LENGTH).map(({ uuid }) => uuid);
}

function problemsOfSearch(asked: readonly string[], found: readonly KnowledgeDocument[]): readonly Problem[] {
  const known = new Set(found.map(({ uuid }) => uuid));
  const missing = asked.flatMap((uuid, index) => (known.has(uuid.toLowerCase()) ? [] : [{ path: `document_uuids.${index}`, message: 'there is no such document' }]));
  const textLength = found.reduce((sum, document) => sum + document.textLength, 0);
  if (textLength <= MAX_TEXT_LENGTH) return missing;
  return [...missing, { path: 'document_uuids', message: `hold ${textLength} characters; ${MAX_TEXT_LENGTH} are searched at once`, cure: 'Name fewer.' }];
}

/** A signal that fires when the client goes away before its answer. */
function clientSignal(socket: NodeJS.EventEmitter): AbortSignal {
  const controller = new AbortController();
  socket.once('close', () => controller.abort(new AgentStreamError('invalid-request', { message: 'The client went away.' })));
  return controller.signal;
}

/** Uploading: the body is the file. In a scope of its own, whose bodies are bytes. */
function uploadRoute({ store, fileReader }: AppServices): FastifyPluginAsyncZod {
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_FILE_BYTES }, (_request, body, done) => done(null, body));
    const summary = 'Upload a file: PDF, DOCX, Markdown, text or JSON. Its text is kept, in parts';
    const schema = { tags, summary, consumes: mediaTypes, querystring: uploadQuery, body: fileBody, response: { 201: documentSchema } };
    app.post('/documents', { schema, bodyLimit: MAX_FILE_BYTES }, async (request, reply) => {
      const { name, mode } = request.query;
      const file: unknown = request.body;
      if (!Buffer.isBuffer(file) || file.length === 0) throw new ProblemsError('invalid-request', [{ path: 'body', message: 'is empty', cure: 'Send the file as the body.' }]);
      const format = formatOf(name, request.headers['content-type'] ?? '');
      if (format === null) throw new AgentStreamError('unsupported-media-type', { message: 'Documents are .pdf, .docx, .md, .txt or .json; give the name its ending.' });
      const { chunks, textLength } = await fileReader.read({ bytes: file, format, mode }, clientSignal(reply.raw));
      const fields = { name, mode, textLength, mimeType: fileFormats[format].mimeType, sizeBytes: file.length };
      const document = await store.documents.create(principalOf(request).organizationId, fields, chunks);
      return reply.code(201).header('location', `/api/v1/documents/${document.uuid}`).send(documentJson(document));
    });
  };
}

/** What agents answer from: documents of the organization. */
export function documentRoutes(services: AppServices): FastifyPluginAsyncZod {
  const { store, knowledge } = services;

  return async (app) => {
    await app.register(uploadRoute(services));

    const listing = { querystring: pageQuery, response: { 200: pageSchema(documentSchema) } };
    app.get('/documents', { schema: { tags, summary: 'List documents, newest first', ...listing } }, async (request) =>
      pageJson(await store.documents.list(principalOf(request).organizationId, request.query), documentJson),
    );

    const reading = { params: documentParams, querystring: detailQuery, response: { 200: documentDetailSchema } };
    app.get('/documents/:uuid', { schema: { tags, summary: 'Read a document with some of its parts', ...reading } }, async (request) => {
      const { organizationId } = principalOf(request);
      const document = found(await store.documents.get(organizationId, request.params.uuid));
      const chunks = await store.documents.chunks(organizationId, document.uuid, request.query);
      return { ...documentJson(document), chunks: chunks.map(chunkJson) };
    });

    const deleting = { params: documentParams, response: { 204: noContent } };
    app.delete('/documents/:uuid', { schema: { tags, summary: 'Delete a document; agents that name it go on without it', ...deleting } }, async (request, reply) => {
      found((await store.documents.delete(principalOf(request).organizationId, request.params.uuid)) || null);
      return reply.code(204).send();
    });

    const embedding = { response: { 202: z.object({}) } };
    const embedSummary = 'Embed again what has no vectors, or those of another model; a change of the model does so by itself';
    app.post('/documents/embed', { schema: { tags, summary: embedSummary, ...embedding } }, async (request, reply) => {
      const { organizationId } = principalOf(request);
      const { defaultModels } = found(await store.accounts.getOrganization(organizationId));
      if (!isRecord(asRecord(defaultModels)['embeddings'])) {
        throw new ProblemsError('invalid-request', [{ path: 'default_models.embeddings', message: 'the organization has no embedding model', cure: 'Set it with PUT /organization/limits.' }]);
      }
      await store.embeddings.queueAll(organizationId);
      return reply.code(202).send({});
    });

    const searching = { body: searchBody, response: { 200: searchAnswerSchema } };
    app.post('/documents/search', { schema: { tags, summary: 'Search documents as an agent would', ...searching } }, async (request) => {
      const { organizationId } = principalOf(request);
      const { query, limit, document_uuids: asked } = request.body;
      const uuids = asked === undefined ? newestThatFit((await store.documents.list(organizationId, { limit: MAX_SEARCHED_DOCUMENTS })).items) : asked;
      const problems = asked === undefined ? [] : problemsOfSearch(asked, await store.documents.find(organizationId, asked));
      if (problems.length > 0) throw new ProblemsError('invalid-request', problems);
      const { passages, ranking, failure } = await knowledge.search(organizationId, uuids, { text: query, limit });
      return { ...listJson(passages, passageJson), ranking, failure };
    });
  };
}
