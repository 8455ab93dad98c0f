import type { Page, PageRequest } from './paging.js';

/** A part of a document's text. */
export interface DocumentChunk {
  /** Counted from 0. */
  readonly position: number;
  /** Headings above it, the outermost first. */
  readonly heading: readonly string[];
  /** Counted from 1; null where the format has no pages. */
  readonly page: number | null;
  readonly text: string;
}

/** What users set of a document, and what its file gave. */
export interface DocumentFields {
  readonly name: string;
  readonly mimeType: string;
  /** Of the uploaded file, which is not kept. */
  readonly sizeBytes: number;
  /** `full`: the model is shown all of it. `retrieval`: it is searched. */
  readonly mode: 'retrieval' | 'full';
  /** Characters. */
  readonly textLength: number;
}

/** Which model makes vectors; see `EmbeddingIdentity` (speech/embedding-model.ts). */
export interface VectorModel {
  readonly vendor: string;
  readonly model: string;
  /** As asked for; null: the model's own. */
  readonly dimensions: number | null;
}

/** How far a document's parts have vectors, which is not there where its organization has no embedding model or the document is not searched. */
export interface DocumentEmbedding {
  /** `processing`: also while it waits to be tried again, or to be looked over. What has vectors for all parts is searched by them meanwhile. */
  readonly status: 'processing' | 'ready' | 'failed';
  /** Null until the first attempt. */
  readonly model: VectorModel | null;
  readonly embeddedChunks: number;
  /** What the last attempt failed with; null: it did not. */
  readonly failure: { readonly code: string; readonly message: string } | null;
}

/** The vector of a part: float32, little-endian. */
export interface StoredVector {
  readonly position: number;
  readonly vector: Buffer;
}

/** A document that agents answer from. It never changes: another file is another document. */
export interface KnowledgeDocument extends DocumentFields {
  readonly uuid: string;
  readonly organizationId: string;
  readonly chunkCount: number;
  readonly embedding: DocumentEmbedding | null;
  readonly createdAt: Date;
}

/** Documents with their parts. */
export interface DocumentStore {
  /** Throws `conflict` where the organization has as many as it may. With an embedding model of the organization's, what is searched waits to be embedded. */
  create(organizationId: string, fields: DocumentFields, chunks: readonly DocumentChunk[]): Promise<KnowledgeDocument>;
  /** Newest first. */
  list(organizationId: string, request: PageRequest): Promise<Page<KnowledgeDocument>>;
  get(organizationId: string, uuid: string): Promise<KnowledgeDocument | null>;
  /** Those that exist of the ones asked for, in the order they were made in. A caller may wait for it. */
  find(organizationId: string, uuids: readonly string[]): Promise<readonly KnowledgeDocument[]>;
  /** Parts in order, from `position` on. Empty for a document of others. */
  chunks(organizationId: string, uuid: string, range?: { readonly position?: number | undefined; readonly limit?: number | undefined }): Promise<readonly DocumentChunk[]>;
  /** Vectors in order, from `position` on, at most `limit`, of a document all of whose parts have theirs by this model; else none. A caller may wait for it. */
  vectors(organizationId: string, uuid: string, model: VectorModel, range: { readonly position: number; readonly limit: number }): Promise<readonly StoredVector[]>;
  /** Deletes the document with its parts. Agents that name it go on without it. */
  delete(organizationId: string, uuid: string): Promise<boolean>;
}

/** An attempt at a document's vectors. */
export interface ClaimedEmbedding {
  readonly documentUuid: string;
  /** Documents of one lane are worked on one after the other. */
  readonly lane: string;
  readonly organizationId: string;
  readonly documentName: string;
  /** Made by this model, all of them. */
  readonly model: VectorModel | null;
  /** Parts of the beginning that have vectors. */
  readonly embeddedChunks: number;
  readonly chunkCount: number;
  /** Attempts in a row that came no further, with this one. */
  readonly tries: number;
  /** What the attempt proves itself with. */
  readonly claim: string;
}

/** Work on documents' vectors. What is pending has a job `embed-document` on the queue. What an attempt writes is dropped (false) once it has lost its claim. */
export interface EmbeddingStore {
  /** Has all searched documents of an organization embedded that has an embedding model, and forgets the vectors of one that has none. */
  queueAll(organizationId: string): Promise<void>;
  /** `done`: nothing to do. `busy`: another attempt is under way. */
  claim(documentUuid: string, claimMs: number): Promise<ClaimedEmbedding | 'done' | 'busy'>;
  /** Another document of the lane that is due, so that it need not wait for its job; null: there is none. */
  claimNext(lane: string, claimMs: number): Promise<ClaimedEmbedding | null>;
  /** Forgets the vectors there are, which another model made. */
  restart(documentUuid: string, claim: string, model: VectorModel): Promise<boolean>;
  /** Adds the vectors of the parts that follow. */
  append(documentUuid: string, claim: string, vectors: readonly StoredVector[]): Promise<boolean>;
  /** Frees the document for another attempt after `delayMs`. `failure` null: it came further, and is to go on. */
  postpone(documentUuid: string, claim: string, delayMs: number, failure: DocumentEmbedding['failure']): Promise<boolean>;
  /** `failure` null: it is ready. */
  settle(documentUuid: string, claim: string, failure: DocumentEmbedding['failure']): Promise<boolean>;
  /** The organization has no embedding model any more. */
  drop(documentUuid: string): Promise<void>;
}
