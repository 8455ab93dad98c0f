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
 * Gives a document's parts their vectors, from where the attempt before stopped, and then those of other documents that are due. Records what
 * became of them; rejects where that could not be done. What a vendor may do better later is tried again, with growing waits;
 * {@link retryDelaysMs} are all there are.
 */
export function createDocumentEmbedder(options: EmbedDocumentOptions): (documentUuid: string, signal: AbortSignal) => Promise<void> {
  const { store, clock, log } = options;
  const { embeddings } = store;

  /** `lost`: so is the claim, to another attempt or with the document. `unfinished`: the time is up. */
  async function embedParts(
    claimed: ClaimedEmbedding,
    model: EmbeddingModel,
    { signal, untilMs, onProgress }: { readonly signal: AbortSignal; readonly untilMs: number; readonly onProgress: () => void },
  ): Promise<'done' | 'lost' | 'unfinished'> {
    const { documentUuid: uuid, claim, organizationId, documentName, chunkCount } = claimed;
    const isGood = isSameModel(claimed.model, model);
    if (!isGood && !(await embeddings.restart(uuid, claim, model))) return 'lost';
    for (let position = isGood ? claimed.embeddedChunks : 0; position < chunkCount; position += MAX_EMBEDDED_TEXTS) {
      if (clock.nowMs() >= untilMs) return 'unfinished';
      const chunks = await store.documents.chunks(organizationId, uuid, { position, limit: MAX_EMBEDDED_TEXTS });
      if (chunks.length === 0) return 'lost';
      const vectors = await model.embed(chunks.map((chunk) => textOf(documentName, chunk)), 'document', signal);
      const added = chunks.map((chunk, at) => ({ position: chunk.position, vector: vectorToBytes(vectors[at] ?? new Float32Array(0)) }));
      if (!(await embeddings.append(uuid, claim, added))) return 'lost';
      onProgress();
    }
    return 'done';
  }

  async function noteFailure({ documentUuid: uuid, claim }: ClaimedEmbedding, tries: number, error: AgentStreamError): Promise<void> {
    const failure = { code: error.code, message: error.message };
    const waitMs = retryDelaysMs[tries - 1];
    const askedMs = error.details?.['retryAfterMs'];
    log.warn('A document could not be embedded', { code: error.code, tries });
    if (!error.retryable || waitMs === undefined) await embeddings.settle(uuid, claim, failure);
    else await embeddings.postpone(uuid, claim, Math.max(waitMs, typeof askedMs === 'number' ? askedMs : 0), failure);
  }

  /** Whether there is time for another document. */
  async function attempt(claimed: ClaimedEmbedding, untilMs: number, signal: AbortSignal, stopping: AbortSignal): Promise<boolean> {
    const { documentUuid: uuid, claim } = claimed;
    let { tries } = claimed;
    try {
      const model = await options.embeddingsOf(claimed.organizationId);
      if (model === null) await embeddings.drop(uuid);
      const outcome = model === null ? 'done' : await embedParts(claimed, model, { signal, untilMs, onProgress: () => (tries = 1) });
      if (outcome === 'done') await embeddings.settle(uuid, claim, null);
      else if (outcome === 'unfinished') await embeddings.postpone(uuid, claim, 0, null);
      return outcome === 'done' && clock.nowMs() < untilMs;
    } catch (error) {
      // A node that stops calls its attempts off: that is no failure of a vendor.
      if (stopping.aborted) await embeddings.postpone(uuid, claim, 0, null);
      stopping.throwIfAborted();
      await noteFailure(claimed, tries, toAgentStreamError(error, 'vendor-failed'));
      return false;
    }
  }

  return async (documentUuid, stopping) => {
    const first = await embeddings.claim(documentUuid, CLAIM_MS);
    if (first === 'done') return;
    // The queue tries again; by then the other attempt has recorded its result, or its claim has run out.
    if (first === 'busy') throw new AgentStreamError('not-ready', { message: 'Another attempt at the document is under way.' });
    const late = () => new AgentStreamError('vendor-unreachable', { message: 'The vendor took too long.' });
    const untilMs = clock.nowMs() + ATTEMPT_LIMIT_MS;
    const deadline = deadlineSignal(clock, ATTEMPT_CUT_MS, stopping, late);
    try {
      // The queue gives the next job of a lane only when it looks again, which is seconds later.
      for (let claimed: ClaimedEmbedding | null = first; claimed !== null; ) {
        claimed = (await attempt(claimed, untilMs, deadline.signal, stopping)) ? await embeddings.claimNext(claimed.lane, CLAIM_MS) : null;
      }
    } finally {
      deadline.dispose();
    }
  };
}
