import { EventEmitter } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { systemClock } from '../base/clock.js';
import { createLocalIndexHost, type HostedIndex, type IndexHost } from './index-host.js';
import { ANSWER_TIMEOUT_MS, createIndexThread } from './index-thread.js';

const document = { uuid: 'handbook', name: 'Handbook.md' };
const chunks = ['A bicycle can be returned.', 'We are open from nine.', 'Punctures are repaired.'].map((text, position) => ({ position, heading: [], page: null, text }));
const vectorAt = (axis: number) => Float32Array.from({ length: 4 }, (_, at) => (at === axis ? 1 : 0));
const positions = async (index: HostedIndex, text: string, axis: number | null = null, minSimilarity = 0.5) => {
  const vector = axis === null ? null : { values: vectorAt(axis), minSimilarity };
  return (await index.search({ text, vector })).map(({ position }) => position);
};

const hosts: readonly (readonly [string, () => IndexHost])[] = [
  ['on this thread', createLocalIndexHost],
  ['in a thread of its own', () => createIndexThread(systemClock)],
];

describe.each(hosts)('indexes kept %s', (_name, create) => {
  let host: IndexHost;
  afterEach(() => host.close());

  it('find by words, and by vectors once there are some', async () => {
    host = create();
    const index = host.open();
    await index.add(document, chunks.slice(0, 2));
    await index.add(document, chunks.slice(2));
    expect(await positions(index, 'bicycle')).toEqual([0]);
    expect(await positions(index, 'bicycle', 2)).toEqual([0]);
    const all = new Float32Array([...vectorAt(0), ...vectorAt(1), ...vectorAt(2)]);
    await index.addVectors('handbook', [0, 1, 2].map((position) => ({ position, values: all.subarray(4 * position, 4 * position + 4) })));
    expect(await positions(index, 'bicycle')).toEqual([0]);
    expect(await positions(index, 'bicycle', 2)).toEqual([0, 2]);
    expect(await positions(index, 'a flat tyre', 2)).toEqual([2]);
    expect(await positions(index, 'weather', 3)).toEqual([]);
    expect(await index.search({ text: 'bicycle', vector: null, limit: 1 })).toEqual([
      { documentUuid: 'handbook', documentName: 'Handbook.md', position: 0, heading: [], page: null, text: 'A bicycle can be returned.', score: expect.any(Number) as number },
    ]);
  });

  it('pass over vectors of parts that they do not have, and of other lengths', async () => {
    host = create();
    const index = host.open();
    await index.add(document, chunks);
    await index.addVectors('other', [{ position: 0, values: vectorAt(0) }]);
    await index.addVectors('handbook', [{ position: 9, values: vectorAt(0) }, { position: 1, values: Float32Array.of(1, 0) }]);
    expect(await positions(index, 'nothing', 0)).toEqual([]);
  });

  it('know nothing of each other', async () => {
    host = create();
    const [first, second] = [host.open(), host.open()];
    await first.add(document, chunks);
    await second.add(document, chunks.slice(1, 2));
    second.close();
    second.close();
    expect(await positions(first, 'bicycle')).toEqual([0]);
  });
});

describe('a thread of indexes', () => {
  let host: IndexHost;
  afterEach(() => host.close());

  it('that dies costs what it was asked; the next index has another', async () => {
    const workers: Worker[] = [];
    const start = () => {
      const worker = new Worker(`const { parentPort } = require('node:worker_threads'); parentPort.on('message', ({ requestId }) => parentPort.postMessage({ requestId, passages: [] }))`, { eval: true });
      workers.push(worker);
      return worker;
    };
    host = createIndexThread(systemClock, start);
    const index = host.open();
    await index.add(document, chunks);
    await workers[0]?.terminate();
    await expect(positions(index, 'bicycle')).rejects.toMatchObject({ code: 'internal-error', message: 'The documents’ index was lost.' });
    const next = host.open();
    expect(await positions(next, 'bicycle')).toEqual([]);
    expect(workers).toHaveLength(2);
  });

  it('that does not answer is ended', async () => {
    const clock = createVirtualClock();
    let isTerminated = false;
    const silent = Object.assign(new EventEmitter(), { unref: () => undefined, postMessage: () => undefined, terminate: async () => void (isTerminated = true) });
    host = createIndexThread(clock, () => silent as unknown as Worker);
    const index = host.open();
    const outcomes = Promise.allSettled([positions(index, 'one'), positions(index, 'two')]);
    await clock.advance(ANSWER_TIMEOUT_MS);
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(isTerminated).toBe(true);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('turns more away than it can hold, and everything once it is closed', async () => {
    const silent = Object.assign(new EventEmitter(), { unref: () => undefined, postMessage: () => undefined, terminate: async () => undefined });
    host = createIndexThread(createVirtualClock(), () => silent as unknown as Worker);
    const index = host.open();
    const waiting = Promise.allSettled(Array.from({ length: 1000 }, () => positions(index, 'one')));
    await expect(positions(index, 'one too many')).rejects.toMatchObject({ code: 'rate-limited' });
    await host.close();
    expect(new Set((await waiting).map(({ status }) => status))).toEqual(new Set(['rejected']));
    await expect(positions(index, 'late')).rejects.toMatchObject({ code: 'server-going-away' });
    expect(() => host.open()).toThrow('The documents’ index is closed.');
  });

  it('tells of a fault of its own, and goes on', async () => {
    host = createIndexThread(systemClock);
    const index = host.open();
    await expect(index.add(document, null as unknown as [])).rejects.toMatchObject({ code: 'internal-error' });
    await index.add(document, chunks);
    expect(await positions(index, 'bicycle')).toEqual([0]);
  });
});
