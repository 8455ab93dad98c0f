import type { Clock } from '../base/clock.js';
import type { AgentStreamError } from '../base/errors.js';
import type { LanguageModel } from '../speech/language-model.js';
import type { ExtractionRequest } from '../workflow/engine.js';
import type { Extraction } from '../workflow/extraction.js';
import { createExtractor, EXTRACTION_LIMIT_MS } from './extractor.js';

/** What one request for variables came to. */
export type CollectedVariables =
  | { readonly nodeId: string; readonly extraction: Extraction }
  | { readonly nodeId: string; readonly error: AgentStreamError };

/**
 * Asks the model for variables and waits for the answers: a chat has no background. As bounded as in a call: a few requests at once, each for
 * {@link EXTRACTION_LIMIT_MS} at most.
 * @throws the signal's reason on abort
 */
export async function collectVariables(
  requests: readonly ExtractionRequest[],
  { model, clock, signal }: { readonly model: LanguageModel; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<readonly CollectedVariables[]> {
  signal.throwIfAborted();
  const collected: CollectedVariables[] = [];
  const faults: unknown[] = [];
  const extractor = createExtractor({
    model,
    clock,
    listener: {
      onExtracted: (nodeId, extraction) => void collected.push({ nodeId, extraction }),
      onExtractionFailed: (nodeId, error) => void collected.push({ nodeId, error }),
      onModelUsage: () => undefined,
      onFault: (error) => void faults.push(error),
    },
  });
  for (const request of requests) extractor.start(request);
  const giveUp = () => void extractor.finish(0);
  signal.addEventListener('abort', giveUp, { once: true });
  await extractor.finish(EXTRACTION_LIMIT_MS);
  signal.removeEventListener('abort', giveUp);
  signal.throwIfAborted();
  if (faults.length > 0) throw faults[0];
  return collected;
}
