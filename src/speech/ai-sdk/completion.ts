import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3StreamPart,
  SharedV3ProviderMetadata,
  SharedV3ProviderOptions,
} from '@ai-sdk/provider';
import type { Clock } from '../../base/clock.js';
import type { AgentStreamError } from '../../base/errors.js';
import { retry, type RetryPolicy } from '../../base/retry.js';
import type { LanguageModelPart, LanguageModelRequest, ModelToolCall, ModelUsage } from '../language-model.js';
import { cutReply, isMalformedChunk, toVendorError, type ErrorReader } from './errors.js';
import { toProviderPrompt, toProviderTool, vendorNameOf, type PromptStyle } from './prompt.js';
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
  const { cacheRead } = part.usage.inputTokens;
  const cached = cacheRead === undefined || cacheRead === 0 ? {} : { cachedInputTokens: cacheRead };
  const usage: ModelUsage | undefined = isCounted ? { inputTokens, outputTokens, ...cached } : undefined;
  const isNamed = unified === 'stop' || unified === 'length' || unified === 'tool-calls';
  return { type: 'finish', reason: isNamed ? unified : 'other', usage };
}

/** How completions of one model are asked for. */
export interface CompletionOptions {
  readonly clock: Clock;
  readonly temperature: number | undefined;
  /** Longest silence of the model, ms. */
  readonly stallLimitMs: number;
  readonly style: PromptStyle;
  readonly providerOptions: SharedV3ProviderOptions | undefined;
  readonly readError: ErrorReader | undefined;
  /** Told of what the vendor gives with a tool call and wants back with it. */
  readonly onCallMetadata: (toolCallId: string, metadata: SharedV3ProviderMetadata) => void;
}

/** What the AI SDK's model is asked. */
function toCallOptions(options: CompletionOptions, request: LanguageModelRequest, signal: AbortSignal): LanguageModelV3CallOptions {
  const { temperature, providerOptions, style } = options;
  const tools = request.tools.map((tool) => toProviderTool(tool, style));
  return {
    prompt: toProviderPrompt(request.messages, style),
    maxOutputTokens: request.maxOutputTokens,
    abortSignal: signal,
    ...(temperature === undefined ? {} : { temperature }),
    ...(providerOptions === undefined ? {} : { providerOptions }),
    ...(tools.length === 0 ? {} : { tools }),
  };
}

/** The parts of one reply, from those of the AI SDK. */
interface PartReader {
  /** The parts of the contract that a part stands for. @throws what the part reports as wrong */
  read(part: LanguageModelV3StreamPart): readonly LanguageModelPart[];
}

function createPartReader(options: CompletionOptions, request: LanguageModelRequest): PartReader {
  const maxCharacters = request.maxOutputTokens * MAX_CHARACTERS_PER_TOKEN;
  const ownNames = new Map(request.tools.map(({ name }) => [vendorNameOf(name, options.style), name]));
  // Held back until the model says that it has finished: a reply that is cut may have cut the arguments of a call.
  const toolCalls: ModelToolCall[] = [];
  let characters = 0;
  let malformed = 0;
  return {
    read(part) {
      if ('delta' in part) characters += part.delta.length;
      if (characters > maxCharacters) return [{ type: 'finish', reason: 'length', usage: undefined }];
      switch (part.type) {
        case 'text-delta':
          return part.delta === '' ? [] : [{ type: 'text-delta', text: part.delta }];
        case 'tool-call':
          if (part.providerMetadata !== undefined) options.onCallMetadata(part.toolCallId, part.providerMetadata);
          toolCalls.push({ id: part.toolCallId, name: ownNames.get(part.toolName) ?? part.toolName, argumentsJson: part.input });
          return [];
        case 'finish':
          // Without the vendor's own word for it the stream has only ended.
          if (part.finishReason.raw === undefined) throw cutReply();
          return [...toolCalls.map((toolCall) => ({ type: 'tool-call' as const, toolCall })), toFinish(part)];
        case 'error':
          malformed += isMalformedChunk(part.error) ? 1 : MAX_MALFORMED_CHUNKS + 1;
          if (malformed > MAX_MALFORMED_CHUNKS) throw toVendorError(part.error, options.readError);
          return [];
        default:
          return [];
      }
    },
  };
}

/** Streams one reply of `model`; see {@link LanguageModel.stream} for what it yields and throws. */
export async function* streamCompletion(
  model: LanguageModelV3,
  options: CompletionOptions,
  request: LanguageModelRequest,
): AsyncGenerator<LanguageModelPart, void, undefined> {
  request.signal.throwIfAborted();
  const { clock, readError } = options;
  const guard = createStallGuard(clock, options.stallLimitMs, request.signal);
  const call = toCallOptions(options, request, guard.signal);
  const start = async () => {
    try {
      return await model.doStream(call);
    } catch (error) {
      throw toVendorError(error, readError);
    }
  };
  // A request that was answered whole is left alone: aborting it would cost the kept-alive connection.
  let isAnswered = false;
  try {
    const isFinal = ({ code }: AgentStreamError) => request.hasSpare === true && code === 'vendor-rate-limited';
    const { stream } = await retry(start, { ...RETRY, isFinal, clock, signal: guard.signal });
    const reader = stream.getReader();
    const parts = createPartReader(options, request);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw cutReply();
      guard.touch();
      for (const part of parts.read(value)) {
        isAnswered = part.type === 'finish' && value.type === 'finish';
        yield part;
        if (part.type === 'finish') return;
      }
    }
  } catch (error) {
    throw guard.signal.aborted ? guard.signal.reason : toVendorError(error, readError);
  } finally {
    guard.dispose();
    if (!isAnswered) guard.abort();
  }
}
