import { z } from 'zod';
import { asRecord } from '../../base/json.js';
import { endpointUrl } from '../ai-sdk/endpoint-url.js';
import { modelNameSchema } from '../ai-sdk/settings.js';
import type { EmbeddingModel } from '../embedding-model.js';
import { requestVectors } from '../embedding-requests.js';
import { dimensionsSchema, minSimilaritySchema } from '../embedding-settings.js';
import type { VendorContext, VendorLeg } from '../vendor.js';

const settingsSchema = z.strictObject({
  model: modelNameSchema.default('text-embedding-3-small').describe('Model name as the server knows it.'),
  dimensions: dimensionsSchema.optional().describe('Numbers of a vector, for models that can give fewer. Default: the model’s own.'),
  // Unrelated texts are at 0.1 to 0.2 with text-embedding-3, related ones above 0.3.
  min_similarity: minSimilaritySchema.default(0.3).describe('Cosine below which a part has nothing to do with a question. Models differ.'),
});

type OpenaiEmbeddingSettings = z.infer<typeof settingsSchema>;

/** The vectors by their `index`: the API need not answer in order. */
function inOrder(data: unknown): unknown {
  if (!Array.isArray(data)) return undefined;
  const entries = data.map(asRecord);
  return entries.map((entry, at) => (entries.find(({ index }) => index === at) ?? entry)['embedding']);
}

function createOpenaiEmbeddings(settings: OpenaiEmbeddingSettings, context: VendorContext): EmbeddingModel {
  const { model, dimensions } = settings;
  const { apiKey } = context;
  const url = `${endpointUrl(context.baseUrl, '/v1')}/embeddings`;
  const headers: Record<string, string> = apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` };
  return {
    vendor: 'openai',
    model,
    dimensions: dimensions ?? null,
    minSimilarity: settings.min_similarity,
    embed(texts, _use, signal) {
      const body = { model, input: texts, encoding_format: 'float', ...(dimensions === undefined ? {} : { dimensions }) };
      return requestVectors({ url, headers, body, count: texts.length, readVectors: ({ data }) => inOrder(data) }, signal, context);
    },
  };
}

/** Embeddings of OpenAI and of servers with its API, such as Ollama, vLLM and text-embeddings-inference (platform.openai.com/docs/api-reference/embeddings). */
export const openaiEmbeddings: VendorLeg<EmbeddingModel, OpenaiEmbeddingSettings> = { settingsSchema, create: createOpenaiEmbeddings };
