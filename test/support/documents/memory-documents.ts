import type { DocumentSource } from '../../../src/knowledge/knowledge.js';
import { vectorToBytes } from '../../../src/knowledge/vector-bytes.js';
import type { KnowledgeDocument, StoredVector, VectorModel } from '../../../src/store/store.js';

/** Documents without a database, that notes what is read. */
export interface MemoryDocuments extends DocumentSource {
  /** UUIDs of the documents whose parts were read. */
  readonly reads: string[];
  /** Gives a document's parts these vectors, as of this model. */
  embed(uuid: string, model: VectorModel, vectors: readonly (readonly number[])[]): void;
  /** How many parts and vectors were asked for at once. */
  readonly slices: { readonly chunks: number[]; readonly vectors: number[] };
  /** The next question for documents fails. */
  failNext(error: Error): void;
}

type Part = string | { readonly heading?: readonly string[]; readonly page?: number; readonly text: string };

/** Documents by UUID, each a list of parts; their names are the UUID with `.md`. `full`: those that are shown whole. */
export function memoryDocuments(documents: Readonly<Record<string, readonly Part[]>>, { full = [] as readonly string[] } = {}): MemoryDocuments {
  const reads: string[] = [];
  const slices = { chunks: [] as number[], vectors: [] as number[] };
  const embedded = new Map<string, { readonly model: VectorModel; readonly vectors: readonly StoredVector[] }>();
  const embeddingOf = (uuid: string): KnowledgeDocument['embedding'] => {
    const { model, vectors } = embedded.get(uuid) ?? {};
    return model === undefined || vectors === undefined ? null : { status: 'ready', model, embeddedChunks: vectors.length, failure: null };
  };
  let failure: Error | null = null;
  const chunksOf = (uuid: string) =>
    (documents[uuid] ?? []).map((part, position) => ({ position, heading: [], page: null, ...(typeof part === 'string' ? { text: part } : part) }));
  const documentOf = (uuid: string): KnowledgeDocument => {
    const textLength = chunksOf(uuid).reduce((sum, { text }) => sum + text.length, 0);
    const mode = full.includes(uuid) ? 'full' : 'retrieval';
    return { uuid, organizationId: 'org', name: `${uuid}.md`, mimeType: 'text/markdown', sizeBytes: textLength, mode, textLength, chunkCount: chunksOf(uuid).length, embedding: embeddingOf(uuid), createdAt: new Date(0) };
  };
  return {
    reads,
    slices,
    embed(uuid, { vendor, model, dimensions }, vectors) {
      const stored = vectors.map((vector, position) => ({ position, vector: vectorToBytes(Float32Array.from(vector)) }));
      embedded.set(uuid, { model: { vendor, model, dimensions }, vectors: stored });
    },
    failNext(error) {
      failure = error;
    },
    async find(_, uuids) {
      const error = failure;
      failure = null;
      if (error !== null) throw error;
      return uuids.filter((uuid) => Object.hasOwn(documents, uuid)).map(documentOf);
    },
    async chunks(_, uuid, { position = 0, limit = Infinity } = {}) {
      reads.push(uuid);
      slices.chunks.push(limit);
      return chunksOf(uuid).slice(position, position + limit);
    },
    async vectors(_, uuid, model, { position, limit }) {
      slices.vectors.push(limit);
      const known = embedded.get(uuid);
      const isSame = known !== undefined && JSON.stringify(known.model) === JSON.stringify(model);
      return isSame ? known.vectors.slice(position, position + limit) : [];
    },
  };
}
