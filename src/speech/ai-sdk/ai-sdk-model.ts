import type { LanguageModelV3, SharedV3ProviderMetadata, SharedV3ProviderOptions } from '@ai-sdk/provider';
import { setBounded } from '../../base/bounded-map.js';
import type { LanguageModel } from '../language-model.js';
import type { VendorContext } from '../vendor.js';
import { streamCompletion } from './completion.js';
import type { ErrorReader } from './errors.js';
import type { PromptStyle } from './prompt.js';
import { noteRequest, warmConnection, type WarmEndpoint } from './warm-connection.js';

/** Tool calls whose metadata is kept for sending it back; more than a conversation's window shows. */
const MAX_REMEMBERED_CALLS = 200;

/** What a vendor's folder says about its model. */
export interface AiSdkVendor {
  readonly vendor: string;
  /** The AI SDK's model, which speaks the vendor's protocol. */
  readonly provider: LanguageModelV3;
  readonly temperature: number | undefined;
  /** Longest silence of the model, ms. */
  readonly stallLimitMs: number;
  readonly style: Omit<PromptStyle, 'optionsOfCall'>;
  /** Sent with every request. */
  readonly providerOptions?: SharedV3ProviderOptions;
  /** Reads what only this vendor's errors say. */
  readonly readError?: ErrorReader;
  readonly endpoint: WarmEndpoint;
}

/** A language model of ours over one of the AI SDK's. */
export function createAiSdkModel(options: AiSdkVendor, context: Pick<VendorContext, 'clock' | 'fetch'>): LanguageModel {
  const { clock } = context;
  // Some vendors want back what they gave with a call (Gemini: thought signatures). The conversation does not hold it, since it means
  // nothing to any other vendor.
  const metadataOfCalls = new Map<string, SharedV3ProviderMetadata>();
  const completion = {
    clock,
    temperature: options.temperature,
    stallLimitMs: options.stallLimitMs,
    style: { ...options.style, optionsOfCall: (toolCallId: string) => metadataOfCalls.get(toolCallId) },
    providerOptions: options.providerOptions,
    readError: options.readError,
    onCallMetadata: (toolCallId: string, metadata: SharedV3ProviderMetadata) =>
      setBounded(metadataOfCalls, toolCallId, metadata, MAX_REMEMBERED_CALLS),
  };
  return {
    vendor: options.vendor,
    model: options.provider.modelId,
    stream(request) {
      noteRequest(options.endpoint, clock);
      return streamCompletion(options.provider, completion, request);
    },
    prewarm: () => warmConnection(options.endpoint, context),
  };
}
