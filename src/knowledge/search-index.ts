import MiniSearch from 'minisearch';
import type { Chunk } from './chunk.js';
import { MAX_QUERY_LENGTH } from './limits.js';
import { splitWords, termOf } from './words.js';

/** Terms of a query that are looked up. */
const MAX_QUERY_TERMS = 24;
/** Share of the query's terms that a part must hold. */
const MIN_TERM_SHARE = 0.3;
/** Parts this much weaker than the best are not worth reading. */
const MIN_SCORE_SHARE = 0.25;
/** Shorter terms match whole words only. */
const MIN_PREFIX_LENGTH = 4;
const MIN_FUZZY_LENGTH = 5;
/** Letters of a term that may differ, as a share of its length. */
const FUZZINESS = 0.2;

/** A part that was found, by the number it was added with. */
export interface RankedPart {
  readonly id: number;
  /** Comparable within one search only. */
  readonly score: number;
}

/** Finds parts of documents by their words (BM25+). */
export interface SearchIndex {
  /** `id` is not used yet. */
  add(id: number, chunk: Pick<Chunk, 'text' | 'heading'>, documentName: string): void;
  /** The best parts first, at most `limit`; none where nothing fits. */
  rank(query: string, limit: number): readonly RankedPart[];
}

interface Entry {
  readonly id: number;
  readonly text: string;
  readonly heading: string;
  readonly name: string;
}

/** Creates an empty index. */
export function createSearchIndex(): SearchIndex {
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
  return {
    add: (id, { text, heading }, name) => index.add({ id, text, heading: heading.join(' '), name }),
    rank(query, limit) {
      const terms = [...new Set(splitWords(query.slice(0, MAX_QUERY_LENGTH)).flatMap((text) => termOf(text) ?? []))].slice(0, MAX_QUERY_TERMS);
      const results = index.search(terms.join(' '), { filter: ({ queryTerms }) => new Set(queryTerms).size >= MIN_TERM_SHARE * terms.length });
      const floor = (results[0]?.score ?? 0) * MIN_SCORE_SHARE;
      return results.slice(0, limit).flatMap(({ id, score }) => (score >= floor ? [{ id: id as number, score }] : []));
    },
  };
}
