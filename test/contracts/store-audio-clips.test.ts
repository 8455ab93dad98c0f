import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AudioClipFields } from '../../src/store/store.js';
import { openTestStore, type TestStore } from '../support/database.js';
import { createTenant } from './store-fixtures.js';

let test: TestStore;
beforeAll(async () => {
  test = await openTestStore();
});
afterAll(() => test.dispose());

const unknownUuid = '00000000-0000-4000-8000-000000000000';
const fields: AudioClipFields = { name: 'Welcome', transcript: 'Welcome to “Acme”.', durationMs: 40 };
/** Every byte there is. */
const audio = Uint8Array.from({ length: 320 }, (_, at) => at % 256);

describe('audio clips', () => {
  it('are kept with their sound, and heard by their organization alone', async () => {
    const { organization } = await createTenant(test.store);
    const other = await createTenant(test.store);
    const clips = test.store.audioClips;
    const clip = await clips.create(organization.id, fields, audio);
    expect(clip).toEqual({ ...fields, uuid: clip.uuid, organizationId: organization.id, createdAt: expect.any(Date) as Date });
    expect(await clips.get(organization.id, clip.uuid)).toEqual(clip);
    expect(Uint8Array.from((await clips.audio(organization.id, clip.uuid)) ?? [])).toEqual(audio);

    for (const [organizationId, uuid] of [[other.organization.id, clip.uuid], [organization.id, unknownUuid], [organization.id, 'nonsense']] as const) {
      expect(await clips.get(organizationId, uuid)).toBeNull();
      expect(await clips.audio(organizationId, uuid)).toBeNull();
      expect(await clips.find(organizationId, [uuid])).toEqual([]);
      expect(await clips.delete(organizationId, uuid)).toBe(false);
    }
    expect((await clips.list(other.organization.id, {})).items).toEqual([]);
  });

  it('are listed newest first, page by page, and found in the order they were made in', async () => {
    const { organization } = await createTenant(test.store);
    const clips = test.store.audioClips;
    const made = [];
    for (const name of ['one', 'two', 'three']) made.push(await clips.create(organization.id, { ...fields, name }, audio));
    const first = await clips.list(organization.id, { limit: 2 });
    expect(first.items).toEqual([made[2], made[1]]);
    const second = await clips.list(organization.id, { limit: 2, cursor: first.nextCursor ?? undefined });
    expect([second.items, second.nextCursor]).toEqual([[made[0]], null]);
    const uuids = made.map(({ uuid }) => uuid);
    expect(await clips.find(organization.id, [...uuids.toReversed(), unknownUuid, 'rec_20'])).toEqual(made);
    expect(await clips.find(organization.id, [])).toEqual([]);
  });

  it('go, and their sound with them', async () => {
    const { organization } = await createTenant(test.store);
    const clips = test.store.audioClips;
    const clip = await clips.create(organization.id, { ...fields, name: 'a\0b' }, audio);
    expect(clip.name).toBe('ab');
    expect(await clips.delete(organization.id, clip.uuid)).toBe(true);
    expect(await clips.delete(organization.id, clip.uuid)).toBe(false);
    expect(await clips.audio(organization.id, clip.uuid)).toBeNull();
  });

  it('are two hundred at most', async () => {
    const { organization } = await createTenant(test.store);
    const clips = test.store.audioClips;
    for (let count = 0; count < 200; count += 1) await clips.create(organization.id, fields, Uint8Array.of(1));
    await expect(clips.create(organization.id, fields, audio)).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/at most 200/) as string });
  });
});
