import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { APICallError } from '@ai-sdk/provider';
import { AgentStreamError } from '../../base/errors.js';
import { vendorStatusError } from '../../base/http-status.js';
import { asRecord, isRecord, parseJsonRecord, type JsonRecord } from '../../base/json.js';
import { createAiSdkModel } from '../ai-sdk/ai-sdk-model.js';
import { endpointUrl } from '../ai-sdk/endpoint-url.js';
import type { LanguageModel } from '../language-model.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { googleSettingsSchema, thinkingConfigOf, type GoogleSettings } from './settings.js';

/** The details of an error (google.rpc.Status: cloud.google.com/apis/design/errors), empty where there are none. */
function detailsOf(error: APICallError): readonly JsonRecord[] {
  const { details } = asRecord(parseJsonRecord(error.responseBody ?? '')?.['error']);
  return Array.isArray(details) ? details.filter(isRecord) : [];
}

/** A wrong key is a 400 to this API, and how long to wait is in the body: `{ "@type": "…RetryInfo", "retryDelay": "20s" }`. */
function readDetails(error: unknown): AgentStreamError | undefined {
  if (!APICallError.isInstance(error)) return undefined;
  const details = detailsOf(error);
  if (error.statusCode === 400 && details.some(({ reason }) => reason === 'API_KEY_INVALID')) {
    return new AgentStreamError('vendor-unauthorized', { details: { httpStatus: 400 } });
  }
  const delay = details.map(({ retryDelay }) => retryDelay).find((value) => typeof value === 'string');
  return error.statusCode === 429 && delay !== undefined ? vendorStatusError(429, delay.replace(/s$/, '')) : undefined;
}

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

/** Google's Gemini API (ai.google.dev/api/generate-content). */
export const google: VendorModule = {
  name: 'google',
  displayName: 'Google Gemini',
  isSimulated: false,
  apiKeyEnv: 'GOOGLE_GENERATIVE_AI_API_KEY',
  baseUrl: { env: 'GOOGLE_GEMINI_BASE_URL', default: 'https://generativelanguage.googleapis.com' },
  llm: languageModel,
};
