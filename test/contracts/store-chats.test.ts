import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChatBounds, ChatPlace } from '../../src/store/store.js';
import { openTestStore, type TestStore } from '../support/database.js';
import { createTenant } from './store-fixtures.js';

let test: TestStore;
beforeAll(async () => {
  test = await openTestStore();
});
afterAll(() => test.dispose());

const bounds: ChatBounds = { maxChats: 3, maxClaimed: 2, claimMs: 60_000, lifetimeMs: 60_000 };

async function openTenant() {
  const { organization, agent } = await createTenant(test.store);
  return { organizationId: organization.id, agentUuid: agent.uuid };
}

describe('chats', () => {
  it('are kept as they were saved last, and seen by their organization alone', async () => {
    const { chats } = test.store;
    const owner = await openTenant();
    const other = await openTenant();
    const claimed = await chats.create(owner, { turns: [] }, bounds);
    const saved = await chats.save(claimed, { turns: ['zero \u0000'] }, bounds);
    expect(saved).toMatchObject({ id: claimed.id, ...owner, record: { turns: [expect.stringContaining('zero') as string] } });
    expect(await chats.get(claimed)).toEqual(saved);
    expect(await chats.list(owner.organizationId, owner.agentUuid)).toEqual([saved]);
    const strangers: ChatPlace[] = [
      { ...claimed, organizationId: other.organizationId },
      { ...claimed, agentUuid: other.agentUuid },
      { ...claimed, id: 'nonsense' },
    ];
    for (const place of strangers) {
      expect(await chats.get(place)).toBeNull();
      expect(await chats.claim(place, bounds)).toBeNull();
      expect(await chats.delete(place)).toBe(false);
    }
    expect(await chats.delete(claimed)).toBe(true);
    expect(await chats.get(claimed)).toBeNull();
    expect(await chats.save(claimed, {}, bounds)).toBeNull();
  });

  it('are worked on by one request at a time, until it lets go or its time is over', async () => {
    const { chats } = test.store;
    const place = await chats.create(await openTenant(), {}, bounds);
    await expect(chats.claim(place, bounds)).rejects.toMatchObject({ code: 'conflict', message: 'The chat is at another turn. Wait for its answer.' });
    await chats.release(place);
    const brief = await chats.claim(place, { ...bounds, claimMs: -1 });
    const next = await chats.claim(place, bounds);
    // Whoever came too late changes nothing.
    expect(await chats.save(brief!, { from: 'brief' }, bounds)).toBeNull();
    await chats.release(brief!);
    expect(await chats.save(next!, { from: 'next' }, bounds)).toMatchObject({ record: { from: 'next' } });
  });

  it('are few, and few at a turn at once, whichever node asks', async () => {
    const { chats } = test.store;
    const owner = await openTenant();
    const attempts = await Promise.allSettled([1, 2, 3, 4].map(() => chats.create(owner, {}, bounds)));
    const made = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
    expect(made).toHaveLength(2);
    expect(attempts.flatMap((attempt) => (attempt.status === 'rejected' ? [(attempt.reason as { code: string }).code] : []))).toEqual(['concurrency-limit', 'concurrency-limit']);
    await Promise.all(made.map((chat) => chats.release(chat)));
    const third = await chats.create(owner, {}, bounds);
    expect(await chats.claim(made[0]!, bounds)).not.toBeNull();
    await expect(chats.claim(made[1]!, bounds)).rejects.toMatchObject({ code: 'concurrency-limit' });
    await chats.release(third);
    expect(await chats.claim(made[1]!, bounds)).not.toBeNull();
    await expect(chats.create(owner, {}, bounds)).rejects.toMatchObject({ code: 'conflict', message: 'There are 3 chats already. Delete some.' });
  });

  it('are gone once they have expired', async () => {
    const { chats } = test.store;
    const owner = await openTenant();
    const chat = await chats.create(owner, {}, bounds);
    await chats.save(chat, {}, { ...bounds, lifetimeMs: -1 });
    expect([await chats.get(chat), await chats.claim(chat, bounds), await chats.list(owner.organizationId, owner.agentUuid)]).toEqual([null, null, []]);
    // They count no more.
    for (let count = 0; count < bounds.maxChats; count += 1) await chats.release(await chats.create(owner, {}, bounds));
  });
});
