import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DocumentChunk, DocumentFields } from '../../src/store/store.js';
import { openTestStore, type TestStore } from '../support/database.js';
import { createTenant } from './store-fixtures.js';

let test: TestStore;
beforeAll(async () => {
  test = await openTestStore();
});
afterAll(() => test.dispose());

const unknownUuid = '00000000-0000-4000-8000-000000000000';
const fields: DocumentFields = { name: 'Handbook.pdf', mimeType: 'application/pdf', sizeBytes: 5000, mode: 'retrieval', textLength: 11 };
const chunks: readonly DocumentChunk[] = [
  { position: 0, heading: ['A', 'B “quoted”, {braced}'], page: 3, text: 'Hello' },
  { position: 1, heading: [], page: null, text: 'world' },
];

describe('documents', () => {
  it('are kept with their parts, and seen by their organization alone', async () => {
    const { organization } = await createTenant(test.store);
    const other = await createTenant(test.store);
    const document = await test.store.documents.create(organization.id, fields, chunks);
    expect(document).toMatchObject({ ...fields, organizationId: organization.id, chunkCount: 2, createdAt: expect.any(Date) as Date });
    expect(await test.store.documents.get(organization.id, document.uuid)).toEqual(document);
    expect(await test.store.documents.chunks(organization.id, document.uuid)).toEqual(chunks);
    expect(await test.store.documents.chunks(organization.id, document.uuid, { position: 1, limit: 5 })).toEqual([chunks[1]]);
    expect(await test.store.documents.chunks(organization.id, document.uuid, { limit: 1 })).toEqual([chunks[0]]);

    for (const [organizationId, uuid] of [[other.organization.id, document.uuid], [organization.id, unknownUuid], [organization.id, 'nonsense']] as const) {
      expect(await test.store.documents.get(organizationId, uuid)).toBeNull();
      expect(await test.store.documents.chunks(organizationId, uuid)).toEqual([]);
      expect(await test.store.documents.find(organizationId, [uuid])).toEqual([]);
      expect(await test.store.documents.delete(organizationId, uuid)).toBe(false);
    }
    expect((await test.store.documents.list(other.organization.id, {})).items).toEqual([]);
  });

  it('are listed newest first, page by page, and found in the order they were made in', async () => {
    const { organization } = await createTenant(test.store);
    const made = [];
    for (const name of ['one', 'two', 'three']) made.push(await test.store.documents.create(organization.id, { ...fields, name }, []));
    const first = await test.store.documents.list(organization.id, { limit: 2 });
    expect(first.items.map(({ name }) => name)).toEqual(['three', 'two']);
    const second = await test.store.documents.list(organization.id, { limit: 2, cursor: first.nextCursor ?? undefined });
    expect([second.items.map(({ name }) => name), second.nextCursor]).toEqual([['one'], null]);
    const uuids = made.map(({ uuid }) => uuid);
    expect((await test.store.documents.find(organization.id, [...uuids.toReversed(), unknownUuid])).map(({ name }) => name)).toEqual(['one', 'two', 'three']);
    expect(await test.store.documents.find(organization.id, [])).toEqual([]);
  });

  it('go with their parts', async () => {
    const { organization } = await createTenant(test.store);
    const document = await test.store.documents.create(organization.id, fields, chunks);
    expect(await test.store.documents.delete(organization.id, document.uuid)).toBe(true);
    expect(await test.store.documents.delete(organization.id, document.uuid)).toBe(false);
    expect(await test.store.documents.chunks(organization.id, document.uuid)).toEqual([]);
  });

  it('may have thousands of parts, and text that PostgreSQL cannot hold as it is', async () => {
    const { organization } = await createTenant(test.store);
    const many = Array.from({ length: 2500 }, (_, position) => ({ position, heading: ['\0H'], page: null, text: `\ud800${position}` }));
    const document = await test.store.documents.create(organization.id, { ...fields, name: 'a\0b' }, many);
    expect(document).toMatchObject({ name: 'ab', chunkCount: 2500 });
    const stored = await test.store.documents.chunks(organization.id, document.uuid);
    expect(stored).toHaveLength(2500);
    expect(stored[2499]).toEqual({ position: 2499, heading: ['H'], page: null, text: '\ufffd2499' });
  });
});
