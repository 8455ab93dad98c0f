import type { Chunk } from './chunk.js';
import { fuseRanks } from './fuse-ranks.js';
import { DEFAULT_PASSAGES, MAX_PASSAGES } from './limits.js';
import { createSearchIndex } from './search-index.js';
import { createVectorIndex } from './vector-index.js';

/** Places of each list that are looked at, where lists by words and by vectors are made into one. */
const FUSED_PLACES = 50;

/** A part of a document that answers a query. */
export interface Passage extends Chunk {
  readonly documentUuid: string;
  readonly documentName: string;
  /** BM25+, or the sum of reciprocal ranks: comparable within one search only. */
  readonly score: number;
}

/** The vector of a query. */
export interface QueryVector {
  readonly values: Float32Array;
  /** Cosine below which a part has nothing to do with it. */
  readonly minSimilarity: number;
}

/** What is looked for. */
export interface PassageQuery {
  readonly text: string;
  /** Null: by words alone. */
  readonly vector: QueryVector | null;
  /** Default {@link DEFAULT_PASSAGES}. */
  readonly limit?: number | undefined;
}

/** The vector of a part. */
export interface PartVector {
  readonly position: number;
  readonly values: Float32Array;
}

/** Documents that are searched together, by words and, as far as they have vectors, by meaning. */
export interface PassageIndex {
  add(document: { readonly uuid: string; readonly name: string }, chunks: readonly Chunk[]): void;
  /** Vectors of parts that were added; others are passed over. */
  addVectors(documentUuid: string, vectors: readonly PartVector[]): void;
  /** The best passages first; none where nothing fits. */
  search(query: PassageQuery): readonly Passage[];
}

/** Creates an empty index. */
export function createPassageIndex(): PassageIndex {
  const words = createSearchIndex();
  const vectors = createVectorIndex();
  const parts: Omit<Passage, 'score'>[] = [];
  const ids = new Map<string, number>();
  const keyOf = (uuid: string, position: number) => `${uuid} ${position}`;

  return {
    add({ uuid, name }, chunks) {
      for (const chunk of chunks) {
        const id = parts.length;
        parts.push({ ...chunk, documentUuid: uuid, documentName: name });
        ids.set(keyOf(uuid, chunk.position), id);
        words.add(id, chunk, name);
      }
    },
    addVectors(uuid, added) {
      for (const { position, values } of added) {
        const id = ids.get(keyOf(uuid, position));
        if (id !== undefined) vectors.add(id, values);
      }
    },
    search({ text, vector, limit = DEFAULT_PASSAGES }) {
      const isFused = vector !== null && vectors.size > 0;
      const byWords = words.rank(text, isFused ? FUSED_PLACES : MAX_PASSAGES);
      const ranked = isFused ? fuseRanks([byWords, vectors.rank(vector.values, vector.minSimilarity, FUSED_PLACES)]) : byWords;
      const digits = isFused ? 10_000 : 100;
      return ranked.slice(0, Math.min(limit, MAX_PASSAGES)).flatMap(({ id, score }) => {
        const part = parts[id];
        return part === undefined ? [] : [{ ...part, score: Math.round(score * digits) / digits }];
      });
    },
  };
}
