import type { Clock } from '../base/clock.js';
import type { EmbeddingModel } from '../speech/embedding-model.js';
import type { DocumentChunk } from '../store/store.js';
import { embeddingFailureOf, embedQuery, type EmbeddingFailure } from './embed-query.js';
import type { IndexHost } from './index-host.js';
import { IndexedSet, type DocumentSource } from './indexed-set.js';
import type { Passage } from './passage-index.js';

export type { DocumentSource } from './indexed-set.js';

/** Text of the sets that are kept indexed, characters; the set that was asked longest ago is forgotten first. */
const MAX_INDEXED_LENGTH = 16_000_000;
/** Vectors of the sets that are kept. */
const MAX_VECTOR_BYTES = 512 * 1024 * 1024;
/** Sets that are kept indexed. */
const MAX_SETS = 200;

/** A document ready to be used in a call. */
export interface OpenDocument {
  readonly uuid: string;
  readonly name: string;
  /** All of it, where the model is shown all of it; null: it is searched. */
  readonly text: string | null;
}

/** What a search found. */
export interface SearchResult {
  readonly passages: readonly Passage[];
  /** `fused`: by words and vectors; `lexical`: by words alone. */
  readonly ranking: 'lexical' | 'fused';
  /** Why it is not `fused` although the organization has an embedding model; null: nothing failed. */
  readonly failure: EmbeddingFailure | null;
}

/** What is looked for. */
export interface KnowledgeQuery {
  readonly text: string;
  readonly limit?: number | undefined;
  /** Gives the search up. Default: nothing does. */
  readonly signal?: AbortSignal | undefined;
}

/** What agents know beside their prompts. */
export interface KnowledgeBase {
  /** The documents that exist of those asked for. */
  open(organizationId: string, uuids: readonly string[]): Promise<readonly OpenDocument[]>;
  /** Begins to index the documents, so that the first search need not wait for it. */
  prepare(organizationId: string, uuids: readonly string[]): void;
  /** The best passages of the documents, whatever their modes. Documents that were deleted are found until their set is forgotten. */
  search(organizationId: string, uuids: readonly string[], query: KnowledgeQuery): Promise<SearchResult>;
}

/** What a knowledge base works with. */
export interface KnowledgePorts {
  readonly source: DocumentSource;
  readonly host: IndexHost;
  readonly clock: Clock;
  /** The organization's embedding model. Default: none has one. */
  readonly embeddingsOf?: (organizationId: string) => Promise<EmbeddingModel | null>;
}

/** A document's parts as one text: each heading once, above its parts. */
function wholeText(chunks: readonly DocumentChunk[]): string {
  const titles = chunks.map(({ heading }) => heading.join(' › '));
  return chunks.map(({ text }, at) => (titles[at] === '' || titles[at] === titles[at - 1] ? text : `${titles[at] ?? ''}\n${text}`)).join('\n\n');
}

/** Creates the knowledge base of this node. A set of documents is indexed once per embedding model: documents never change. */
export function createKnowledgeBase({ source, host, clock, embeddingsOf = () => Promise.resolve(null) }: KnowledgePorts): KnowledgeBase {
  const sets = new Map<string, IndexedSet>();

  function drop(key: string, set: IndexedSet): void {
    if (sets.get(key) === set) sets.delete(key);
    set.forget();
  }

  function forgetOldest(): void {
    const all = [...sets.values()];
    let length = all.reduce((sum, { textLength }) => sum + textLength, 0);
    let bytes = all.reduce((sum, { vectorBytes }) => sum + vectorBytes, 0);
    for (const [key, set] of sets) {
      if (sets.size <= 1 || (length <= MAX_INDEXED_LENGTH && bytes <= MAX_VECTOR_BYTES && sets.size <= MAX_SETS)) return;
      drop(key, set);
      length -= set.textLength;
      bytes -= set.vectorBytes;
    }
  }

  function setOf(organizationId: string, uuids: readonly string[], model: EmbeddingModel | null): { key: string; set: IndexedSet } {
    const identity = model === null ? null : { vendor: model.vendor, model: model.model, dimensions: model.dimensions };
    const key = JSON.stringify([organizationId, identity, uuids.toSorted()]);
    const known = sets.get(key);
    const set = known ?? new IndexedSet({ source, organizationId, uuids, model: identity, index: host.open(), clock, onSize: forgetOldest });
    sets.delete(key);
    sets.set(key, set);
    // A failure is told to whoever waits; the next search tries again.
    if (known === undefined) set.ready.catch(() => drop(key, set));
    return { key, set };
  }

  async function modelOf(organizationId: string): Promise<{ model: EmbeddingModel | null; failure: EmbeddingFailure | null }> {
    try {
      return { model: await embeddingsOf(organizationId), failure: null };
    } catch (error) {
      return { model: null, failure: embeddingFailureOf({ vendor: null, model: null }, error) };
    }
  }

  /** By words and vectors as far as there are vectors, and the query gets its own. */
  async function searchSet(set: IndexedSet, model: EmbeddingModel | null, { text, limit, signal }: KnowledgeQuery): Promise<SearchResult> {
    await set.refresh();
    const embedded = model === null || set.vectorCount === 0 ? null : await embedQuery(model, text, { clock, signal });
    const failure = embedded !== null && 'code' in embedded ? embedded : null;
    const vector = embedded !== null && 'values' in embedded ? embedded : null;
    const passages = await set.search({ text, vector, limit });
    return { passages, ranking: vector === null ? 'lexical' : 'fused', failure };
  }

  async function search(organizationId: string, uuids: readonly string[], query: KnowledgeQuery): Promise<SearchResult> {
    const { model, failure } = await modelOf(organizationId);
    const { key, set } = setOf(organizationId, uuids, model);
    try {
      const result = await set.use(() => searchSet(set, model, query));
      return failure === null ? result : { ...result, failure };
    } catch (error) {
      // The index may be lost: the next search makes another.
      if (query.signal?.aborted !== true) drop(key, set);
      throw error;
    }
  }

  return {
    async open(organizationId, uuids) {
      const documents = await source.find(organizationId, uuids);
      const textOf = async (uuid: string) => wholeText(await source.chunks(organizationId, uuid));
      return Promise.all(documents.map(async ({ uuid, name, mode }) => ({ uuid, name, text: mode === 'full' ? await textOf(uuid) : null })));
    },
    prepare(organizationId, uuids) {
      // What fails here fails again, and is told, in the search.
      void modelOf(organizationId).then(({ model }) => setOf(organizationId, uuids, model).set.refresh()).catch(() => undefined);
    },
    search,
  };
}
