import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { deadlineSignal } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import type { LanguageModel } from '../language-model.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { streamCompletion } from './completion.js';
import { apiBaseUrl, openaiCompatibleSettingsSchema, type OpenaiCompatibleSettings } from './settings.js';

/** How long opening a connection ahead of time may take. */
const PREWARM_LIMIT_MS = 3000;

/** OpenAI's reasoning models refuse `max_tokens` and want it under its newer name, which compatible servers often do not know. */
function renameTokenLimit(model: string, body: Record<string, unknown>): Record<string, unknown> {
  if (!/^(o\d|gpt-5)/.test(model)) return body;
  const { max_tokens: limit, ...rest } = body;
  return { ...rest, max_completion_tokens: limit };
}

/** The process's connections are closed after about 4 s without a request (undici's default): used later than this, one is opened anew. */
const WARM_FOR_MS = 3000;

/** When each endpoint was last asked, on the monotonic clock: its connections are shared by all calls, so one of them keeps it warm. */
const lastAskedAtMs = new Map<string, number>();

/** Any answer leaves an open connection behind. What fails here is reported by the request that needs the connection. */
async function openConnection(url: string, context: VendorContext): Promise<void> {
  const { clock, apiKey } = context;
  const deadline = deadlineSignal(clock, PREWARM_LIMIT_MS, undefined, () => new AgentStreamError('vendor-unreachable'));
  const headers: Record<string, string> = apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` };
  // Not HEAD: undici closes the connection after it.
  const answer = context.fetch(url, { headers, signal: deadline.signal }).then((response) => response.arrayBuffer());
  await Promise.allSettled([answer]);
  deadline.dispose();
}

function createOpenaiCompatibleModel(settings: OpenaiCompatibleSettings, context: VendorContext): LanguageModel {
  const baseURL = apiBaseUrl(context.baseUrl);
  const provider = createOpenAICompatible({
    name: 'openai',
    baseURL,
    includeUsage: true,
    fetch: context.fetch,
    transformRequestBody: (body) => renameTokenLimit(settings.model, body),
    ...(context.apiKey === undefined ? {} : { apiKey: context.apiKey }),
  });
  const model = provider.chatModel(settings.model);
  const options = { clock: context.clock, temperature: settings.temperature, stallLimitMs: settings.first_part_timeout_ms };
  return {
    vendor: 'openai',
    model: settings.model,
    stream(request) {
      lastAskedAtMs.set(baseURL, context.clock.nowMs());
      return streamCompletion(model, options, request);
    },
    prewarm() {
      const nowMs = context.clock.nowMs();
      if (nowMs - (lastAskedAtMs.get(baseURL) ?? -Infinity) < WARM_FOR_MS) return;
      lastAskedAtMs.set(baseURL, nowMs);
      void openConnection(`${baseURL}/models`, context);
    },
  };
}

const languageModel: VendorLeg<LanguageModel, OpenaiCompatibleSettings> = {
  settingsSchema: openaiCompatibleSettingsSchema,
  create: createOpenaiCompatibleModel,
};

/** OpenAI, and every server that speaks its chat completions API (platform.openai.com/docs/api-reference/chat). */
export const openaiCompatible: VendorModule = {
  name: 'openai',
  displayName: 'OpenAI or compatible',
  isSimulated: false,
  apiKeyEnv: 'OPENAI_API_KEY',
  baseUrl: { env: 'OPENAI_BASE_URL', default: 'https://api.openai.com' },
  llm: languageModel,
};
