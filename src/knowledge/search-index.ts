import type { Chunk } from './chunk.js';
import { splitWords, termOf } from './words.js';

/** Passages a search gives by default. */
export const DEFAULT_PASSAGES = 4;
/** Most passages a search gives. */
export const MAX_PASSAGES = 20;
/** Longest query, characters; the rest is not looked at. */
export const MAX_QUERY_LENGTH = 500;
/** Terms of a query that are looked up. */
const MAX_QUERY_TERMS = 24;
/** Share of the query's terms that a passage must hold. */
const MIN_TERM_SHARE = 0.3;
/** Passages this much weaker than the best are not worth reading. */
const MIN_SCORE_SHARE = 0.25;
/** Shorter terms match whole words only. */
const MIN_PREFIX_LENGTH = 4;
const MIN_FUZZY_LENGTH = 5;
/** Letters of a term that may differ, as a share of its length. */
const FUZZINESS = 0.2;
/** Parts indexed before other work of the process gets its turn: about 2 ms. */
const SLICE_CHUNKS = 4;

/** A document as the index takes it. */
export interface IndexedDocument {
  readonly uuid: string;
  readonly name: string;
  readonly chunks: readonly Chunk[];
}

/** A part of a document that answers a query. */
export interface Passage extends Chunk {
  readonly documentUuid: string;
  readonly documentName: string;
  /** BM25+ (minisearch): comparable within one search only. */
  readonly score: number;
}

/** Finds passages by words. */
export interface SearchIndex {
  /** The best passages first; none where nothing fits. */
  search(query: string, limit?: number): readonly Passage[];
}

interface Entry {
  readonly id: number;
  readonly text: string;
  readonly heading: string;
  readonly name: string;
}

const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** Indexes documents, a little at a time: calls of the same process go on meanwhile. */
export async function buildSearchIndex(documents: readonly IndexedDocument[]): Promise<SearchIndex> {
  const { default: MiniSearch } = await import('minisearch');
  const passages = documents.flatMap(({ uuid, name, chunks }) => chunks.map((chunk) => ({ ...chunk, documentUuid: uuid, documentName: name })));
  const index = new MiniSearch<Entry>({
    fields: ['text', 'heading', 'name'],
    tokenize: splitWords,
    processTerm: termOf,
    searchOptions: {
      boost: { heading: 2, name: 0.5 },
      prefix: (term) => term.length >= MIN_PREFIX_LENGTH,
      fuzzy: (term) => (term.length >= MIN_FUZZY_LENGTH && !/\d/.test(term) ? FUZZINESS : false),
      maxFuzzy: 2,
    },
  });
  for (const [id, { text, heading, documentName }] of passages.entries()) {
    index.add({ id, text, heading: heading.join(' '), name: documentName });
    if (id % SLICE_CHUNKS === SLICE_CHUNKS - 1) await nextTurn();
  }

  return {
    search(query, limit = DEFAULT_PASSAGES) {
      const terms = [...new Set(splitWords(query.slice(0, MAX_QUERY_LENGTH)).flatMap((text) => termOf(text) ?? []))].slice(0, MAX_QUERY_TERMS);
      const results = index.search(terms.join(' '), { filter: ({ queryTerms }) => new Set(queryTerms).size >= MIN_TERM_SHARE * terms.length });
      const floor = (results[0]?.score ?? 0) * MIN_SCORE_SHARE;
      return results
        .slice(0, Math.min(limit, MAX_PASSAGES))
        .filter(({ score }) => score >= floor)
        .flatMap(({ id, score }) => {
          const passage = passages[id as number];
          return passage === undefined ? [] : [{ ...passage, score: Math.round(score * 100) / 100 }];
        });
    },
  };
}
