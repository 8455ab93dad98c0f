import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.js';
import { MAX_EMBEDDED_TEXTS, type EmbeddedUse, type EmbeddingModel } from '../../src/speech/embedding-model.js';
import { EMBEDDING_TIMEOUT_MS } from '../../src/speech/embedding-requests.js';
import { findVendor, vendors } from '../../src/speech/registry.js';
import { createCountingClock } from '../support/fakes/counting-clock.js';
import { meaningOf, startFakeGoogleEmbeddings, startFakeOpenaiEmbeddings, type EmbeddingFault, type FakeEmbeddings, type FakeEmbeddingsOptions } from '../support/fakes/embeddings.js';
import { createVirtualClock } from '../support/virtual-clock.js';
import { settle, until } from '../support/wait-for.js';

const rows = [
  { name: 'openai', start: startFakeOpenaiEmbeddings },
  { name: 'google', start: startFakeGoogleEmbeddings },
] as const;

it('has a row for each vendor with embeddings', () => {
  expect(vendors.filter(({ embeddings }) => embeddings !== undefined).map(({ name }) => name)).toEqual(rows.map(({ name }) => name));
});

const secret = 'the caller’s secret bicycle';
const never = new AbortController().signal;

/** Faults that last as long as they are dealt (F10), and pass (F11). */
const faults: readonly (readonly [what: string, fault: EmbeddingFault, code: string, tries: number])[] = [
  ['400', { kind: 'http', status: 400 }, 'vendor-rejected', 1],
  ['401', { kind: 'http', status: 401 }, 'vendor-unauthorized', 1],
  ['404', { kind: 'http', status: 404 }, 'vendor-rejected', 1],
  ['429 with a wait', { kind: 'http', status: 429, headers: { 'retry-after': '20' } }, 'vendor-rate-limited', 1],
  ['429', { kind: 'http', status: 429 }, 'vendor-rate-limited', 2],
  ['503', { kind: 'http', status: 503 }, 'vendor-unreachable', 2],
  ['reset before an answer', { kind: 'reset' }, 'vendor-unreachable', 2],
  ['reset in the answer', { kind: 'cut' }, 'vendor-unreachable', 2],
  ['garbage', { kind: 'garbage' }, 'vendor-protocol', 2],
  ['an answer without end', { kind: 'endless' }, 'vendor-protocol', 2],
  ['too few vectors', { kind: 'vectors', vectors: [] }, 'vendor-protocol', 2],
  ['too many vectors', { kind: 'vectors', vectors: [[1], [1]] }, 'vendor-protocol', 2],
  ['an empty vector', { kind: 'vectors', vectors: [[]] }, 'vendor-protocol', 2],
  ['a vector of zeros', { kind: 'vectors', vectors: [[0, 0]] }, 'vendor-protocol', 2],
  ['a vector that is none', { kind: 'vectors', vectors: [['a', null]] }, 'vendor-protocol', 2],
  ['a vector beyond all bounds', { kind: 'vectors', vectors: [new Array<number>(9000).fill(1)] }, 'vendor-protocol', 2],
];

