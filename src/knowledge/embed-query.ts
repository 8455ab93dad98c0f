import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { EmbeddingModel } from '../speech/embedding-model.js';
import { MAX_QUERY_LENGTH, QUERY_EMBEDDING_TIMEOUT_MS } from './limits.js';
import type { QueryVector } from './passage-index.js';

/** Why a search went by words alone although its documents have vectors. */
export interface EmbeddingFailure {
  /** Null: the model could not even be chosen. */
  readonly vendor: string | null;
  readonly model: string | null;
  readonly code: string;
  readonly message: string;
}

/** What a failed question to an embedding model looks like in the run. Holds nothing of the query. */
export function embeddingFailureOf({ vendor, model }: Pick<EmbeddingFailure, 'vendor' | 'model'>, error: unknown): EmbeddingFailure {
  const { code, message } = toAgentStreamError(error, 'vendor-failed');
  return { vendor, model, code, message };
}

/**
 * The vector of a query, or why there is none, within {@link QUERY_EMBEDDING_TIMEOUT_MS}.
 * @throws the signal's reason where it aborts
 */
export async function embedQuery(model: EmbeddingModel, text: string, { clock, signal: parent }: { readonly clock: Clock; readonly signal: AbortSignal | undefined }): Promise<QueryVector | EmbeddingFailure> {
  const late = () => new AgentStreamError('vendor-unreachable', { message: `The vendor did not answer within ${QUERY_EMBEDDING_TIMEOUT_MS} ms.` });
  const deadline = deadlineSignal(clock, QUERY_EMBEDDING_TIMEOUT_MS, parent, late);
  try {
    const [values] = await model.embed([text.slice(0, MAX_QUERY_LENGTH)], 'query', deadline.signal);
    if (values === undefined) throw new AgentStreamError('vendor-protocol');
    return { values, minSimilarity: model.minSimilarity };
  } catch (error) {
    parent?.throwIfAborted();
    return embeddingFailureOf(model, error);
  } finally {
    deadline.dispose();
  }
}
