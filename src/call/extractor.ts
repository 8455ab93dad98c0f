import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { LanguageModel, ModelToolCall, ModelUsage } from '../speech/language-model.js';
import { streamModelPass } from '../speech/model-pass.js';
import type { ExtractionRequest } from '../workflow/engine.js';
import { readExtraction, type Extraction } from '../workflow/extraction.js';

/** Requests under way at once; one beyond that is skipped. */
export const MAX_RUNNING_EXTRACTIONS = 4;
/** How long one request may take. */
export const EXTRACTION_LIMIT_MS = 15_000;
/** How long an ended call waits for what is under way: its run is not finalised before, and holds its slot. */
export const EXTRACTION_GRACE_MS = 4000;
/** Longest answer asked of the model, and read from it. */
const MAX_OUTPUT_TOKENS = 1000;
const MAX_ANSWER_CHARS = 16_000;
const MAX_ANSWER_CALLS = 8;

/** What an extractor reports. */
export interface ExtractorListener {
  onExtracted(nodeId: string, extraction: Extraction): void;
  onExtractionFailed(nodeId: string, error: AgentStreamError): void;
  onModelUsage(usage: ModelUsage): void;
  /** Something broke that is no vendor's word. Must not throw. */
  onFault(error: unknown): void;
}

/** Asks the model for variables in the background of one call. */
export interface Extractor {
  /** Starts a request. One for the same node that is under way is given up for it. */
  start(request: ExtractionRequest): void;
  /** Resolves when all are done, at the latest after `graceMs`; what is under way then is given up. Never rejects. */
  finish(graceMs: number): Promise<void>;
}

/** A request under way. */
interface Running {
  readonly order: number;
  readonly controller: AbortController;
  readonly done: Promise<void>;
}

/** Creates the extractor of one call. */
export function createExtractor(options: { readonly model: LanguageModel; readonly clock: Clock; readonly listener: ExtractorListener }): Extractor {
  const { model, clock, listener } = options;
  const running = new Map<string, Running>();
  /** The request that told a variable last: an older one that comes later does not replace it. */
  const orderOfVariable = new Map<string, number>();
  let orderCount = 0;

  const ask = async ({ messages, tools, variables }: ExtractionRequest, signal: AbortSignal): Promise<Extraction> => {
    const toolCalls: ModelToolCall[] = [];
    let text = '';
    for await (const part of streamModelPass(model, { messages, tools, signal, maxOutputTokens: MAX_OUTPUT_TOKENS })) {
      if (part.type === 'text-delta') text += part.text;
      else if (part.type === 'tool-call') toolCalls.push(part.toolCall);
      else if (part.usage !== undefined) listener.onModelUsage(part.usage);
      if (text.length > MAX_ANSWER_CHARS || toolCalls.length >= MAX_ANSWER_CALLS) break;
    }
    const extraction = readExtraction(variables, { text, toolCalls });
    if (extraction === null) throw new AgentStreamError('vendor-failed', { message: 'The model gave no variables' });
    return extraction;
  };

  const keepNewest = (order: number, { values, problems }: Extraction): Extraction => {
    const kept = Object.entries(values).filter(([name]) => (orderOfVariable.get(name) ?? 0) < order);
    for (const [name] of kept) orderOfVariable.set(name, order);
    return { values: Object.fromEntries(kept), problems };
  };

  const isNewest = ({ nodeId }: ExtractionRequest, order: number): boolean => running.get(nodeId)?.order === order;

  const run = async (request: ExtractionRequest, order: number, controller: AbortController): Promise<void> => {
    const late = () => new AgentStreamError('vendor-unreachable', { message: 'The model took too long to tell the variables' });
    const deadline = deadlineSignal(clock, EXTRACTION_LIMIT_MS, controller.signal, late);
    let result: Extraction | AgentStreamError;
    try {
      result = await ask(request, deadline.signal);
    } catch (error) {
      result = toAgentStreamError(error, 'vendor-failed');
    } finally {
      deadline.dispose();
    }
    // One that was given up for a newer one says nothing.
    if (!isNewest(request, order)) return;
    running.delete(request.nodeId);
    if (result instanceof AgentStreamError) listener.onExtractionFailed(request.nodeId, result);
    else listener.onExtracted(request.nodeId, keepNewest(order, result));
  };

  const giveUp = (message: string, { controller }: Running) => controller.abort(new AgentStreamError('run-not-live', { message }));

  return {
    start(request) {
      const { nodeId } = request;
      const former = running.get(nodeId);
      if (former !== undefined) giveUp('The node was left again', former);
      else if (running.size >= MAX_RUNNING_EXTRACTIONS) {
        listener.onExtractionFailed(nodeId, new AgentStreamError('conflict', { message: 'Too many extractions are under way' }));
        return;
      }
      orderCount += 1;
      const [order, controller] = [orderCount, new AbortController()];
      // Not at once: what starts it is in the middle of a step.
      const done = Promise.resolve()
        .then(() => run(request, order, controller))
        .catch((error: unknown) => listener.onFault(error));
      running.set(nodeId, { order, controller, done });
    },
    async finish(graceMs) {
      const all = [...running.values()];
      if (all.length === 0) return;
      const timer = clock.setTimer(graceMs, () => all.forEach((entry) => giveUp('The call has ended', entry)));
      await Promise.allSettled(all.map(({ done }) => done));
      timer.cancel();
    },
  };
}
