/** Texts of one request: answers are read on the thread of the calls, and eight vectors of 1536 numbers take it 2 to 3 ms. */
export const MAX_EMBEDDED_TEXTS = 8;

/** What a text is: some models embed questions otherwise than what answers them. */
export type EmbeddedUse = 'document' | 'query';

/** Which model made a vector: only vectors of the same one can be compared. */
export interface EmbeddingIdentity {
  readonly vendor: string;
  readonly model: string;
  /** Numbers of a vector as they were asked for; null: the model's own. */
  readonly dimensions: number | null;
}

/** A model that turns texts into vectors that lie close together where the texts mean something similar. */
export interface EmbeddingModel extends EmbeddingIdentity {
  /** Cosine, 0 to 1, below which a text has nothing to do with a query. */
  readonly minSimilarity: number;
  /**
   * Vectors of length 1, one per text, in their order. At most {@link MAX_EMBEDDED_TEXTS} texts, none of them empty.
   * @throws AgentStreamError `vendor-*`; the signal's reason on abort
   */
  embed(texts: readonly string[], use: EmbeddedUse, signal: AbortSignal): Promise<readonly Float32Array[]>;
}
