import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { APICallError } from '@ai-sdk/provider';
import { createAiSdkModel } from '../ai-sdk/ai-sdk-model.js';
import { endpointUrl } from '../ai-sdk/endpoint-url.js';
import type { LanguageModel } from '../language-model.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { googleEmbeddings } from './embeddings.js';
import { readErrorDetails } from './error-details.js';
import { geminiLive } from './live/live.js';
import { googleSettingsSchema, thinkingConfigOf, type GoogleSettings } from './settings.js';

const readDetails = (error: unknown) => (APICallError.isInstance(error) ? readErrorDetails(error.statusCode, error.responseBody ?? '') : undefined);

/** A function's name must not begin with a digit (ai.google.dev/api/caching#FunctionDeclaration); a label such as “2nd floor” makes one that does. */
const nameOfTool = (name: string): string => (/^\d/.test(name) ? `_${name}` : name);

function createGoogleModel(settings: GoogleSettings, context: VendorContext): LanguageModel {
  const baseUrl = endpointUrl(context.baseUrl, '/v1beta');
  // Never undefined: the AI SDK would look for a key in the environment by itself.
  const apiKey = context.apiKey ?? '';
  const provider = createGoogleGenerativeAI({ baseURL: baseUrl, apiKey, fetch: context.fetch });
  const thinkingConfig = thinkingConfigOf(settings);
  return createAiSdkModel(
    {
      vendor: 'google',
      provider: provider.languageModel(settings.model),
      temperature: settings.temperature,
      stallLimitMs: settings.first_part_timeout_ms,
      style: { argumentsAs: 'object', nameOfTool },
      ...(thinkingConfig === undefined ? {} : { providerOptions: { google: { thinkingConfig } } }),
      readError: readDetails,
      endpoint: { baseUrl, headers: { 'x-goog-api-key': apiKey } },
    },
    context,
  );
}

const languageModel: VendorLeg<LanguageModel, GoogleSettings> = {
  settingsSchema: googleSettingsSchema,
  create: createGoogleModel,
};

/** Google's Gemini API (ai.google.dev/api/generate-content) and Live API. */
export const google: VendorModule = {
  name: 'google',
  displayName: 'Google Gemini',
  isSimulated: false,
  apiKeyEnv: 'GOOGLE_GENERATIVE_AI_API_KEY',
  baseUrl: { env: 'GOOGLE_GEMINI_BASE_URL', default: 'https://generativelanguage.googleapis.com' },
  llm: languageModel,
  realtime: geminiLive,
  embeddings: googleEmbeddings,
};
