import { createHash } from 'node:crypto';
import { and, asc, eq, sql } from 'drizzle-orm';
import { isUuid, randomSecret, uuidv7 } from '../base/ids.js';
import { queryRows, type Database, type Queryable } from './database.js';
import { storableText } from './encode-json.js';
import { apiKeys, organizations, users } from './schema.js';
import type { AccountStore, ApiKey, Organization, Principal, User } from './store.js';

/** Calls a new organization may hold at once. */
const DEFAULT_CONCURRENT_CALLS = 100;
/** Advisory lock under which the first organization is created. */
const FIRST_ORGANIZATION_LOCK_ID = 7_316_402_553;
/** Random bytes of a generated API key. */
const API_KEY_BYTES = 32;
const API_KEY_PREFIX = 'as_';
/** Characters of a key shown to tell keys apart. */
const SHOWN_CHARACTERS = 8;

const organizationColumns = {
  id: organizations.id,
  name: organizations.name,
  concurrentCalls: organizations.concurrentCalls,
  defaultModels: organizations.defaultModels,
};
const userColumns = { id: users.id, organizationId: users.organizationId, email: users.email };
const apiKeyColumns = {
  id: apiKeys.id,
  organizationId: apiKeys.organizationId,
  userId: apiKeys.userId,
  name: apiKeys.name,
  prefix: apiKeys.prefix,
  createdAt: apiKeys.createdAt,
  lastUsedAt: apiKeys.lastUsedAt,
  expiresAt: apiKeys.expiresAt,
};

/** SHA-256: keys and tokens are random, so that no slow hash is needed. */
export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Organizations, users and API keys in PostgreSQL. */
export function createAccountStore({ orm, callerOrm, pool, clock }: Database): AccountStore {
  const newId = () => uuidv7(clock.wallMs());
  return {
    isEmpty: () => isEmpty(orm),

    createOrganization: (input) => orm.transaction((transaction) => insertOrganization(transaction, input, newId)),

    createFirstOrganization: (input) =>
      orm.transaction(async (transaction) => {
        await transaction.execute(sql`SELECT pg_advisory_xact_lock(${FIRST_ORGANIZATION_LOCK_ID})`);
        if (!(await isEmpty(transaction))) return null;
        const { organization, owner } = await insertOrganization(transaction, input, newId);
        const { key } = await insertApiKey(transaction, { organizationId: organization.id, userId: owner.id, ...input.apiKey }, newId);
        return { organization, owner, key };
      }),

    async getOrganization(id) {
      if (!isUuid(id)) return null;
      const [organization] = await callerOrm.select(organizationColumns).from(organizations).where(eq(organizations.id, id));
      return organization ?? null;
    },

    async updateOrganization(id, change) {
      if (!isUuid(id)) return null;
      // Naming the id keeps an empty change a valid statement.
      const values = {
        id,
        ...(change.concurrentCalls === undefined ? {} : { concurrentCalls: change.concurrentCalls }),
        ...(change.defaultModels === undefined ? {} : { defaultModels: change.defaultModels }),
      };
      const [organization] = await orm.update(organizations).set(values).where(eq(organizations.id, id)).returning(organizationColumns);
      return organization ?? null;
    },

    async getPrices(organizationId) {
      if (!isUuid(organizationId)) return null;
      const [row] = await callerOrm
        .select({ prices: organizations.prices, updatedAt: organizations.pricesUpdatedAt })
        .from(organizations)
        .where(eq(organizations.id, organizationId));
      const { prices = null, updatedAt = null } = row ?? {};
      return prices === null || updatedAt === null ? null : { prices, updatedAt };
    },

    async putPrices(organizationId, prices) {
      if (!isUuid(organizationId)) return;
      const values = { prices, pricesUpdatedAt: prices === null ? null : sql`now()` };
      await orm.update(organizations).set(values).where(eq(organizations.id, organizationId));
    },

    async listUsers(organizationId) {
      if (!isUuid(organizationId)) return [];
      return orm.select(userColumns).from(users).where(eq(users.organizationId, organizationId)).orderBy(asc(users.id));
    },

    createApiKey: (input) => insertApiKey(orm, input, newId),

    async authenticate(key): Promise<Principal | null> {
      const [principal] = await queryRows<{ organizationId: string; userId: string; apiKeyId: string }>(pool, authenticateSql, [hashSecret(key)]);
      return principal ?? null;
    },

    async listApiKeys(organizationId): Promise<readonly ApiKey[]> {
      if (!isUuid(organizationId)) return [];
      return orm.select(apiKeyColumns).from(apiKeys).where(eq(apiKeys.organizationId, organizationId)).orderBy(sql`${apiKeys.id} DESC`);
    },

    async deleteApiKey(organizationId, id) {
      if (!isUuid(organizationId) || !isUuid(id)) return false;
      const deleted = await orm
        .delete(apiKeys)
        .where(and(eq(apiKeys.organizationId, organizationId), eq(apiKeys.id, id)))
        .returning({ id: apiKeys.id });
      return deleted.length > 0;
    },
  };
}

async function isEmpty(database: Queryable): Promise<boolean> {
  return (await database.select({ id: organizations.id }).from(organizations).limit(1)).length === 0;
}

async function insertOrganization(
  transaction: Queryable,
  input: { name: string; ownerEmail: string },
  newId: () => string,
): Promise<{ organization: Organization; owner: User }> {
  const [organization] = await transaction
    .insert(organizations)
    .values({ id: newId(), name: storableText(input.name), concurrentCalls: DEFAULT_CONCURRENT_CALLS })
    .returning(organizationColumns);
  if (organization === undefined) throw new Error('INSERT returned no row');
  const [owner] = await transaction
    .insert(users)
    .values({ id: newId(), organizationId: organization.id, email: storableText(input.ownerEmail).trim().toLowerCase() })
    .returning(userColumns);
  if (owner === undefined) throw new Error('INSERT returned no row');
  return { organization, owner };
}

async function insertApiKey(
  database: Queryable,
  input: Parameters<AccountStore['createApiKey']>[0],
  newId: () => string,
): Promise<{ apiKey: ApiKey; key: string }> {
  const key = input.key ?? API_KEY_PREFIX + randomSecret(API_KEY_BYTES);
  const [apiKey] = await database
    .insert(apiKeys)
    .values({
      id: newId(),
      organizationId: input.organizationId,
      userId: input.userId,
      name: storableText(input.name),
      prefix: storableText(key.slice(0, SHOWN_CHARACTERS)),
      keyHash: hashSecret(key),
      expiresAt: input.expiresAt ?? null,
    })
    .returning(apiKeyColumns);
  if (apiKey === undefined) throw new Error('INSERT returned no row');
  return { apiKey, key };
}

/** Looks the key up and stamps its use at most once a minute, so that a busy key costs no write per request. */
const authenticateSql = `
WITH found AS (
  SELECT id, organization_id, user_id, last_used_at FROM api_keys WHERE key_hash = $1 AND (expires_at IS NULL OR expires_at > now())
), stamped AS (
  UPDATE api_keys SET last_used_at = now()
  WHERE id IN (SELECT id FROM found WHERE last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
)
SELECT organization_id AS "organizationId", user_id AS "userId", id AS "apiKeyId" FROM found`;
