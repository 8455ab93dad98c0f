import type { Clock } from '../base/clock.js';
import type { EmbeddingIdentity } from '../speech/embedding-model.js';
import type { DocumentStore, KnowledgeDocument } from '../store/store.js';
import type { HostedIndex } from './index-host.js';
import { MAX_COMPARED_VECTORS, SLICE_CHUNKS, SLICE_VECTORS } from './limits.js';
import type { Passage, PassageQuery } from './passage-index.js';
import { vectorOfBytes } from './vector-bytes.js';

/** How often a set is looked at whose documents have no vectors yet. */
const VECTOR_CHECK_MS = 5000;

/** Where documents come from. */
export type DocumentSource = Pick<DocumentStore, 'find' | 'chunks' | 'vectors'>;

/** What a set is built of. */
export interface IndexedSetOptions {
  readonly source: DocumentSource;
  readonly organizationId: string;
  readonly uuids: readonly string[];
  /** Whose vectors it takes; null: it is searched by words alone. */
  readonly model: EmbeddingIdentity | null;
  readonly index: HostedIndex;
  readonly clock: Clock;
  /** Its size has changed. */
  readonly onSize: () => void;
}

/** Documents that are searched together, indexed a slice at a time: what the thread of the calls does at once is small. */
export class IndexedSet {
  readonly #options: IndexedSetOptions;
  /** Documents without vectors, so far. */
  #waiting: readonly KnowledgeDocument[] = [];
  #checkedAtMs = 0;
  #checking: Promise<void> | null = null;
  #users = 0;
  #isForgotten = false;
  /** Text that is indexed, characters. */
  textLength = 0;
  vectorCount = 0;
  vectorBytes = 0;
  /** Resolves when everything there was can be found. */
  readonly ready: Promise<void>;

  constructor(options: IndexedSetOptions) {
    this.#options = options;
    this.ready = this.#build();
  }

  /** Takes vectors that have come since, where it is time to look. */
  async refresh(): Promise<void> {
    await this.ready;
    if (this.#options.model === null || this.#waiting.length === 0 || this.#options.clock.nowMs() - this.#checkedAtMs < VECTOR_CHECK_MS) return;
    this.#checking ??= this.#check().finally(() => (this.#checking = null));
    await this.#checking;
  }

  search(query: PassageQuery): Promise<readonly Passage[]> {
    return this.#options.index.search(query);
  }

  /** Keeps the index while `work` goes on, also where the set is forgotten meanwhile. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    this.#users += 1;
    try {
      return await work();
    } finally {
      this.#users -= 1;
      this.#closeUnused();
    }
  }

  /** Gives its memory back as soon as nobody uses it. */
  forget(): void {
    this.#isForgotten = true;
    this.#closeUnused();
  }

  #closeUnused(): void {
    if (this.#isForgotten && this.#users === 0) this.#options.index.close();
  }

  async #build(): Promise<void> {
    const { source, organizationId, uuids, model, onSize } = this.#options;
    const documents = await source.find(organizationId, uuids);
    this.textLength = documents.reduce((sum, { textLength }) => sum + textLength, 0);
    onSize();
    for (const document of documents) await this.#addChunks(document);
    this.#waiting = documents;
    if (model !== null) await this.#takeVectors(documents);
  }

  async #addChunks({ uuid, name, chunkCount }: KnowledgeDocument): Promise<void> {
    const { source, organizationId, index } = this.#options;
    for (let position = 0; position < chunkCount; position += SLICE_CHUNKS) {
      await index.add({ uuid, name }, await source.chunks(organizationId, uuid, { position, limit: SLICE_CHUNKS }));
    }
  }

  async #check(): Promise<void> {
    const { source, organizationId } = this.#options;
    await this.#takeVectors(await source.find(organizationId, this.#waiting.map(({ uuid }) => uuid)));
  }

  async #takeVectors(documents: readonly KnowledgeDocument[]): Promise<void> {
    this.#checkedAtMs = this.#options.clock.nowMs();
    const waiting: KnowledgeDocument[] = [];
    for (const document of documents) {
      // One that does not fit now never will.
      if (this.vectorCount + document.chunkCount > MAX_COMPARED_VECTORS) continue;
      if (this.#isComplete(document)) await this.#addVectors(document);
      else waiting.push(document);
    }
    this.#waiting = waiting;
    this.#options.onSize();
  }

  #isComplete({ embedding, chunkCount }: KnowledgeDocument): boolean {
    const { model } = this.#options;
    const made = embedding?.model ?? null;
    if (model === null || made === null || embedding?.embeddedChunks !== chunkCount) return false;
    return made.vendor === model.vendor && made.model === model.model && made.dimensions === model.dimensions;
  }

  async #addVectors({ uuid, chunkCount }: KnowledgeDocument): Promise<void> {
    const { source, organizationId, model, index } = this.#options;
    for (let position = 0; model !== null && position < chunkCount; position += SLICE_VECTORS) {
      const stored = await source.vectors(organizationId, uuid, model, { position, limit: SLICE_VECTORS });
      const vectors = stored.map(({ position: at, vector }) => ({ position: at, values: vectorOfBytes(vector) }));
      this.vectorCount += vectors.length;
      this.vectorBytes += vectors.reduce((sum, { values }) => sum + values.byteLength, 0);
      if (vectors.length > 0) await index.addVectors(uuid, vectors);
    }
  }
}
