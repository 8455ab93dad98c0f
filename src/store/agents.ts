import { and, desc, eq, getTableColumns, isNull, or, sql, type SQL } from 'drizzle-orm';
import { capabilityUuid, isUuid, randomSecret } from '../base/ids.js';
import { hashSecret } from './accounts.js';
import { notifyWithin, type Database, type Queryable } from './database.js';
import { storableText } from './encode-json.js';
import { decodeCursor, pageLimit, toPage } from './page.js';
import { agents, agentVersions } from './schema.js';
import type { Agent, AgentContent, AgentStore, AgentVersion, CallableAgent, VersionStatus } from './store.js';

/** Random bytes of a stream token. */
const STREAM_TOKEN_BYTES = 24;

const versionNumber = (status: VersionStatus): SQL<number | null> =>
  sql<number | null>`(SELECT v.number FROM agent_versions v WHERE v.agent_uuid = ${agents.uuid} AND v.status = ${status})`;

const agentColumns = {
  uuid: agents.uuid,
  organizationId: agents.organizationId,
  ownerUserId: agents.ownerUserId,
  name: agents.name,
  isArchived: sql<boolean>`${agents.archivedAt} IS NOT NULL`,
  hasStreamToken: sql<boolean>`${agents.streamTokenHash} IS NOT NULL`,
  publishedVersion: versionNumber('published'),
  draftVersion: versionNumber('draft'),
  createdAt: agents.createdAt,
  updatedAt: agents.updatedAt,
};

/** Agents and their versions in PostgreSQL. Every change tells the nodes to forget what they cached. */
export function createAgentStore({ orm }: Database): AgentStore {
  /** Changes one agent of the organization under its row lock. Null where there is none, or `work` finds nothing to do. */
  async function change<T>(organizationId: string, uuid: string, work: (transaction: Queryable) => Promise<T | null>): Promise<T | null> {
    if (!isUuid(organizationId) || !isUuid(uuid)) return null;
    return orm.transaction(async (transaction) => {
      const [agent] = await transaction
        .update(agents)
        .set({ updatedAt: sql`now()` })
        .where(and(eq(agents.organizationId, organizationId), eq(agents.uuid, uuid)))
        .returning({ uuid: agents.uuid });
      const result = agent === undefined ? null : await work(transaction);
      if (result !== null) await announce(transaction, uuid);
      return result;
    });
  }

  return {
    create: (input) =>
      orm.transaction(async (transaction) => {
        const uuid = capabilityUuid();
        const { organizationId, ownerUserId } = input;
        await transaction.insert(agents).values({ uuid, organizationId, ownerUserId, name: storableText(input.name) });
        await transaction
          .insert(agentVersions)
          .values({ agentUuid: uuid, number: 1, status: 'published', ...contentOf(input), publishedAt: sql`now()` });
        await announce(transaction, uuid);
        return existing(await read(transaction, uuid));
      }),

    async list(organizationId, request) {
      if (!isUuid(organizationId)) return { items: [], nextCursor: null };
      const limit = pageLimit(request);
      const rows: Agent[] = await orm
        .select(agentColumns)
        .from(agents)
        .where(
          and(
            eq(agents.organizationId, organizationId),
            request.includeArchived === true ? undefined : isNull(agents.archivedAt),
            olderThan(decodeCursor(request, ([ms, uuid]) => /^\d{1,15}$/.test(ms ?? '') && isUuid(uuid ?? ''))),
          ),
        )
        .orderBy(desc(agents.createdAt), desc(agents.uuid))
        .limit(limit + 1);
      return toPage(rows, limit, (agent) => [String(agent.createdAt.getTime()), agent.uuid]);
    },

    async get(organizationId, uuid) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return null;
      const agent = await read(orm, uuid);
      return agent?.organizationId === organizationId ? agent : null;
    },

    async findCallable(uuid) {
      return isUuid(uuid) ? findCallable(orm, uuid) : null;
    },

    async listActiveUuids() {
      const rows = await orm.select({ uuid: agents.uuid }).from(agents).where(isNull(agents.archivedAt));
      return rows.map((row) => row.uuid);
    },

    rename: (organizationId, uuid, name) =>
      change(organizationId, uuid, async (transaction) => {
        await transaction
          .update(agents)
          .set({ name: storableText(name) })
          .where(eq(agents.uuid, uuid));
        return read(transaction, uuid);
      }),

    setArchived: (organizationId, uuid, isArchived) =>
      change(organizationId, uuid, async (transaction) => {
        const archivedAt = isArchived ? sql`coalesce(archived_at, now())` : null;
        await transaction.update(agents).set({ archivedAt }).where(eq(agents.uuid, uuid));
        return read(transaction, uuid);
      }),

    putDraft: (organizationId, uuid, content) => change(organizationId, uuid, (transaction) => putDraft(transaction, uuid, content)),

    publish: (organizationId, uuid) =>
      change(organizationId, uuid, async (transaction) => {
        const [draft] = await transaction.select({ number: agentVersions.number }).from(agentVersions).where(statusIs(uuid, 'draft'));
        if (draft === undefined) return null;
        await transaction.update(agentVersions).set({ status: 'archived' }).where(statusIs(uuid, 'published'));
        const [published] = await transaction
          .update(agentVersions)
          .set({ status: 'published', publishedAt: sql`now()` })
          .where(statusIs(uuid, 'draft'))
          .returning();
        return existing(published);
      }),

    async listVersions(organizationId, uuid) {
      if ((await this.get(organizationId, uuid)) === null) return null;
      return orm.select().from(agentVersions).where(eq(agentVersions.agentUuid, uuid)).orderBy(desc(agentVersions.number));
    },

    restore: (organizationId, uuid, number) =>
      change(organizationId, uuid, async (transaction) => {
        const isNumber = and(eq(agentVersions.agentUuid, uuid), eq(agentVersions.number, number));
        const [version] = await transaction.select().from(agentVersions).where(isNumber);
        return version === undefined ? null : putDraft(transaction, uuid, version);
      }),

    rotateStreamToken: (organizationId, uuid, overlapMs) =>
      change(organizationId, uuid, async (transaction) => {
        const token = randomSecret(STREAM_TOKEN_BYTES);
        await transaction
          .update(agents)
          .set({
            streamTokenHash: hashSecret(token),
            formerStreamTokenHash: sql`stream_token_hash`,
            formerStreamTokenExpiresAt: sql`now() + make_interval(secs => ${overlapMs / 1000}::double precision)`,
          })
          .where(eq(agents.uuid, uuid));
        return token;
      }),

    async removeStreamToken(organizationId, uuid) {
      const removed = await change(organizationId, uuid, async (transaction) => {
        const rows = await transaction
          .update(agents)
          .set({ streamTokenHash: null, formerStreamTokenHash: null, formerStreamTokenExpiresAt: null })
          .where(and(eq(agents.uuid, uuid), sql`stream_token_hash IS NOT NULL`))
          .returning({ uuid: agents.uuid });
        return rows.length > 0 ? true : null;
      });
      return removed ?? false;
    },
  };
}

