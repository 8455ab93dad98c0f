import { describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.js';
import { createGuardedEgress } from '../base/guarded-fetch.js';
import { createEmbeddingModel } from './embeddings.js';
import { problemsOfModels, problemsOfOrganizationModels } from './models-schema.js';
import type { VendorReach } from './vendor-context.js';

const keys = { OPENAI_API_KEY: 'any', GOOGLE_GENERATIVE_AI_API_KEY: 'any' };
const reach = (change: Partial<VendorReach> = {}): VendorReach => ({ env: keys, clock: systemClock, fetch, ...change });

describe('the embedding model of an organization', () => {
  it('is chosen by nothing but its settings, whatever keys there are', () => {
    for (const models of [undefined, null, {}, { llm: { vendor: 'openai' } }]) expect(createEmbeddingModel(models, {}, reach())).toBeNull();
    expect(createEmbeddingModel({ embeddings: { vendor: 'google' } }, {}, reach())).toMatchObject({ vendor: 'google', model: 'gemini-embedding-001', dimensions: 768, minSimilarity: 0.6 });
    const settings = { vendor: 'openai', model: 'nomic-embed-text', min_similarity: 0.5 };
    expect(createEmbeddingModel({ llm: { vendor: 'openai' }, embeddings: settings }, {}, reach())).toMatchObject({ vendor: 'openai', model: 'nomic-embed-text', dimensions: null, minSimilarity: 0.5 });
  });

  it('needs a key of its vendor, and leads where stored base URLs may', () => {
    const models = { embeddings: { vendor: 'openai' } };
    expect(() => createEmbeddingModel(models, {}, reach({ env: {} }))).toThrow(expect.objectContaining({ code: 'vendor-unauthorized' }));
    expect(createEmbeddingModel(models, { openai: { apiKey: 'stored' } }, reach({ env: {} }))).not.toBeNull();
    const inside = { openai: { apiKey: 'stored', baseUrl: 'http://127.0.0.1:11434' } };
    expect(() => createEmbeddingModel(models, inside, reach({ egress: createGuardedEgress() }))).toThrow(expect.objectContaining({ code: 'egress-refused' }));
    expect(() => createEmbeddingModel({ embeddings: { vendor: 'deepgram' } }, {}, reach())).toThrow(expect.objectContaining({ code: 'workflow-invalid' }));
  });
});

describe('embeddings among the models', () => {
  it('are an organization’s: what a vendor does not know is named, and so is a fallback', () => {
    expect(problemsOfOrganizationModels({ embeddings: { vendor: 'openai', model: 'x', dimensions: 256 }, tts: { vendor: 'cartesia' } })).toEqual([]);
    expect(problemsOfOrganizationModels({ embeddings: { vendor: 'deepgram' } })).toEqual([{ path: 'embeddings.vendor', message: 'vendor must be one of: openai, google' }]);
    expect(problemsOfOrganizationModels({ embeddings: { vendor: 'google', voice: 'x' } })).toEqual([{ path: 'embeddings.voice', message: 'unknown option' }]);
    expect(problemsOfOrganizationModels({ embeddings: { vendor: 'google', fallbacks: [] } })).toMatchObject([{ path: 'embeddings.fallbacks' }]);
    expect(problemsOfOrganizationModels({ realtime: { vendor: 'openai' }, stt: { vendor: 'deepgram' } })).toMatchObject([{ path: 'stt' }]);
  });

  it('are refused of an agent, which is told where they belong', () => {
    expect(problemsOfModels({ embeddings: { vendor: 'openai' } })).toEqual([
      { path: 'embeddings', message: 'documents are the organization’s: set embeddings in its default_models (PUT /organization/limits)' },
    ]);
  });
});
