import type { LanguageModelV3, LanguageModelV3StreamPart } from '@ai-sdk/provider';
import type { Clock } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import { retry, type RetryPolicy } from '../../base/retry.js';
import type { LanguageModelPart, LanguageModelRequest, ModelUsage } from '../language-model.js';
import { isMalformedChunk, toVendorError } from './errors.js';
import { toProviderMessage, toProviderTool } from './prompt.js';
import { createStallGuard } from './stall-guard.js';

/** A token is seldom longer; a model that goes on past this ignores `maxOutputTokens`. */
const MAX_CHARACTERS_PER_TOKEN = 10;
/** Events that are not chunks, which are skipped, before the reply is given up. */
const MAX_MALFORMED_CHUNKS = 5;
/** One more try, for a kept-alive connection that the server has just closed. */
const RETRY: RetryPolicy = { attempts: 2, baseDelayMs: 50, maxDelayMs: 300 };

type Finish = Extract<LanguageModelPart, { type: 'finish' }>;
type ProviderFinish = Extract<LanguageModelV3StreamPart, { type: 'finish' }>;

function toFinish(part: ProviderFinish): Finish {
  const { unified } = part.finishReason;
  const inputTokens = part.usage.inputTokens.total;
  const outputTokens = part.usage.outputTokens.total;
  const isCounted = inputTokens !== undefined && outputTokens !== undefined;
  const usage: ModelUsage | undefined = isCounted ? { inputTokens, outputTokens } : undefined;
  const isNamed = unified === 'stop' || unified === 'length' || unified === 'tool-calls';
  return { type: 'finish', reason: isNamed ? unified : 'other', usage };
}

/** Part of the contract that a part of the AI SDK stands for; null for parts that say nothing new. */
function toModelPart(part: LanguageModelV3StreamPart): LanguageModelPart | null {
  switch (part.type) {
    case 'text-delta':
      return { type: 'text-delta', text: part.delta };
    case 'tool-call':
      return { type: 'tool-call', toolCall: { id: part.toolCallId, name: part.toolName, argumentsJson: part.input } };
    case 'finish':
      return toFinish(part);
    case 'error':
      if (isMalformedChunk(part.error)) return null;
      throw toVendorError(part.error);
    default:
      return null;
  }
}

/** Streams one reply of `model`; see {@link LanguageModel.stream} for what it yields and throws. */
export async function* streamCompletion(
  model: LanguageModelV3,
  options: { readonly clock: Clock; readonly temperature: number | undefined; readonly stallLimitMs: number },
  request: LanguageModelRequest,
): AsyncGenerator<LanguageModelPart, void, undefined> {
  request.signal.throwIfAborted();
  const { clock } = options;
  const guard = createStallGuard(clock, options.stallLimitMs, request.signal);
  const tools = request.tools.map(toProviderTool);
  const call = {
    prompt: request.messages.map(toProviderMessage),
    maxOutputTokens: request.maxOutputTokens,
    abortSignal: guard.signal,
    ...(options.temperature === undefined ? {} : { temperature: options.temperature }),
    ...(tools.length === 0 ? {} : { tools }),
  };
  const start = async () => {
    try {
      return await model.doStream(call);
    } catch (error) {
      throw toVendorError(error);
    }
  };
  // A request that was answered whole is left alone: aborting it would cost the kept-alive connection.
  let isAnswered = false;
  try {
    const { stream } = await retry(start, { ...RETRY, clock, signal: guard.signal });
    const reader = stream.getReader();
    let characters = 0;
    let malformed = 0;
    for (;;) {
      const { done, value } = await reader.read();
      // The AI SDK always ends with a finish part, or with an error part that was thrown before.
      if (done) throw new AgentStreamError('vendor-protocol');
      guard.touch();
      if (value.type === 'error' && (malformed += 1) > MAX_MALFORMED_CHUNKS) throw toVendorError(value.error);
      if ('delta' in value) characters += value.delta.length;
      if (characters > request.maxOutputTokens * MAX_CHARACTERS_PER_TOKEN) {
        yield { type: 'finish', reason: 'length', usage: undefined };
        return;
      }
      const part = toModelPart(value);
      isAnswered = part?.type === 'finish';
      if (part !== null) yield part;
      if (isAnswered) return;
    }
  } catch (error) {
    throw guard.signal.aborted ? guard.signal.reason : toVendorError(error);
  } finally {
    guard.dispose();
    if (!isAnswered) guard.abort();
  }
}
