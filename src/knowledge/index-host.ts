import type { Chunk } from './chunk.js';
import { createPassageIndex, type PartVector, type Passage, type PassageQuery } from './passage-index.js';

/** A {@link PassageIndex} that is kept elsewhere. Each method rejects once the index is lost or closed. */
export interface HostedIndex {
  /** Resolves when the parts can be found. */
  add(document: { readonly uuid: string; readonly name: string }, chunks: readonly Chunk[]): Promise<void>;
  /** Takes the vectors' memory over. */
  addVectors(documentUuid: string, vectors: readonly PartVector[]): Promise<void>;
  search(query: PassageQuery): Promise<readonly Passage[]>;
  /** Forgets it. Idempotent. */
  close(): void;
}

/** Where indexes are kept. */
export interface IndexHost {
  /** An empty one. */
  open(): HostedIndex;
  /** Ends it with all its indexes. */
  close(): Promise<void>;
}

/** Keeps indexes on the thread that asks: for tests, and for programs that hold no calls. */
export function createLocalIndexHost(): IndexHost {
  return {
    open() {
      const index = createPassageIndex();
      return {
        add: async (document, chunks) => index.add(document, chunks),
        addVectors: async (documentUuid, vectors) => index.addVectors(documentUuid, vectors),
        search: async (query) => index.search(query),
        close: () => undefined,
      };
    },
    close: () => Promise.resolve(),
  };
}
