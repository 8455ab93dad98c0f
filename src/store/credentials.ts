import { and, asc, eq, sql } from 'drizzle-orm';
import { AgentStreamError } from '../base/errors.js';
import { capabilityUuid, isUuid } from '../base/ids.js';
import type { Database } from './database.js';
import { encodeJson, storableText } from './encode-json.js';
import { credentials } from './schema.js';
import type { SecretPlace, Secrets } from './secrets.js';
import type { Credential, CredentialStore, RequestCredential } from './store.js';

/** Most credentials of an organization. */
const MAX_CREDENTIALS = 200;
/** Names of users that a refusal to delete tells. */
const MAX_TOLD_USERS = 5;

/** What is sealed of a credential, and where. */
type SealedRow = Pick<typeof credentials.$inferSelect, 'uuid' | 'organizationId' | 'fieldsSealed'>;

const placeOf = ({ uuid, organizationId }: Omit<SealedRow, 'fieldsSealed'>): SecretPlace => ({ table: 'credentials', rowId: uuid, organizationId });

/** The fields of a sealed credential. @throws AgentStreamError `secret-key-mismatch` */
export const openCredential = (row: SealedRow, secrets: Secrets): RequestCredential =>
  JSON.parse(secrets.open(placeOf(row), row.fieldsSealed)) as RequestCredential;

/** What names a credential. */
interface CredentialUser extends Record<string, unknown> {
  readonly kind: 'tool' | 'agent';
  readonly name: string;
}

/**
 * Tools that name the credential, and agents in use whose draft or published version does: its UUID stands in the document, and no
 * document is taken apart for it.
 */
const usersOf = (organizationId: string, uuid: string) => sql`
  SELECT 'tool' AS kind, name FROM tools WHERE organization_id = ${organizationId} AND credential_uuid = ${uuid}
  UNION ALL
  SELECT DISTINCT 'agent', agent.name FROM agents agent JOIN agent_versions version ON version.agent_uuid = agent.uuid
  WHERE agent.organization_id = ${organizationId} AND agent.archived_at IS NULL AND version.status IN ('draft', 'published')
    AND position(${uuid.toLowerCase()} in version.workflow::text) > 0
  LIMIT ${MAX_TOLD_USERS + 1}`;

function inUse(users: readonly CredentialUser[]): AgentStreamError {
  const names = users.slice(0, MAX_TOLD_USERS).map(({ kind, name }) => `the ${kind} “${name}”`);
  const more = users.length > MAX_TOLD_USERS ? ' and others' : '';
  return new AgentStreamError('conflict', { message: `The credential is used by ${names.join(', ')}${more}. Take it out there first; to replace a secret, change the credential.` });
}

/** Credentials of requests in PostgreSQL, sealed. */
export function createCredentialStore({ orm, callerOrm }: Database, secrets: Secrets): CredentialStore {
  const within = (organizationId: string, uuid: string) => and(eq(credentials.organizationId, organizationId), eq(credentials.uuid, uuid));
  const open = ({ fieldsSealed, ...row }: typeof credentials.$inferSelect): Credential => ({ ...row, fields: openCredential({ ...row, fieldsSealed }, secrets) });

  return {
    async create({ organizationId, name, fields }) {
      const count = await orm.$count(credentials, eq(credentials.organizationId, organizationId));
      if (count >= MAX_CREDENTIALS) throw new AgentStreamError('conflict', { message: `There are ${MAX_CREDENTIALS} credentials already. Delete some.` });
      const place = { uuid: capabilityUuid(), organizationId };
      const fieldsSealed = secrets.seal(placeOf(place), encodeJson(fields));
      const [row] = await orm.insert(credentials).values({ ...place, name: storableText(name), fieldsSealed }).returning();
      if (row === undefined) throw new Error('INSERT returned no row');
      return open(row);
    },

    async list(organizationId) {
      if (!isUuid(organizationId)) return [];
      const rows = await orm.select().from(credentials).where(eq(credentials.organizationId, organizationId)).orderBy(asc(credentials.createdAt), asc(credentials.uuid));
      return rows.map(open);
    },

    async uuids(organizationId) {
      if (!isUuid(organizationId)) return new Set();
      const rows = await orm.select({ uuid: credentials.uuid }).from(credentials).where(eq(credentials.organizationId, organizationId));
      return new Set(rows.map(({ uuid }) => uuid));
    },

    async get(organizationId, uuid) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return null;
      const [row] = await callerOrm.select().from(credentials).where(within(organizationId, uuid));
      return row === undefined ? null : open(row);
    },

    async update(organizationId, uuid, { name, fields }) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return null;
      const change = {
        ...(name === undefined ? {} : { name: storableText(name) }),
        ...(fields === undefined ? {} : { fieldsSealed: secrets.seal(placeOf({ uuid, organizationId }), encodeJson(fields)) }),
      };
      const [row] = await orm.update(credentials).set({ ...change, updatedAt: sql`now()` }).where(within(organizationId, uuid)).returning();
      return row === undefined ? null : open(row);
    },

    async delete(organizationId, uuid) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return false;
      return orm.transaction(async (transaction) => {
        // Nothing names it anew meanwhile.
        const [locked] = await transaction.select({ uuid: credentials.uuid }).from(credentials).where(within(organizationId, uuid)).for('update');
        if (locked === undefined) return false;
        const { rows } = await transaction.execute<CredentialUser>(usersOf(organizationId, uuid));
        if (rows.length > 0) throw inUse(rows);
        await transaction.delete(credentials).where(within(organizationId, uuid));
        return true;
      });
    },
  };
}
