import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { MAX_EMBEDDED_TEXTS, type EmbeddingModel } from '../speech/embedding-model.js';
import type { ClaimedEmbedding, DocumentChunk, DocumentStore, EmbeddingStore, VectorModel } from '../store/store.js';
import { vectorToBytes } from './vector-bytes.js';

/** How long one attempt works before it lets others have their turn: a job that takes a minute counts as lost (store/job-queue.ts). */
export const ATTEMPT_LIMIT_MS = 30_000;
/** One that is still waiting for its vendor is cut off then. */
const ATTEMPT_CUT_MS = 45_000;
/** An attempt that has recorded nothing by then died with its node. */
const CLAIM_MS = 55_000;
/** Waits after the first, second, … attempt that came no further. */
export const retryDelaysMs: readonly number[] = [10_000, 60_000, 300_000, 900_000];

/** What embedding documents takes. */
export interface EmbedDocumentOptions {
  readonly store: { readonly documents: Pick<DocumentStore, 'chunks'>; readonly embeddings: EmbeddingStore };
  /** The organization's embedding model; null: it has none. Rejects where it cannot be had. */
  readonly embeddingsOf: (organizationId: string) => Promise<EmbeddingModel | null>;
  readonly clock: Clock;
  readonly log: Log;
}

const isSameModel = (left: VectorModel | null, right: VectorModel): boolean =>
  left?.vendor === right.vendor && left.model === right.model && left.dimensions === right.dimensions;

/** A part as the model is shown it: where it stands is part of what it means. */
const textOf = (documentName: string, { heading, text }: DocumentChunk): string => `${[documentName, ...heading].join(' › ')}\n${text}`;

/**
 * Gives a document's parts their vectors, from where the attempt before stopped. Records what became of it; rejects where that could not be
 * done. What a vendor may do better later is tried again, with growing waits; {@link retryDelaysMs} are all there are.
 */
export function createDocumentEmbedder(options: EmbedDocumentOptions): (documentUuid: string, signal: AbortSignal) => Promise<void> {
  const { store, clock, log } = options;
  const { embeddings } = store;

  /** `lost`: so is the claim, to another attempt or with the document. `unfinished`: the time is up. */
  async function embedParts(
    uuid: string,
    claimed: ClaimedEmbedding,
    model: EmbeddingModel,
    { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: () => void },
  ): Promise<'done' | 'lost' | 'unfinished'> {
    const isGood = isSameModel(claimed.model, model);
    if (!isGood && !(await embeddings.restart(uuid, claimed.claim, model))) return 'lost';
    const untilMs = clock.nowMs() + ATTEMPT_LIMIT_MS;
    for (let position = isGood ? claimed.embeddedChunks : 0; position < claimed.chunkCount; position += MAX_EMBEDDED_TEXTS) {
      if (clock.nowMs() >= untilMs) return 'unfinished';
      const chunks = await store.documents.chunks(claimed.organizationId, uuid, { position, limit: MAX_EMBEDDED_TEXTS });
      if (chunks.length === 0) return 'lost';
      const vectors = await model.embed(chunks.map((chunk) => textOf(claimed.documentName, chunk)), 'document', signal);
      const added = chunks.map((chunk, at) => ({ position: chunk.position, vector: vectorToBytes(vectors[at] ?? new Float32Array(0)) }));
      if (!(await embeddings.append(uuid, claimed.claim, added))) return 'lost';
      onProgress();
    }
    return 'done';
  }

  async function noteFailure(uuid: string, { claim, tries }: Pick<ClaimedEmbedding, 'claim' | 'tries'>, error: AgentStreamError): Promise<void> {
    const failure = { code: error.code, message: error.message };
    const waitMs = retryDelaysMs[tries - 1];
    const askedMs = error.details?.['retryAfterMs'];
    log.warn('A document could not be embedded', { code: error.code, tries });
    if (!error.retryable || waitMs === undefined) await embeddings.settle(uuid, claim, failure);
    else await embeddings.postpone(uuid, claim, Math.max(waitMs, typeof askedMs === 'number' ? askedMs : 0), failure);
  }

  async function attempt(uuid: string, claimed: ClaimedEmbedding, stopping: AbortSignal): Promise<void> {
    const late = () => new AgentStreamError('vendor-unreachable', { message: 'The vendor took too long.' });
    let { tries } = claimed;
    const deadline = deadlineSignal(clock, ATTEMPT_CUT_MS, stopping, late);
    try {
      const model = await options.embeddingsOf(claimed.organizationId);
      if (model === null) return await embeddings.drop(uuid);
      const outcome = await embedParts(uuid, claimed, model, { signal: deadline.signal, onProgress: () => (tries = 1) });
      if (outcome === 'done') await embeddings.settle(uuid, claimed.claim, null);
      else if (outcome === 'unfinished') await embeddings.postpone(uuid, claimed.claim, 0, null);
    } catch (error) {
      // A node that stops calls its attempts off: that is no failure of a vendor.
      if (stopping.aborted) await embeddings.postpone(uuid, claimed.claim, 0, null);
      stopping.throwIfAborted();
      await noteFailure(uuid, { claim: claimed.claim, tries }, toAgentStreamError(error, 'vendor-failed'));
    } finally {
      deadline.dispose();
    }
  }

  return async (documentUuid, signal) => {
    const claimed = await embeddings.claim(documentUuid, CLAIM_MS);
    if (claimed === 'done') return;
    // The queue tries again; by then the other attempt has recorded its result, or its claim has run out.
    if (claimed === 'busy') throw new AgentStreamError('not-ready', { message: 'Another attempt at the document is under way.' });
    await attempt(documentUuid, claimed, signal);
  };
}
