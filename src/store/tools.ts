import { and, asc, eq, getTableColumns, sql } from 'drizzle-orm';
import { AgentStreamError } from '../base/errors.js';
import { capabilityUuid, isUuid } from '../base/ids.js';
import { openCredential } from './credentials.js';
import { notifyWithin, type Database, type Queryable } from './database.js';
import { encodeJson, storableText } from './encode-json.js';
import { credentials, tools } from './schema.js';
import type { SecretPlace, Secrets } from './secrets.js';
import type { NotificationPayloads, RequestCredential, Tool, ToolChange, ToolCredential, ToolStore } from './store.js';

/** Most tools of an organization. */
const MAX_TOOLS = 500;

const placeOf = (uuid: string, organizationId: string): SecretPlace => ({ table: 'tools', rowId: uuid, organizationId });

const { credentialSealed, ...plainColumns } = getTableColumns(tools);
/** A tool as the domain sees it: its credential is opened where it is sent, and nowhere else. */
const toolColumns = { ...plainColumns, hasCredential: sql<boolean>`${credentialSealed} IS NOT NULL` };

const within = (organizationId: string, uuid: string) => and(eq(tools.organizationId, organizationId), eq(tools.uuid, uuid));

const rowOf = (fields: Omit<ToolChange, 'credential'>) => ({
  ...(fields.name === undefined ? {} : { name: storableText(fields.name) }),
  ...(fields.description === undefined ? {} : { description: storableText(fields.description) }),
  ...(fields.kind === undefined ? {} : { kind: fields.kind }),
  ...(fields.config === undefined ? {} : { config: fields.config }),
  ...(fields.filler === undefined ? {} : { filler: fields.filler }),
});

/** Tools in PostgreSQL. Every change tells the nodes to forget the organization's agents. */
export function createToolStore(
  database: Database & { readonly onToolsChanged: (change: NotificationPayloads['tools_changed']) => void },
  secrets: Secrets,
): ToolStore {
  const { orm, callerOrm, onToolsChanged } = database;
  const credentialRow = (uuid: string, organizationId: string, credential: ToolCredential) => ({
    credentialSealed: credential !== null && 'own' in credential ? secrets.seal(placeOf(uuid, organizationId), encodeJson(credential.own)) : null,
    credentialUuid: credential !== null && 'uuid' in credential ? credential.uuid : null,
  });

  /** The stored credential stays until the transaction is over. */
  async function holdCredential(transaction: Queryable, organizationId: string, credential: ToolCredential | undefined): Promise<void> {
    if (credential === undefined || credential === null || 'own' in credential) return;
    const isStored = and(eq(credentials.organizationId, organizationId), eq(credentials.uuid, credential.uuid));
    const [held] = await transaction.select({ uuid: credentials.uuid }).from(credentials).where(isStored).for('key share');
    if (held === undefined) throw new AgentStreamError('conflict', { message: 'The credential that the tool names is no more.' });
  }

  async function change<T>(organizationId: string, work: (transaction: Queryable) => Promise<T | null>): Promise<T | null> {
    const result = await orm.transaction(async (transaction) => {
      const done = await work(transaction);
      if (done !== null) await notifyWithin(transaction, 'tools_changed', { organizationId });
      return done;
    });
    if (result !== null) onToolsChanged({ organizationId });
    return result;
  }

  return {
    async create({ organizationId, credential, ...fields }) {
      const uuid = capabilityUuid();
      const created = await change<Tool>(organizationId, async (transaction) => {
        const [held] = await transaction.select({ count: sql<number>`count(*)::int` }).from(tools).where(eq(tools.organizationId, organizationId));
        if ((held?.count ?? 0) >= MAX_TOOLS) throw new AgentStreamError('conflict', { message: `There are ${MAX_TOOLS} tools already. Delete some.` });
        await holdCredential(transaction, organizationId, credential);
        const row = { ...fields, ...rowOf(fields), uuid, organizationId, ...credentialRow(uuid, organizationId, credential) };
        const [tool] = await transaction.insert(tools).values(row).returning(toolColumns);
        return tool ?? null;
      });
      if (created === null) throw new Error('INSERT returned no row');
      return created;
    },

    async list(organizationId) {
      if (!isUuid(organizationId)) return [];
      return orm.select(toolColumns).from(tools).where(eq(tools.organizationId, organizationId)).orderBy(asc(tools.createdAt), asc(tools.uuid));
    },

    async get(organizationId, uuid) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return null;
      const [tool] = await orm.select(toolColumns).from(tools).where(within(organizationId, uuid));
      return tool ?? null;
    },

    async update(organizationId, uuid, { credential, ...fields }) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return null;
      const newCredential = credential === undefined ? {} : credentialRow(uuid, organizationId, credential);
      return change<Tool>(organizationId, async (transaction) => {
        await holdCredential(transaction, organizationId, credential);
        const row = { updatedAt: sql`now()`, ...rowOf(fields), ...newCredential };
        const [tool] = await transaction.update(tools).set(row).where(within(organizationId, uuid)).returning(toolColumns);
        return tool ?? null;
      });
    },

    async delete(organizationId, uuid) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return false;
      const deleted = await change(organizationId, async (transaction) => {
        const rows = await transaction.delete(tools).where(within(organizationId, uuid)).returning({ uuid: tools.uuid });
        return rows.length > 0 ? true : null;
      });
      return deleted ?? false;
    },

    async credentialOf(organizationId, uuid) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return null;
      const [row] = await callerOrm
        .select({ credentialSealed, stored: credentials })
        .from(tools)
        .leftJoin(credentials, eq(credentials.uuid, tools.credentialUuid))
        .where(within(organizationId, uuid));
      if (row === undefined) return null;
      if (row.stored !== null) return openCredential(row.stored, secrets);
      return row.credentialSealed === null ? null : (JSON.parse(secrets.open(placeOf(uuid, organizationId), row.credentialSealed)) as RequestCredential);
    },
  };
}
