import type { RankedPart } from './search-index.js';

/** Finds parts of documents by their vectors, which have length 1: the cosine of two is their product. */
export interface VectorIndex {
  readonly size: number;
  add(id: number, vector: Float32Array): void;
  /** The closest parts first, at most `limit`, none below `minSimilarity`. Vectors of another length than the query's are passed over. */
  rank(query: Float32Array, minSimilarity: number, limit: number): readonly RankedPart[];
}

function similarityOf(left: Float32Array, right: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < left.length; at += 1) sum += (left[at] as number) * (right[at] as number);
  return sum;
}

/** Creates an empty index, which compares a query with every vector. */
export function createVectorIndex(): VectorIndex {
  const vectors = new Map<number, Float32Array>();
  return {
    get size() {
      return vectors.size;
    },
    add: (id, vector) => void vectors.set(id, vector),
    rank(query, minSimilarity, limit) {
      const close: RankedPart[] = [];
      for (const [id, vector] of vectors) {
        if (vector.length !== query.length) continue;
        const score = similarityOf(query, vector);
        if (score >= minSimilarity) close.push({ id, score });
      }
      return close.sort((left, right) => right.score - left.score).slice(0, limit);
    },
  };
}
