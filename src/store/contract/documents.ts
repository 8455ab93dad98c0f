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

/** A document that agents answer from. It never changes: another file is another document. */
export interface KnowledgeDocument extends DocumentFields {
  readonly uuid: string;
  readonly organizationId: string;
  readonly chunkCount: number;
  readonly createdAt: Date;
}

/** Documents with their parts. */
export interface DocumentStore {
  /** Throws `conflict` where the organization has as many as it may. */
  create(organizationId: string, fields: DocumentFields, chunks: readonly DocumentChunk[]): Promise<KnowledgeDocument>;
  /** Newest first. */
  list(organizationId: string, request: PageRequest): Promise<Page<KnowledgeDocument>>;
  get(organizationId: string, uuid: string): Promise<KnowledgeDocument | null>;
  /** Those that exist of the ones asked for, in the order they were made in. A caller may wait for it. */
  find(organizationId: string, uuids: readonly string[]): Promise<readonly KnowledgeDocument[]>;
  /** Parts in order, from `position` on. Empty for a document of others. */
  chunks(organizationId: string, uuid: string, range?: { readonly position?: number | undefined; readonly limit?: number | undefined }): Promise<readonly DocumentChunk[]>;
  /** Deletes the document with its parts. Agents that name it go on without it. */
  delete(organizationId: string, uuid: string): Promise<boolean>;
}
