import { createAnthropic } from '@ai-sdk/anthropic';
import { APICallError } from '@ai-sdk/provider';
import { AgentStreamError } from '../../base/errors.js';
import { parseJsonRecord } from '../../base/json.js';
import { createAiSdkModel } from '../ai-sdk/ai-sdk-model.js';
import { endpointUrl } from '../ai-sdk/endpoint-url.js';
import { streamedError } from '../ai-sdk/errors.js';
import type { LanguageModel } from '../language-model.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { anthropicSettingsSchema, type AnthropicSettings } from './settings.js';

/** Version of the API (platform.claude.com/docs/en/api/versioning). */
const API_VERSION = '2023-06-01';

/**
 * The AI SDK throws what comes first in a stream, where it is no message, as if the server had answered 500. What it was is in the body:
 * an error object of the API, such as `{ "type": "overloaded_error" }`, or the AI SDK's own error about an event that is none.
 */
function readFirstEventError(error: unknown): AgentStreamError | undefined {
  if (!APICallError.isInstance(error) || error.statusCode !== 500) return undefined;
  const { type, name } = parseJsonRecord(error.responseBody ?? '') ?? {};
  if (typeof type === 'string' && type !== 'error') return streamedError({ type });
  return typeof name === 'string' ? new AgentStreamError('vendor-protocol') : undefined;
}

function createAnthropicModel(settings: AnthropicSettings, context: VendorContext): LanguageModel {
  const baseUrl = endpointUrl(context.baseUrl, '/v1');
  // Never undefined: the AI SDK would look for a key in the environment by itself.
  const apiKey = context.apiKey ?? '';
  const provider = createAnthropic({ baseURL: baseUrl, apiKey, fetch: context.fetch });
  const { effort } = settings;
  return createAiSdkModel(
    {
      vendor: 'anthropic',
      provider: provider.languageModel(settings.model),
      temperature: settings.temperature,
      stallLimitMs: settings.first_part_timeout_ms,
      style: {
        argumentsAs: 'object',
        ...(settings.prompt_cache ? { systemOptions: { anthropic: { cacheControl: { type: 'ephemeral' } } } } : {}),
      },
      // Nobody waits on the phone while a model thinks. For models that always think, the AI SDK asks for the least they have.
      // Arguments need not come in pieces, since a call waits for the end of the reply; whole, the API has checked that they are JSON.
      providerOptions: { anthropic: { thinking: { type: 'disabled' }, toolStreaming: false, ...(effort === undefined ? {} : { effort }) } },
      readError: readFirstEventError,
      endpoint: { baseUrl, headers: { 'x-api-key': apiKey, 'anthropic-version': API_VERSION } },
    },
    context,
  );
}

const languageModel: VendorLeg<LanguageModel, AnthropicSettings> = {
  settingsSchema: anthropicSettingsSchema,
  create: createAnthropicModel,
};

/** Anthropic's Messages API (platform.claude.com/docs/en/api/messages). */
export const anthropic: VendorModule = {
  name: 'anthropic',
  displayName: 'Anthropic',
  isSimulated: false,
  apiKeyEnv: 'ANTHROPIC_API_KEY',
  baseUrl: { env: 'ANTHROPIC_BASE_URL', default: 'https://api.anthropic.com' },
  llm: languageModel,
};
