import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClaimedEmbedding, DocumentChunk, DocumentFields, KnowledgeDocument, StoredVector, VectorModel } from '../../src/store/store.js';
import { openTestStore, type TestStore } from '../support/database.js';
import { createTenant } from './store-fixtures.js';

let test: TestStore;
let client: pg.Client;
beforeAll(async () => {
  test = await openTestStore();
  client = new pg.Client(test.poolConfig);
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await test.dispose();
});

const fields: DocumentFields = { name: 'Handbook.pdf', mimeType: 'application/pdf', sizeBytes: 5000, mode: 'retrieval', textLength: 11 };
const chunks: readonly DocumentChunk[] = [0, 1, 2].map((position) => ({ position, heading: [], page: null, text: `part ${position}` }));
const small: VectorModel = { vendor: 'openai', model: 'text-embedding-3-small', dimensions: null };
const large: VectorModel = { ...small, dimensions: 256 };
const settings = { embeddings: { vendor: 'openai' } };
const vectorsOf = (positions: readonly number[]): StoredVector[] => positions.map((position) => ({ position, vector: Buffer.from([position, 0, 255]) }));

/** Jobs of a kind that wait on the queue. */
async function jobs(kind: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ key: string }>(`SELECT j.key FROM graphile_worker.jobs j WHERE j.task_identifier = $1`, [kind]);
  return rows.map(({ key }) => key);
}

async function createOrganization(defaultModels: unknown): Promise<string> {
  const { organization } = await createTenant(test.store);
  await test.store.accounts.updateOrganization(organization.id, { defaultModels });
  return organization.id;
}

const create = (organizationId: string, change: Partial<DocumentFields> = {}) => test.store.documents.create(organizationId, { ...fields, ...change }, chunks);

async function claim(uuid: string): Promise<ClaimedEmbedding> {
  const claimed = await test.store.embeddings.claim(uuid, 60_000);
  if (typeof claimed === 'string') throw new Error(`The claim gave ${claimed}`);
  return claimed;
}

async function embed(organizationId: string, uuid: string, model: VectorModel): Promise<void> {
  const { claim: held } = await claim(uuid);
  await test.store.embeddings.restart(uuid, held, model);
  await test.store.embeddings.append(uuid, held, vectorsOf([0, 1]));
  await test.store.embeddings.append(uuid, held, vectorsOf([2]));
  expect(await test.store.embeddings.settle(uuid, held, null)).toBe(true);
  expect(await embeddingOf(organizationId, uuid)).toEqual({ status: 'ready', model, embeddedChunks: 3, failure: null });
}

const embeddingOf = async (organizationId: string, uuid: string): Promise<KnowledgeDocument['embedding'] | undefined> => (await test.store.documents.get(organizationId, uuid))?.embedding;
const positionsOf = async (organizationId: string, uuid: string, model: VectorModel, range = { position: 0, limit: 10 }) =>
  (await test.store.documents.vectors(organizationId, uuid, model, range)).map(({ position }) => position);

