import type { DocumentChunk, DocumentStore } from '../store/store.js';
import { buildSearchIndex, type Passage, type SearchIndex } from './search-index.js';

/** Text of the sets that are kept indexed, characters; the set that was asked longest ago is forgotten first. */
const MAX_INDEXED_LENGTH = 16_000_000;
/** Sets that are kept indexed. */
const MAX_SETS = 200;

/** Where documents come from. */
export type DocumentSource = Pick<DocumentStore, 'find' | 'chunks'>;

/** A document ready to be used in a call. */
export interface OpenDocument {
  readonly uuid: string;
  readonly name: string;
  /** All of it, where the model is shown all of it; null: it is searched. */
  readonly text: string | null;
}

/** What agents know beside their prompts. */
export interface KnowledgeBase {
  /** The documents that exist of those asked for. */
  open(organizationId: string, uuids: readonly string[]): Promise<readonly OpenDocument[]>;
  /** Begins to index the documents, so that the first search need not wait for it. */
  prepare(organizationId: string, uuids: readonly string[]): void;
  /** The best passages of the documents, whatever their modes. Documents that were deleted are found until their set is forgotten. */
  search(organizationId: string, uuids: readonly string[], query: { readonly text: string; readonly limit?: number | undefined }): Promise<readonly Passage[]>;
}

/** Documents that are searched together. */
interface IndexedSet {
  readonly index: Promise<SearchIndex>;
  /** 0 until it is known. */
  textLength: number;
}

/** A document's parts as one text: each heading once, above its parts. */
function wholeText(chunks: readonly DocumentChunk[]): string {
  const titles = chunks.map(({ heading }) => heading.join(' › '));
  return chunks.map(({ text }, at) => (titles[at] === '' || titles[at] === titles[at - 1] ? text : `${titles[at] ?? ''}\n${text}`)).join('\n\n');
}

/** Creates the knowledge base of this node. A set of documents is indexed once: documents never change. */
export function createKnowledgeBase(source: DocumentSource): KnowledgeBase {
  const sets = new Map<string, IndexedSet>();

  async function buildIndex(organizationId: string, uuids: readonly string[], onLength: (textLength: number) => void): Promise<SearchIndex> {
    const documents = await source.find(organizationId, uuids);
    onLength(documents.reduce((sum, { textLength }) => sum + textLength, 0));
    const parts = [];
    for (const { uuid, name } of documents) parts.push({ uuid, name, chunks: await source.chunks(organizationId, uuid) });
    return buildSearchIndex(parts);
  }

  function forgetOldest(): void {
    let total = [...sets.values()].reduce((sum, { textLength }) => sum + textLength, 0);
    for (const [key, { textLength }] of sets) {
      if (sets.size <= 1 || (total <= MAX_INDEXED_LENGTH && sets.size <= MAX_SETS)) return;
      sets.delete(key);
      total -= textLength;
    }
  }

  function indexOf(organizationId: string, uuids: readonly string[]): Promise<SearchIndex> {
    const key = [organizationId, ...uuids.toSorted()].join(' ');
    const known = sets.get(key);
    if (known !== undefined) {
      sets.delete(key);
      sets.set(key, known);
      return known.index;
    }
    const index = buildIndex(organizationId, uuids, (textLength) => {
      set.textLength = textLength;
      forgetOldest();
    });
    const set: IndexedSet = { index, textLength: 0 };
    sets.set(key, set);
    // A failure is told to whoever waits; the next search tries again.
    index.catch(() => sets.get(key) === set && sets.delete(key));
    return index;
  }

  return {
    async open(organizationId, uuids) {
      const documents = await source.find(organizationId, uuids);
      const textOf = async (uuid: string) => wholeText(await source.chunks(organizationId, uuid));
      return Promise.all(documents.map(async ({ uuid, name, mode }) => ({ uuid, name, text: mode === 'full' ? await textOf(uuid) : null })));
    },
    prepare: (organizationId, uuids) => void indexOf(organizationId, uuids),
    async search(organizationId, uuids, { text, limit }) {
      return (await indexOf(organizationId, uuids)).search(text, limit);
    },
  };
}
