import { describe, expect, it } from 'vitest';
import { memoryDocuments } from '../../test/support/documents/memory-documents.js';
import { memoryKnowledge } from '../../test/support/documents/memory-knowledge.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { EmbeddingModel } from '../speech/embedding-model.js';
import { createLocalIndexHost, type IndexHost } from './index-host.js';
import { MAX_COMPARED_VECTORS, QUERY_EMBEDDING_TIMEOUT_MS, SLICE_CHUNKS, SLICE_VECTORS } from './limits.js';

const identity = { vendor: 'openai', model: 'test', dimensions: null };
const files = { handbook: ['Ein Fahrrad nehmen wir dreißig Tage lang zurück.', 'We are open from nine to five.'] };
const vectors = [[1, 0], [0, 1]];

/** A model that takes every query for one about returning a bicycle. */
function queryModel(change: Partial<EmbeddingModel> = {}) {
  const queries: string[] = [];
  const model: EmbeddingModel = {
    ...identity,
    minSimilarity: 0.5,
    async embed([text = ''], use) {
      expect(use).toBe('query');
      queries.push(text);
      return [Float32Array.of(1, 0)];
    },
    ...change,
  };
  return { model, queries };
}

function setUp({ change = {}, isEmbedded = true }: { change?: Partial<EmbeddingModel>; isEmbedded?: boolean } = {}) {
  const source = memoryDocuments(files);
  if (isEmbedded) source.embed('handbook', identity, vectors);
  const clock = createVirtualClock();
  const { model, queries } = queryModel(change);
  let current: () => Promise<EmbeddingModel | null> = async () => model;
  const knowledge = memoryKnowledge(source, { clock, embeddingsOf: () => current() });
  const search = (text: string, signal?: AbortSignal) => knowledge.search('org', ['handbook'], { text, signal });
  const found = async (text: string) => (await search(text)).passages.map(({ position }) => position);
  return { source, clock, queries, search, found, model, choose: (next: typeof current) => (current = next) };
}

describe('a search with an embedding model', () => {
  it('finds what the words do not say, and puts first what both find', async () => {
    const { search, found, queries } = setUp();
    expect(await found('can I give the bike back')).toEqual([0]);
    expect(await search('open hours')).toMatchObject({ ranking: 'fused', failure: null, passages: [{ position: 1 }, { position: 0 }] });
    expect(queries).toEqual(['can I give the bike back', 'open hours']);
  });

  it('finds nothing where nothing is close', async () => {
    const { found } = setUp({ change: { embed: async () => [Float32Array.of(-1, 0)] } });
    expect(await found('football championship')).toEqual([]);
  });

  it('goes by words alone, and asks nobody, while the documents have no vectors; takes them when they have come', async () => {
    const { source, clock, queries, search } = setUp({ isEmbedded: false });
    expect(await search('open')).toMatchObject({ ranking: 'lexical', failure: null, passages: [{ position: 1 }] });
    expect(queries).toEqual([]);
    source.embed('handbook', { ...identity, dimensions: 256 }, vectors);
    await clock.advance(5000);
    expect(await search('open')).toMatchObject({ ranking: 'lexical' });
    source.embed('handbook', identity, vectors);
    expect(await search('bike')).toMatchObject({ ranking: 'lexical' });
    await clock.advance(5000);
    expect(await search('bike')).toMatchObject({ ranking: 'fused', passages: [{ position: 0 }] });
  });

  it.each([
    ['fails', async () => Promise.reject(new AgentStreamError('vendor-rate-limited')), 'vendor-rate-limited'],
    ['breaks', async () => Promise.reject(new TypeError('the query was: bicycle')), 'vendor-failed'],
    ['gives nothing', async () => [], 'vendor-protocol'],
  ])('goes by words alone where the model %s, and says so without the query', async (_what, embed, code) => {
    const { search } = setUp({ change: { embed } });
    const { failure, ...result } = await search('open from nine');
    expect(result).toMatchObject({ ranking: 'lexical', passages: [{ position: 1 }] });
    expect(failure).toMatchObject({ vendor: 'openai', model: 'test', code });
    expect(failure?.message).not.toContain('bicycle');
  });

  it('goes by words alone where the model is slow, after its time', async () => {
    const { search, clock } = setUp({ change: { embed: (_texts, _use, signal) => new Promise((_, reject) => void signal.addEventListener('abort', () => reject(signal.reason as Error))) } });
    const outcome = search('open from nine');
    await clock.advance(QUERY_EMBEDDING_TIMEOUT_MS);
    expect(await outcome).toMatchObject({ ranking: 'lexical', passages: [{ position: 1 }], failure: { code: 'vendor-unreachable' } });
    expect(clock.pendingTimers()).toBe(0);
  });

  it('ends with its signal, and the index stays', async () => {
    const { search, source, clock } = setUp({ change: { embed: (_texts, _use, signal) => new Promise((_, reject) => void signal.addEventListener('abort', () => reject(signal.reason as Error))) } });
    const controller = new AbortController();
    const outcome = search('open', controller.signal);
    await clock.advance(10);
    controller.abort(new Error('The call is over'));
    await expect(outcome).rejects.toThrow('The call is over');
    const again = search('open');
    await clock.advance(QUERY_EMBEDDING_TIMEOUT_MS);
    await again;
    expect(source.reads).toEqual(['handbook']);
  });

  it('goes by words alone where the model cannot be had, and by the new model’s vectors after a change', async () => {
    const { search, source, choose, model } = setUp();
    choose(() => Promise.reject(new AgentStreamError('vendor-unauthorized')));
    expect(await search('open')).toMatchObject({ ranking: 'lexical', failure: { vendor: null, code: 'vendor-unauthorized' }, passages: [{ position: 1 }] });
    const other = { ...identity, model: 'other' };
    source.embed('handbook', other, vectors);
    choose(async () => ({ ...model, ...other }));
    expect(await search('bike')).toMatchObject({ ranking: 'fused', passages: [{ position: 0 }] });
    choose(async () => null);
    expect(await search('bike')).toEqual({ ranking: 'lexical', failure: null, passages: [] });
  });
});

