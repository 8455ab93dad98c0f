import { and, desc, eq, gt, isNull, lt, or, sql } from 'drizzle-orm';
import { AgentStreamError } from '../base/errors.js';
import { capabilityUuid, isUuid } from '../base/ids.js';
import type { Database, Queryable } from './database.js';
import { chats } from './schema.js';
import type { ChatBounds, ChatPlace, ChatStore, StoredChat } from './store.js';

const chatColumns = {
  id: chats.id,
  organizationId: chats.organizationId,
  agentUuid: chats.agentUuid,
  record: chats.record,
  createdAt: chats.createdAt,
  expiresAt: chats.expiresAt,
};

const fromNow = (delayMs: number) => sql`now() + make_interval(secs => ${delayMs / 1000}::double precision)`;
const isKept = gt(chats.expiresAt, sql`now()`);
const isWhole = ({ organizationId, agentUuid, id }: ChatPlace) => [organizationId, agentUuid, id].every(isUuid);
const at = ({ organizationId, agentUuid, id }: ChatPlace) =>
  and(eq(chats.organizationId, organizationId), eq(chats.agentUuid, agentUuid), eq(chats.id, id), isKept);

/** Makes the organization's other claims wait: the limits are exact over all nodes. Held until the transaction ends. */
async function lockOrganization(transaction: Queryable, organizationId: string): Promise<void> {
  await transaction.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${`chats:${organizationId}`}, 0))`);
}

async function refuseBeyond(transaction: Queryable, organizationId: string, { maxClaimed }: ChatBounds): Promise<void> {
  const [row] = await transaction
    .select({ claimed: sql<number>`count(*)::int` })
    .from(chats)
    .where(and(eq(chats.organizationId, organizationId), gt(chats.claimedUntil, sql`now()`)));
  if ((row?.claimed ?? 0) < maxClaimed) return;
  throw new AgentStreamError('concurrency-limit', { message: `${maxClaimed} chats of the organization are at a turn already. Try again in a moment.` });
}

/** Chats in PostgreSQL. */
export function createChatStore({ orm }: Pick<Database, 'orm'>): ChatStore {
  return {
    create: ({ organizationId, agentUuid }, record, bounds) =>
      orm.transaction(async (transaction) => {
        await lockOrganization(transaction, organizationId);
        await transaction.delete(chats).where(lt(chats.expiresAt, sql`now()`));
        const [held] = await transaction.select({ count: sql<number>`count(*)::int` }).from(chats).where(eq(chats.organizationId, organizationId));
        if ((held?.count ?? 0) >= bounds.maxChats) {
          throw new AgentStreamError('conflict', { message: `There are ${bounds.maxChats} chats already. Delete some.` });
        }
        await refuseBeyond(transaction, organizationId, bounds);
        const claim = capabilityUuid();
        const row = { id: capabilityUuid(), organizationId, agentUuid, record, claim, claimedUntil: fromNow(bounds.claimMs), expiresAt: fromNow(bounds.lifetimeMs) };
        const [chat] = await transaction.insert(chats).values(row).returning(chatColumns);
        if (chat === undefined) throw new Error('INSERT returned no row');
        return { ...chat, claim };
      }),

    async list(organizationId, agentUuid) {
      if (!isUuid(organizationId) || !isUuid(agentUuid)) return [];
      const within = and(eq(chats.organizationId, organizationId), eq(chats.agentUuid, agentUuid), isKept);
      return orm.select(chatColumns).from(chats).where(within).orderBy(desc(chats.createdAt), desc(chats.id));
    },

    async get(place) {
      if (!isWhole(place)) return null;
      const [chat] = await orm.select(chatColumns).from(chats).where(at(place));
      return chat ?? null;
    },

    async claim(place, bounds) {
      if (!isWhole(place)) return null;
      return orm.transaction(async (transaction) => {
        await lockOrganization(transaction, place.organizationId);
        const [known] = await transaction.select({ id: chats.id }).from(chats).where(at(place));
        if (known === undefined) return null;
        const claim = capabilityUuid();
        const isFree = or(isNull(chats.claimedUntil), lt(chats.claimedUntil, sql`now()`));
        const [chat] = await transaction
          .update(chats)
          .set({ claim, claimedUntil: fromNow(bounds.claimMs) })
          .where(and(at(place), isFree))
          .returning(chatColumns);
        if (chat === undefined) throw new AgentStreamError('conflict', { message: 'The chat is at another turn. Wait for its answer.' });
        // Its own claim counts by now.
        await refuseBeyond(transaction, place.organizationId, { ...bounds, maxClaimed: bounds.maxClaimed + 1 });
        return { ...chat, claim };
      });
    },

    async save({ id, claim }, record, { lifetimeMs }) {
      const saved: StoredChat[] = await orm
        .update(chats)
        .set({ record, claim: null, claimedUntil: null, expiresAt: fromNow(lifetimeMs) })
        .where(and(eq(chats.id, id), eq(chats.claim, claim)))
        .returning(chatColumns);
      return saved[0] ?? null;
    },

    async release({ id, claim }) {
      await orm
        .update(chats)
        .set({ claim: null, claimedUntil: null })
        .where(and(eq(chats.id, id), eq(chats.claim, claim)));
    },

    async delete(place) {
      if (!isWhole(place)) return false;
      const deleted = await orm.delete(chats).where(at(place)).returning({ id: chats.id });
      return deleted.length > 0;
    },
  };
}
