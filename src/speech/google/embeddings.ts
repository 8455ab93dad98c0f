import { z } from 'zod';
import { asRecord } from '../../base/json.js';
import { endpointUrl } from '../ai-sdk/endpoint-url.js';
import { modelNameSchema } from '../ai-sdk/settings.js';
import type { EmbeddedUse, EmbeddingModel } from '../embedding-model.js';
import { requestVectors } from '../embedding-requests.js';
import { dimensionsSchema, minSimilaritySchema } from '../embedding-settings.js';
import type { VendorContext, VendorLeg } from '../vendor.js';
import { readErrorDetails } from './error-details.js';

const settingsSchema = z.strictObject({
  model: modelNameSchema.default('gemini-embedding-001').describe('Model name, for example gemini-embedding-001.'),
  // One of the three sizes that Google advises (ai.google.dev/gemini-api/docs/embeddings).
  dimensions: dimensionsSchema.default(768).describe('Numbers of a vector.'),
  // Even unrelated texts are at 0.5 with gemini-embedding-001.
  min_similarity: minSimilaritySchema.default(0.6).describe('Cosine below which a part has nothing to do with a question. Models differ.'),
});

type GoogleEmbeddingSettings = z.infer<typeof settingsSchema>;

const taskTypes: Readonly<Record<EmbeddedUse, string>> = { document: 'RETRIEVAL_DOCUMENT', query: 'RETRIEVAL_QUERY' };

const valuesOf = (embeddings: unknown): unknown => (Array.isArray(embeddings) ? embeddings.map((embedding) => asRecord(embedding)['values']) : undefined);

function createGoogleEmbeddings(settings: GoogleEmbeddingSettings, context: VendorContext): EmbeddingModel {
  const { model, dimensions } = settings;
  const url = `${endpointUrl(context.baseUrl, '/v1beta')}/models/${encodeURIComponent(model)}:batchEmbedContents`;
  const headers = { 'x-goog-api-key': context.apiKey ?? '' };
  return {
    vendor: 'google',
    model,
    dimensions,
    minSimilarity: settings.min_similarity,
    embed(texts, use, signal) {
      // Newer models are told the task in the text, and take no other word for it.
      const task = model === 'gemini-embedding-001' ? { taskType: taskTypes[use] } : {};
      const requests = texts.map((text) => ({ model: `models/${model}`, content: { parts: [{ text }] }, outputDimensionality: dimensions, ...task }));
      const readVectors = ({ embeddings }: Readonly<Record<string, unknown>>) => valuesOf(embeddings);
      return requestVectors({ url, headers, body: { requests }, count: texts.length, readVectors, readError: readErrorDetails }, signal, context);
    },
  };
}

/** Embeddings of Google's Gemini API (ai.google.dev/api/embeddings). */
export const googleEmbeddings: VendorLeg<EmbeddingModel, GoogleEmbeddingSettings> = { settingsSchema, create: createGoogleEmbeddings };