describe('documents of an organization with an embedding model', () => {
  it('wait for it from their upload on, each with its job; those that are shown whole do not', async () => {
    const organizationId = await createOrganization(settings);
    const document = await create(organizationId);
    const waiting = { status: 'processing', model: null, embeddedChunks: 0, failure: null };
    expect(document.embedding).toEqual(waiting);
    expect(await embeddingOf(organizationId, document.uuid)).toEqual(waiting);
    expect((await test.store.documents.find(organizationId, [document.uuid]))[0]?.embedding).toEqual(waiting);
    expect((await test.store.documents.list(organizationId, {})).items[0]?.embedding).toEqual(waiting);
    expect(await jobs('embed-document')).toContain(`embedding:${document.uuid}`);
    const whole = await create(organizationId, { mode: 'full' });
    expect(whole.embedding).toBeNull();
    expect(await test.store.embeddings.claim(whole.uuid, 1000)).toBe('done');
  });

  it('have no work without one', async () => {
    for (const models of [null, {}, { llm: { vendor: 'openai' } }]) {
      const document = await create(await createOrganization(models));
      expect(document.embedding).toBeNull();
      expect(await test.store.embeddings.claim(document.uuid, 1000)).toBe('done');
    }
  });

  it('get their vectors a few at a time, which are given once they are all there, by their model, to their organization', async () => {
    const organizationId = await createOrganization(settings);
    const { uuid } = await create(organizationId);
    const claimed = await claim(uuid);
    expect(claimed).toMatchObject({ documentUuid: uuid, organizationId, documentName: fields.name, model: null, embeddedChunks: 0, chunkCount: 3, tries: 1 });
    expect(await test.store.embeddings.restart(uuid, claimed.claim, small)).toBe(true);
    expect(await test.store.embeddings.append(uuid, claimed.claim, vectorsOf([0, 1]))).toBe(true);
    expect(await embeddingOf(organizationId, uuid)).toEqual({ status: 'processing', model: small, embeddedChunks: 2, failure: null });
    expect(await positionsOf(organizationId, uuid, small)).toEqual([]);
    expect(await test.store.embeddings.append(uuid, claimed.claim, vectorsOf([2]))).toBe(true);
    expect(await test.store.embeddings.settle(uuid, claimed.claim, null)).toBe(true);
    expect(await test.store.documents.vectors(organizationId, uuid, small, { position: 1, limit: 1 })).toEqual(vectorsOf([1]));
    expect(await positionsOf(organizationId, uuid, small)).toEqual([0, 1, 2]);
    expect(await positionsOf(organizationId, uuid, large)).toEqual([]);
    expect(await positionsOf(await createOrganization(settings), uuid, small)).toEqual([]);
    expect(await test.store.embeddings.claim(uuid, 1000)).toBe('done');
  });

  it('are worked on by one attempt at a time; what one writes that has lost its claim is dropped', async () => {
    const organizationId = await createOrganization(settings);
    const { uuid } = await create(organizationId);
    const lapsed = await test.store.embeddings.claim(uuid, -1);
    const first = (lapsed as ClaimedEmbedding).claim;
    const second = await claim(uuid);
    expect(second.tries).toBe(2);
    expect(await test.store.embeddings.claim(uuid, 1000)).toBe('busy');
    expect(await test.store.embeddings.restart(uuid, first, small)).toBe(false);
    expect(await test.store.embeddings.append(uuid, first, vectorsOf([0]))).toBe(false);
    expect(await test.store.embeddings.settle(uuid, first, null)).toBe(false);
    expect(await test.store.embeddings.postpone(uuid, first, 0, null)).toBe(false);
    expect(await test.store.embeddings.restart(uuid, second.claim, small)).toBe(true);
    await test.store.documents.delete(organizationId, uuid);
    expect(await test.store.embeddings.append(uuid, second.claim, vectorsOf([0]))).toBe(false);
    expect(await test.store.embeddings.claim(uuid, 1000)).toBe('done');
  });

  it('may follow each other in their lane, without their jobs', async () => {
    const organizationId = await createOrganization(settings);
    const uuids: string[] = [];
    for (let count = 0; count < 3; count += 1) uuids.push((await create(organizationId)).uuid);
    const first = await claim(uuids[0] ?? '');
    const later = await claim(uuids[2] ?? '');
    await test.store.embeddings.postpone(uuids[2] ?? '', later.claim, 60_000, { code: 'vendor-unreachable', message: '' });
    expect(first.lane).toMatch(/^embedding:[0-3]$/);
    const others = [];
    for (let next = await test.store.embeddings.claimNext(first.lane, 60_000); next !== null; next = await test.store.embeddings.claimNext(first.lane, 60_000)) others.push(next.documentUuid);
    expect(others.filter((uuid) => uuids.includes(uuid))).toEqual([uuids[1]]);
    expect(await test.store.embeddings.claim(uuids[1] ?? '', 1000)).toBe('busy');
  });

  it('keep why an attempt failed, go on where it stopped, and count anew what came further', async () => {
    const organizationId = await createOrganization(settings);
    const { uuid } = await create(organizationId);
    const failure = { code: 'vendor-unreachable', message: 'No \0answer' };
    const first = await claim(uuid);
    await test.store.embeddings.restart(uuid, first.claim, small);
    expect(await test.store.embeddings.postpone(uuid, first.claim, 0, failure)).toBe(true);
    expect(await embeddingOf(organizationId, uuid)).toMatchObject({ status: 'processing', failure: { code: 'vendor-unreachable', message: 'No answer' } });
    const second = await claim(uuid);
    expect([second.tries, second.model]).toEqual([2, small]);
    await test.store.embeddings.append(uuid, second.claim, vectorsOf([0]));
    await test.store.embeddings.postpone(uuid, second.claim, 0, failure);
    const third = await claim(uuid);
    expect([third.tries, third.embeddedChunks]).toEqual([2, 1]);
    expect(await test.store.embeddings.settle(uuid, third.claim, failure)).toBe(true);
    expect(await embeddingOf(organizationId, uuid)).toMatchObject({ status: 'failed', embeddedChunks: 1 });
    expect(await test.store.embeddings.claim(uuid, 1000)).toBe('done');
  });
});

describe('a change of the embedding model', () => {
  it('is a job, which has every document looked over; other changes are none', async () => {
    const organizationId = await createOrganization(null);
    const keys = async () => (await jobs('queue-embeddings')).filter((key) => key === `embeddings:${organizationId}`).length;
    await test.store.accounts.updateOrganization(organizationId, { defaultModels: { llm: { vendor: 'openai' } } });
    await test.store.accounts.updateOrganization(organizationId, { concurrentCalls: 5 });
    expect(await keys()).toBe(0);
    await test.store.accounts.updateOrganization(organizationId, { defaultModels: settings });
    expect(await keys()).toBe(1);
  });

  it('embeds what there is, keeps vectors until the next attempt, and forgets them where there is no model any more', async () => {
    const organizationId = await createOrganization(null);
    const { uuid } = await create(organizationId);
    await test.store.accounts.updateOrganization(organizationId, { defaultModels: settings });
    await test.store.embeddings.queueAll(organizationId);
    await embed(organizationId, uuid, small);

    await test.store.embeddings.queueAll(organizationId);
    expect(await embeddingOf(organizationId, uuid)).toMatchObject({ status: 'processing', model: small, embeddedChunks: 3 });
    expect(await positionsOf(organizationId, uuid, small)).toEqual([0, 1, 2]);
    await embed(organizationId, uuid, large);
    expect(await positionsOf(organizationId, uuid, small)).toEqual([]);
    expect(await positionsOf(organizationId, uuid, large)).toEqual([0, 1, 2]);

    await test.store.accounts.updateOrganization(organizationId, { defaultModels: {} });
    await test.store.embeddings.queueAll(organizationId);
    expect(await embeddingOf(organizationId, uuid)).toBeNull();
    const { rows } = await client.query('SELECT 1 FROM document_vectors WHERE document_uuid = $1', [uuid]);
    expect(rows).toEqual([]);
  });

  it('takes the claim of an attempt that is under way', async () => {
    const organizationId = await createOrganization(settings);
    const { uuid } = await create(organizationId);
    const claimed = await claim(uuid);
    await test.store.embeddings.queueAll(organizationId);
    expect(await test.store.embeddings.append(uuid, claimed.claim, vectorsOf([0]))).toBe(false);
    expect((await claim(uuid)).tries).toBe(1);
  });
});
