import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { createAiSdkModel } from '../ai-sdk/ai-sdk-model.js';
import { endpointUrl } from '../ai-sdk/endpoint-url.js';
import type { LanguageModel } from '../language-model.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { openaiEmbeddings } from './embeddings.js';
import { openaiRealtime } from './speech-to-speech/speech-to-speech.js';
import { openaiCompatibleSettingsSchema, type OpenaiCompatibleSettings } from './settings.js';
import { openaiSpeechToText } from './speech-to-text.js';
import { openaiTextToSpeech } from './text-to-speech.js';

/** OpenAI's reasoning models refuse `max_tokens` and want it under its newer name, which compatible servers often do not know. */
function renameTokenLimit(model: string, body: Record<string, unknown>): Record<string, unknown> {
  if (!/^(o\d|gpt-5)/.test(model)) return body;
  const { max_tokens: limit, ...rest } = body;
  return { ...rest, max_completion_tokens: limit };
}

function createOpenaiCompatibleModel(settings: OpenaiCompatibleSettings, context: VendorContext): LanguageModel {
  const baseUrl = endpointUrl(context.baseUrl, '/v1');
  const { apiKey } = context;
  const provider = createOpenAICompatible({
    name: 'openai',
    baseURL: baseUrl,
    includeUsage: true,
    fetch: context.fetch,
    transformRequestBody: (body) => renameTokenLimit(settings.model, body),
    ...(apiKey === undefined ? {} : { apiKey }),
  });
  return createAiSdkModel(
    {
      vendor: 'openai',
      provider: provider.chatModel(settings.model),
      temperature: settings.temperature,
      stallLimitMs: settings.first_part_timeout_ms,
      style: { argumentsAs: 'text' },
      endpoint: { baseUrl, headers: apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` } },
    },
    context,
  );
}

const languageModel: VendorLeg<LanguageModel, OpenaiCompatibleSettings> = {
  settingsSchema: openaiCompatibleSettingsSchema,
  create: createOpenaiCompatibleModel,
};

/** OpenAI, and every server that speaks its chat completions, transcription or speech API (platform.openai.com/docs/api-reference). */
export const openaiCompatible: VendorModule = {
  name: 'openai',
  displayName: 'OpenAI or compatible',
  isSimulated: false,
  apiKeyEnv: 'OPENAI_API_KEY',
  baseUrl: { env: 'OPENAI_BASE_URL', default: 'https://api.openai.com' },
  stt: openaiSpeechToText,
  llm: languageModel,
  tts: openaiTextToSpeech,
  realtime: openaiRealtime,
  embeddings: openaiEmbeddings,
};