describe('what the thread of the calls does at once for an index', () => {
  /** A host that notes how much it is given at once. */
  function notingHost() {
    const given = { chunks: [] as number[], vectors: [] as number[] };
    const local = createLocalIndexHost();
    const host: IndexHost = {
      ...local,
      open() {
        const index = local.open();
        return {
          ...index,
          add: (document, chunks) => (given.chunks.push(chunks.length), index.add(document, chunks)),
          addVectors: (uuid, added) => (given.vectors.push(added.length), index.addVectors(uuid, added)),
        };
      },
    };
    return { host, given };
  }

  it('is a slice of the parts and of the vectors, however many there are', async () => {
    const source = memoryDocuments({ large: Array.from({ length: 2030 }, (_, at) => `word${at}`), small: ['word'] });
    source.embed('large', identity, Array.from({ length: 2030 }, (_, at) => [at % 2, 1 - (at % 2)]));
    const { host, given } = notingHost();
    const knowledge = memoryKnowledge(source, { host, embeddingsOf: async () => queryModel().model });
    await knowledge.search('org', ['large', 'small'], { text: 'word7' });
    expect([Math.max(...source.slices.chunks), Math.max(...given.chunks)]).toEqual([SLICE_CHUNKS, SLICE_CHUNKS]);
    expect([Math.max(...source.slices.vectors), Math.max(...given.vectors)]).toEqual([SLICE_VECTORS, SLICE_VECTORS]);
    const sum = (numbers: readonly number[]) => numbers.reduce((total, count) => total + count, 0);
    expect([sum(given.chunks), sum(given.vectors)]).toEqual([2031, 2030]);
  });

  it('is never more vectors than are compared: a document beyond them is found by its words', async () => {
    const parts = Array.from({ length: MAX_COMPARED_VECTORS - 1 }, () => 'filler');
    const source = memoryDocuments({ first: parts, second: ['the bicycle', 'the lamp'] });
    source.embed('first', identity, parts.map(() => [0, 1]));
    source.embed('second', identity, [[1, 0], [1, 0]]);
    const { host, given } = notingHost();
    const knowledge = memoryKnowledge(source, { host, embeddingsOf: async () => queryModel().model });
    const { passages, ranking } = await knowledge.search('org', ['first', 'second'], { text: 'lamp' });
    expect(given.vectors.reduce((total, count) => total + count, 0)).toBe(MAX_COMPARED_VECTORS - 1);
    expect([ranking, passages.map(({ text }) => text)]).toEqual(['fused', ['the lamp']]);
  });
});