describe.each(rows)('embedding model: $name', ({ name, start: startFake }) => {
  let fake: FakeEmbeddings;
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown) => void unhandled.push(error);
  beforeEach(() => void process.on('unhandledRejection', onUnhandled));
  afterEach(async () => {
    // A connection may wait for the next request; nothing else may stay open.
    await until(() => fake.requests.every(({ outcome }) => outcome !== null), 'requests ended');
    await fake.close();
    await settle(5);
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled.splice(0)).toEqual([]);
  });

  async function start(options: FakeEmbeddingsOptions = {}): Promise<void> {
    fake = await startFake({ apiKey: 'test-key', ...options });
  }
  function create(settings: Record<string, unknown> = {}, clock: Clock = createCountingClock(), apiKey = 'test-key'): EmbeddingModel {
    const leg = findVendor(name)?.embeddings;
    if (leg === undefined) throw new Error('The vendor has no embeddings');
    return leg.create(leg.settingsSchema.parse(settings), { clock, apiKey, baseUrl: fake.httpUrl, fetch });
  }
  const failureOf = (model: EmbeddingModel, signal = never) =>
    model.embed([secret], 'query', signal).then(
      () => undefined,
      (error: unknown) => error,
    );

  it.each(['document', 'query'] as const)('gives vectors of length 1 for each %s, in order', async (use: EmbeddedUse) => {
    await start();
    const clock = createCountingClock();
    const model = create({ dimensions: 128 }, clock);
    expect([model.vendor, model.dimensions, model.minSimilarity > 0]).toEqual([name, 128, true]);
    const texts = Array.from({ length: MAX_EMBEDDED_TEXTS }, (_, at) => `${at % 2 === 0 ? 'return a bicycle' : 'opening hours'} ${'x'.repeat(at)}`);
    const vectors = await model.embed(texts, use, never);
    const expected = texts.map((text) => meaningOf(text, 128)).map((vector) => vector.map((value) => Math.fround(value / Math.hypot(...vector))));
    expect(vectors.map((vector) => [...vector])).toEqual(expected);
    expect(fake.requests).toHaveLength(1);
    expect(clock.pendingTimers()).toBe(0);
  });

  it.each(faults)('%s: fails once, leaves nothing open, and works again when it has passed', async (_what, fault, code, tries) => {
    let isBroken = true;
    await start({ fault: () => (isBroken ? fault : undefined) });
    const clock = createCountingClock();
    const model = create({}, clock);
    const error = await failureOf(model);
    expect(error).toMatchObject({ code });
    expect(fake.requests).toHaveLength(tries);
    // An error may be logged: the texts must not be in it.
    expect(JSON.stringify(Object.entries(error as object))).not.toContain('secret');
    expect(clock.pendingTimers()).toBe(0);
    isBroken = false;
    expect(await model.embed([secret], 'query', never)).toHaveLength(1);
  });

  it('tells how long the vendor wants to be left alone', async () => {
    await start({ fault: () => ({ kind: 'http', status: 429, headers: { 'retry-after': '20' } }) });
    expect(await failureOf(create())).toMatchObject({ details: { retryAfterMs: 20_000 } });
  });

  it('makes a first failure good by a second try', async () => {
    await start({ fault: (index) => (index === 0 ? { kind: 'reset' } : undefined) });
    expect(await create().embed([secret], 'document', never)).toHaveLength(1);
  });

  it('takes a wrong key for one', async () => {
    await start();
    expect(await failureOf(create({}, createCountingClock(), 'wrong'))).toMatchObject({ code: 'vendor-unauthorized', retryable: false });
  });

  it('gives a silent vendor up after its time', async () => {
    await start({ fault: () => ({ kind: 'hang' }) });
    const clock = createVirtualClock();
    const outcome = failureOf(create({}, clock));
    await until(() => fake.requests.length === 1, 'the request');
    await clock.advance(EMBEDDING_TIMEOUT_MS);
    expect(await outcome).toMatchObject({ code: 'vendor-unreachable' });
    expect(clock.pendingTimers()).toBe(0);
  });

  it('ends with its signal, and asks nothing after it', async () => {
    await start({ fault: () => ({ kind: 'hang' }) });
    const controller = new AbortController();
    const clock = createCountingClock();
    const outcome = failureOf(create({}, clock), controller.signal);
    await until(() => fake.requests.length === 1, 'the request');
    controller.abort(new Error('the call is over'));
    expect(await outcome).toMatchObject({ message: 'the call is over' });
    expect(await failureOf(create({}, clock), controller.signal)).toMatchObject({ message: 'the call is over' });
    expect(fake.requests).toHaveLength(1);
    expect(clock.pendingTimers()).toBe(0);
  });
});

describe('options of embeddings', () => {
  it.each(rows)('of $name that are not known, or out of bounds, are refused', ({ name }) => {
    const schema = findVendor(name)?.embeddings?.settingsSchema;
    expect(schema?.safeParse({}).success).toBe(true);
    for (const settings of [{ voice: 'x' }, { dimensions: 1 }, { dimensions: 1e6 }, { min_similarity: 2 }, { model: '' }]) expect(schema?.safeParse(settings).success).toBe(false);
  });
});

describe('what the vendors are told of the use of a text', () => {
  it('is a task type for gemini-embedding-001, and nothing for others', async () => {
    const fake = await startFakeGoogleEmbeddings();
    const leg = findVendor('google')?.embeddings;
    const embed = (model: string, use: EmbeddedUse) =>
      leg?.create(leg.settingsSchema.parse({ model }), { clock: createCountingClock(), apiKey: 'any', baseUrl: fake.httpUrl, fetch }).embed(['x'], use, never);
    await embed('gemini-embedding-001', 'document');
    await embed('gemini-embedding-001', 'query');
    await embed('gemini-embedding-2', 'query');
    const tasks = fake.requests.map(({ body }) => (body['requests'] as readonly { taskType?: string; outputDimensionality?: number }[])[0]);
    expect(tasks.map((task) => [task?.taskType, task?.outputDimensionality])).toEqual([['RETRIEVAL_DOCUMENT', 768], ['RETRIEVAL_QUERY', 768], [undefined, 768]]);
    await fake.close();
  });
});
