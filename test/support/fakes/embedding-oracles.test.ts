import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { FAKE_DIMENSIONS, meaningOf, startFakeGoogleEmbeddings, startFakeOpenaiEmbeddings } from './embeddings.js';
import type { VendorServer } from './vendor-server.js';

/** The vendors’ own SDKs talk with the fakes, so that a fake and its adapter cannot share a misreading of the protocol. */
describe('the embedding models’ fakes, as the vendors’ own SDKs see them', () => {
  const running: VendorServer[] = [];
  afterEach(async () => {
    for (const server of running.splice(0)) await server.close();
  });
  const keep = <Server extends VendorServer>(server: Server): Server => {
    running.push(server);
    return server;
  };
  const texts = ['a bicycle', 'opening hours'];

  it('openai: vectors as base64 and as numbers, fewer dimensions, and errors', async () => {
    const fake = keep(await startFakeOpenaiEmbeddings({ apiKey: 'test-key', fault: (index) => (index === 3 ? { kind: 'http', status: 429 } : undefined) }));
    const client = new OpenAI({ apiKey: 'test-key', baseURL: `${fake.httpUrl}/v1`, maxRetries: 0 });
    const model = 'text-embedding-3-small';
    for (const options of [{}, { encoding_format: 'float' }] as const) {
      const { data, usage } = await client.embeddings.create({ model, input: texts, ...options });
      const byIndex = data.toSorted((left, right) => left.index - right.index);
      expect(byIndex.map(({ embedding }) => embedding)).toEqual(texts.map((text) => meaningOf(text)));
      expect(usage.prompt_tokens).toBe(5);
    }
    const shorter = await client.embeddings.create({ model, input: 'a bicycle', dimensions: 32 });
    expect(shorter.data[0]?.embedding).toEqual(meaningOf('a bicycle', 32));
    await expect(client.embeddings.create({ model, input: texts })).rejects.toThrow(OpenAI.RateLimitError);
    await expect(client.embeddings.create({ model, input: [''] })).rejects.toThrow(OpenAI.BadRequestError);
    await expect(client.embeddings.create({ model: 'text-embedding-ada-002', input: 'x', dimensions: 32 })).rejects.toThrow(OpenAI.BadRequestError);
    const stranger = new OpenAI({ apiKey: 'wrong', baseURL: `${fake.httpUrl}/v1`, maxRetries: 0 });
    await expect(stranger.embeddings.create({ model, input: texts })).rejects.toThrow(OpenAI.AuthenticationError);
  });

  it('@google/genai: vectors, fewer dimensions, and errors', async () => {
    const fake = keep(await startFakeGoogleEmbeddings({ apiKey: 'test-key', fault: (index) => (index === 2 ? { kind: 'http', status: 503 } : undefined) }));
    const httpOptions = { baseUrl: fake.httpUrl };
    const client = new GoogleGenAI({ apiKey: 'test-key', httpOptions });
    const model = 'gemini-embedding-001';
    const whole = await client.models.embedContent({ model, contents: texts });
    expect(whole.embeddings?.map(({ values }) => values?.length)).toEqual([FAKE_DIMENSIONS, FAKE_DIMENSIONS]);
    const config = { outputDimensionality: 32, taskType: 'RETRIEVAL_DOCUMENT' };
    const shorter = await client.models.embedContent({ model, contents: texts, config });
    expect(shorter.embeddings?.map(({ values }) => values)).toEqual(texts.map((text) => meaningOf(text, 32)));
    expect(JSON.stringify(fake.requests[1]?.body)).toContain('"taskType":"RETRIEVAL_DOCUMENT"');
    await expect(client.models.embedContent({ model, contents: texts })).rejects.toMatchObject({ status: 503 });
    const stranger = new GoogleGenAI({ apiKey: 'wrong', httpOptions });
    await expect(stranger.models.embedContent({ model, contents: texts })).rejects.toMatchObject({ status: 400 });
  });
});
