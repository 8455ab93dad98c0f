import type { DocumentSource } from '../../../src/knowledge/knowledge.js';
import type { KnowledgeDocument } from '../../../src/store/store.js';

/** Documents without a database, that notes what is read. */
export interface MemoryDocuments extends DocumentSource {
  /** UUIDs of the documents whose parts were read. */
  readonly reads: string[];
  /** The next question for documents fails. */
  failNext(error: Error): void;
}

type Part = string | { readonly heading?: readonly string[]; readonly page?: number; readonly text: string };

/** Documents by UUID, each a list of parts; their names are the UUID with `.md`. `full`: those that are shown whole. */
export function memoryDocuments(documents: Readonly<Record<string, readonly Part[]>>, { full = [] as readonly string[] } = {}): MemoryDocuments {
  const reads: string[] = [];
  let failure: Error | null = null;
  const chunksOf = (uuid: string) =>
    (documents[uuid] ?? []).map((part, position) => ({ position, heading: [], page: null, ...(typeof part === 'string' ? { text: part } : part) }));
  const documentOf = (uuid: string): KnowledgeDocument => {
    const textLength = chunksOf(uuid).reduce((sum, { text }) => sum + text.length, 0);
    const mode = full.includes(uuid) ? 'full' : 'retrieval';
    return { uuid, organizationId: 'org', name: `${uuid}.md`, mimeType: 'text/markdown', sizeBytes: textLength, mode, textLength, chunkCount: chunksOf(uuid).length, embedding: null, createdAt: new Date(0) };
  };
  return {
    reads,
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
      return chunksOf(uuid).slice(position, position + limit);
    },
    vectors: async () => [],
  };
}
