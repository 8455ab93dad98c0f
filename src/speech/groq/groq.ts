import { createGroq } from '@ai-sdk/groq';
import { APICallError } from '@ai-sdk/provider';
import { AgentStreamError } from '../../base/errors.js';
import { asRecord, parseJsonRecord } from '../../base/json.js';
import { createAiSdkModel } from '../ai-sdk/ai-sdk-model.js';
import { endpointUrl } from '../ai-sdk/endpoint-url.js';
import type { LanguageModel } from '../language-model.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { groqSettingsSchema, reasoningOf, type GroqSettings } from './settings.js';

/** The flex tier has no room: a status of Groq's own (console.groq.com/docs/flex-processing). */
const CAPACITY_EXCEEDED = 498;

/**
 * Groq checks the calls a model writes. One that is none is a 400 or an error in the stream (`tool_use_failed`), though the model is at
 * fault and not the request: the next try may go well.
 */
function readGroqError(error: unknown): AgentStreamError | undefined {
  const isAnswer = APICallError.isInstance(error);
  if (isAnswer && error.statusCode === CAPACITY_EXCEEDED) return new AgentStreamError('vendor-unreachable', { details: { httpStatus: CAPACITY_EXCEEDED } });
  const { code, message } = asRecord(isAnswer ? parseJsonRecord(error.responseBody ?? '')?.['error'] : error);
  // Of an error in the stream the AI SDK leaves no code.
  const isToolFailure = code === 'tool_use_failed' || (typeof message === 'string' && message.startsWith('Failed to call a function'));
  return isToolFailure ? new AgentStreamError('vendor-protocol', { message: 'The model called a function in a way that the vendor refused.' }) : undefined;
}

function createGroqModel(settings: GroqSettings, context: VendorContext): LanguageModel {
  const baseUrl = endpointUrl(context.baseUrl, '/openai/v1');
  // Never undefined: the AI SDK would look for a key in the environment by itself.
  const apiKey = context.apiKey ?? '';
  const provider = createGroq({ baseURL: baseUrl, apiKey, fetch: context.fetch });
  const { service_tier: serviceTier } = settings;
  return createAiSdkModel(
    {
      vendor: 'groq',
      provider: provider.languageModel(settings.model),
      temperature: settings.temperature,
      stallLimitMs: settings.first_part_timeout_ms,
      // As objects: the AI SDK's Groq model writes the JSON itself.
      style: { argumentsAs: 'object' },
      providerOptions: { groq: { ...reasoningOf(settings), ...(serviceTier === undefined ? {} : { serviceTier }) } },
      readError: readGroqError,
      endpoint: { baseUrl, headers: { Authorization: `Bearer ${apiKey}` } },
    },
    context,
  );
}

const languageModel: VendorLeg<LanguageModel, GroqSettings> = {
  settingsSchema: groqSettingsSchema,
  create: createGroqModel,
};

/** Groq's chat completions (console.groq.com/docs/api-reference). */
export const groq: VendorModule = {
  name: 'groq',
  displayName: 'Groq',
  isSimulated: false,
  apiKeyEnv: 'GROQ_API_KEY',
  baseUrl: { env: 'GROQ_BASE_URL', default: 'https://api.groq.com' },
  llm: languageModel,
};