function existing<T>(row: T | null | undefined): T {
  if (row === null || row === undefined) throw new Error('A row written in this transaction is missing');
  return row;
}

const contentOf = (content: AgentContent) => ({ workflow: content.workflow, settings: content.settings, variables: { ...content.variables } });

const statusIs = (uuid: string, status: VersionStatus) => and(eq(agentVersions.agentUuid, uuid), eq(agentVersions.status, status));

function olderThan(cursor: readonly string[] | null): SQL | undefined {
  const [createdMs, uuid] = cursor ?? [];
  if (createdMs === undefined || uuid === undefined) return undefined;
  return sql`(${agents.createdAt}, ${agents.uuid}) < (${new Date(Number(createdMs)).toISOString()}::timestamptz, ${uuid}::uuid)`;
}

async function read(connection: Queryable, uuid: string): Promise<Agent | null> {
  const [agent] = await connection.select(agentColumns).from(agents).where(eq(agents.uuid, uuid));
  return agent ?? null;
}

async function announce(transaction: Queryable, uuid: string): Promise<void> {
  const agent = existing(await read(transaction, uuid));
  await notifyWithin(transaction, 'agent_changed', { uuid, isActive: !agent.isArchived });
}

/** The agent's row is locked: nobody else numbers a version. */
async function putDraft(transaction: Queryable, uuid: string, content: AgentContent): Promise<AgentVersion> {
  const [updated] = await transaction.update(agentVersions).set(contentOf(content)).where(statusIs(uuid, 'draft')).returning();
  if (updated !== undefined) return updated;
  const number = sql`(SELECT coalesce(max(number), 0) + 1 FROM agent_versions WHERE agent_uuid = ${uuid})`;
  const [created] = await transaction
    .insert(agentVersions)
    .values({ agentUuid: uuid, number, status: 'draft', ...contentOf(content) })
    .returning();
  return existing(created);
}

/** One query: the caller is waiting. */
async function findCallable(connection: Queryable, uuid: string): Promise<CallableAgent | null> {
  const [row] = await connection
    .select({
      agent: agentColumns,
      version: getTableColumns(agentVersions),
      tokenHash: agents.streamTokenHash,
      formerTokenHash: sql<Buffer | null>`CASE WHEN ${agents.formerStreamTokenExpiresAt} > now() THEN ${agents.formerStreamTokenHash} END`,
    })
    .from(agents)
    .innerJoin(agentVersions, and(eq(agentVersions.agentUuid, agents.uuid), or(eq(agentVersions.status, 'published'), eq(agentVersions.status, 'draft'))))
    .where(and(eq(agents.uuid, uuid), isNull(agents.archivedAt)))
    .orderBy(desc(agentVersions.status))
    .limit(1);
  if (row === undefined) return null;
  const streamTokenHashes = [row.tokenHash, row.formerTokenHash].filter((hash) => hash !== null);
  return { agent: row.agent, version: row.version, streamTokenHashes };
}
