import { describe, expect, it } from 'vitest';
import { memoryEmbeddings } from '../../test/support/documents/memory-embeddings.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { AgentStreamError } from '../base/errors.js';
import { silentLog } from '../base/log.js';
import { MAX_EMBEDDED_TEXTS, type EmbeddingModel } from '../speech/embedding-model.js';
import type { EmbeddingStore } from '../store/store.js';
import { ATTEMPT_LIMIT_MS, createDocumentEmbedder, retryDelaysMs } from './embed-document.js';

const never = new AbortController().signal;
const unreachable = () => new AgentStreamError('vendor-unreachable');

/** A model that gives each text its length as a vector, and does before each request what the test wants. */
function scriptedModel(before: (request: number) => Promise<void> | void = () => undefined) {
  const requests: (readonly string[])[] = [];
  const model: EmbeddingModel = {
    vendor: 'openai',
    model: 'test',
    dimensions: null,
    minSimilarity: 0,
    async embed(texts, use) {
      expect(use).toBe('document');
      requests.push(texts);
      await before(requests.length - 1);
      return texts.map((text) => Float32Array.of(text.length));
    },
  };
  return { model, requests };
}

function setUp(chunkCount: number, before?: (request: number) => Promise<void> | void) {
  const clock = createVirtualClock();
  const store = memoryEmbeddings(Array.from({ length: chunkCount }, (_, position) => ({ position, heading: ['Chapter'], page: null, text: `part ${position}` })));
  const { model, requests } = scriptedModel(before);
  let current: EmbeddingModel | null = model;
  const embed = createDocumentEmbedder({ store, embeddingsOf: async () => current, clock, log: silentLog });
  return { clock, store, requests, embed: (signal = never) => embed('handbook', signal), choose: (other: EmbeddingModel | null) => (current = other), model };
}

describe('embedding a document', () => {
  it('asks for a few parts at a time, each with where it stands, and says when it is done', async () => {
    const { store, requests, embed } = setUp(2 * MAX_EMBEDDED_TEXTS + 3);
    await embed();
    expect(requests.map((texts) => texts.length)).toEqual([MAX_EMBEDDED_TEXTS, MAX_EMBEDDED_TEXTS, 3]);
    expect(requests[0]?.[0]).toBe('handbook.md › Chapter\npart 0');
    expect(store.state).toMatchObject({ status: 'ready', failure: null });
    expect(store.vectors.map(({ position }) => position)).toEqual([...Array(2 * MAX_EMBEDDED_TEXTS + 3).keys()]);
    expect(store.vectors[0]?.vector.readFloatLE()).toBe('handbook.md › Chapter\npart 0'.length);
  });

  it('waits longer and longer for a vendor that fails, goes on where it stopped, and gives up at last', async () => {
    const { store, requests, embed } = setUp(2 * MAX_EMBEDDED_TEXTS, (request) => {
      if (request > 0) throw unreachable();
    });
    const waits = [];
    for (let attempt = 0; attempt <= retryDelaysMs.length; attempt += 1) {
      await embed();
      waits.push(store.state.delayMs);
    }
    expect(waits).toEqual([...retryDelaysMs, null]);
    expect(requests.map((texts) => texts[0])).toEqual([expect.stringMatching(/part 0$/), ...Array.from({ length: retryDelaysMs.length + 1 }, (): unknown => expect.stringMatching(/part 8$/))]);
    expect(store.state).toMatchObject({ status: 'failed', failure: { code: 'vendor-unreachable' } });
    expect(store.vectors).toHaveLength(MAX_EMBEDDED_TEXTS);
  });

  it('waits as long as the vendor asks', async () => {
    const { store, embed } = setUp(1, () => {
      throw new AgentStreamError('vendor-rate-limited', { details: { retryAfterMs: 45_000 } });
    });
    await embed();
    expect(store.state).toMatchObject({ status: 'pending', delayMs: 45_000, failure: { code: 'vendor-rate-limited' } });
  });

  it('does not try again what cannot succeed', async () => {
    const { store, embed } = setUp(1, () => {
      throw new AgentStreamError('vendor-unauthorized');
    });
    await embed();
    expect(store.state).toMatchObject({ status: 'failed', failure: { code: 'vendor-unauthorized' } });
  });

  it('lets others have their turn when its time is up, without counting that as a failure', async () => {
    const { store, clock, embed } = setUp(3 * MAX_EMBEDDED_TEXTS, async () => clock.advance(ATTEMPT_LIMIT_MS / 2 + 1));
    await embed();
    expect(store.state).toMatchObject({ status: 'pending', delayMs: 0, tries: 0, failure: null });
    expect(store.vectors).toHaveLength(2 * MAX_EMBEDDED_TEXTS);
    await embed();
    expect(store.state.status).toBe('ready');
  });

  it('begins anew for another model, and asks nothing where the vectors are those of this one', async () => {
    const { store, requests, embed, choose, model } = setUp(2);
    await embed();
    store.queue();
    await embed();
    expect([requests.length, store.state.status]).toEqual([1, 'ready']);
    choose({ ...model, dimensions: 256 });
    store.queue();
    await embed();
    expect([requests.length, store.state.model?.dimensions, store.vectors.length]).toEqual([2, 256, 2]);
    choose(null);
    store.queue();
    await embed();
    expect(store.state.status).toBe('gone');
  });

  it('goes on with others of the lane that are due, while there is time', async () => {
    const { store, clock, requests, model } = setUp(1, async () => clock.advance(ATTEMPT_LIMIT_MS / 2 + 1));
    const lanes: string[] = [];
    const embeddings: EmbeddingStore = {
      ...store.embeddings,
      async claimNext(lane, claimMs) {
        lanes.push(lane);
        store.queue();
        const next = await store.embeddings.claim('handbook', claimMs);
        return typeof next === 'string' ? null : { ...next, model: null };
      },
    };
    await createDocumentEmbedder({ store: { ...store, embeddings }, embeddingsOf: async () => model, clock, log: silentLog })('handbook', never);
    expect([requests.length, lanes, store.state.status]).toEqual([2, ['embedding:0'], 'ready']);
  });

  it('ends with the node and leaves the document to others', async () => {
    const stopping = new AbortController();
    const { store, embed } = setUp(2, async () => {
      stopping.abort(new Error('The node stops'));
      throw stopping.signal.reason;
    });
    await expect(embed(stopping.signal)).rejects.toThrow('The node stops');
    expect(store.state).toMatchObject({ status: 'pending', delayMs: 0, failure: null });
  });

  it('stops without a word where the document is gone or another attempt has it', async () => {
    const { store, requests, embed } = setUp(2 * MAX_EMBEDDED_TEXTS, () => store.takeAway());
    await embed();
    expect([requests.length, store.vectors.length]).toEqual([1, 0]);
    await expect(embed()).rejects.toMatchObject({ code: 'not-ready' });
  });
});
