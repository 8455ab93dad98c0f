import type { DocumentChunk, DocumentStore, EmbeddingStore, StoredVector, VectorModel } from '../../../src/store/store.js';

/** Where the work on the document stands. */
interface EmbeddingState {
  status: 'pending' | 'ready' | 'failed' | 'gone';
  model: VectorModel | null;
  tries: number;
  /** Of the last postponement; null: it was none. */
  delayMs: number | null;
  failure: { readonly code: string; readonly message: string } | null;
}

/** The work on one document, `handbook.md`, without a database: as the contract suite (store-embeddings.test.ts) has it. */
export interface MemoryEmbeddings {
  readonly documents: Pick<DocumentStore, 'chunks'>;
  readonly embeddings: EmbeddingStore;
  readonly state: EmbeddingState;
  readonly vectors: readonly StoredVector[];
  /** Has it looked over. */
  queue(): void;
  /** Another attempt claims it. */
  takeAway(): void;
}

/** Creates the work on a document of these parts. */
export function memoryEmbeddings(chunks: readonly DocumentChunk[]): MemoryEmbeddings {
  const state: EmbeddingState = { status: 'pending', model: null, tries: 0, delayMs: null, failure: null };
  const vectors: StoredVector[] = [];
  let claim: string | null = null;
  let claims = 0;
  const ifHeld = (held: string, change: () => void): Promise<boolean> => {
    const isHeld = held === claim && state.status === 'pending';
    if (isHeld) change();
    return Promise.resolve(isHeld);
  };
  const embeddings: EmbeddingStore = {
    queueAll: () => Promise.reject(new Error('Nobody asks for it')),
    async claim() {
      if (state.status !== 'pending') return 'done';
      if (claim !== null) return 'busy';
      claim = `claim-${(claims += 1)}`;
      state.tries += 1;
      return { documentUuid: 'handbook', lane: 'embedding:0', organizationId: 'org', documentName: 'handbook.md', model: state.model, embeddedChunks: vectors.length, chunkCount: chunks.length, tries: state.tries, claim };
    },
    claimNext: () => Promise.resolve(null),
    restart: (_, held, { vendor, model, dimensions }) =>
      ifHeld(held, () => {
        state.model = { vendor, model, dimensions };
        vectors.length = 0;
      }),
    append: (_, held, added) =>
      ifHeld(held, () => {
        vectors.push(...added);
        state.tries = 1;
      }),
    postpone: (_, held, delayMs, failure) =>
      ifHeld(held, () => {
        Object.assign(state, { delayMs, failure, tries: failure === null ? 0 : state.tries });
        claim = null;
      }),
    settle: (_, held, failure) =>
      ifHeld(held, () => {
        Object.assign(state, { delayMs: null, failure, status: failure === null ? 'ready' : 'failed' });
        claim = null;
      }),
    async drop() {
      state.status = 'gone';
    },
  };
  return {
    documents: { chunks: async (_organizationId, _uuid, { position = 0, limit = Infinity } = {}) => chunks.slice(position, position + limit) },
    embeddings,
    state,
    vectors,
    queue() {
      state.status = 'pending';
      state.tries = 0;
    },
    takeAway() {
      claim = 'another';
    },
  };
}
