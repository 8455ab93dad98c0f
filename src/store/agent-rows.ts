import { and, desc, eq, getTableColumns, or, sql, type SQL } from 'drizzle-orm';
import { isUuid } from '../base/ids.js';
import { notifyWithin, type Database, type Queryable } from './database.js';
import { agents, agentVersions } from './schema.js';
import type { Agent, CallableAgentTool, FoundAgent, NotificationPayloads, VersionStatus } from './store.js';

type AgentChange = NotificationPayloads['agent_changed'];

/** A database, and whom to tell on this node of what has been committed. */
export interface AgentDatabase extends Database {
  /** Other nodes hear it a moment later, through the database; here, nobody is to be answered by what is no longer so. */
  readonly onAgentChanged: (change: AgentChange) => void;
}

const versionNumber = (status: VersionStatus): SQL<number | null> =>
  sql<number | null>`(SELECT v.number FROM agent_versions v WHERE v.agent_uuid = ${agents.uuid} AND v.status = ${status})`;

/** An agent as the domain sees it. */
export const agentColumns = {
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

/** Reads one agent. */
export async function readAgent(connection: Queryable, uuid: string): Promise<Agent | null> {
  const [agent] = await connection.select(agentColumns).from(agents).where(eq(agents.uuid, uuid));
  return agent ?? null;
}

/** A row that this transaction wrote or locked. Throws where it is missing, which is a fault. */
export function existing<T>(row: T | null | undefined): T {
  if (row === null || row === undefined) throw new Error('A row of this transaction is missing');
  return row;
}

/** Tells the nodes to forget what they cached of the agent, when the transaction commits. */
async function announceAgent(transaction: Queryable, uuid: string): Promise<AgentChange> {
  const agent = existing(await readAgent(transaction, uuid));
  const change = { uuid, isActive: !agent.isArchived };
  await notifyWithin(transaction, 'agent_changed', change);
  return change;
}

/** Writes an agent in one transaction and announces it. Null, announcing nothing, where `work` finds nothing to do. */
export async function writeAgent<T>(
  { orm, onAgentChanged }: AgentDatabase,
  uuid: string,
  work: (transaction: Queryable) => Promise<T | null>,
): Promise<T | null> {
  const written = await orm.transaction(async (transaction) => {
    const result = await work(transaction);
    return result === null ? null : { result, change: await announceAgent(transaction, uuid) };
  });
  if (written === null) return null;
  onAgentChanged(written.change);
  return written.result;
}

/** Changes one agent of the organization under its row lock. Null where there is none, or `work` finds nothing to do. */
export async function changeAgent<T>(
  database: AgentDatabase,
  agent: { organizationId: string; uuid: string },
  work: (transaction: Queryable) => Promise<T | null>,
): Promise<T | null> {
  const { organizationId, uuid } = agent;
  if (!isUuid(organizationId) || !isUuid(uuid)) return null;
  return writeAgent(database, uuid, async (transaction) => {
    const [locked] = await transaction
      .update(agents)
      .set({ updatedAt: sql`now()` })
      .where(and(eq(agents.organizationId, organizationId), eq(agents.uuid, uuid)))
      .returning({ uuid: agents.uuid });
    return locked === undefined ? null : work(transaction);
  });
}

/** Tools whose UUID stands in the version's document: more than it names do no harm, and no document is taken apart for it. */
const namedTools = sql<CallableAgentTool[]>`(
  SELECT coalesce(json_agg(json_build_object('uuid', t.uuid, 'name', t.name, 'description', t.description, 'kind', t.kind, 'config', t.config, 'filler', t.filler)), '[]')
  FROM tools t WHERE t.organization_id = ${agents.organizationId} AND position(t.uuid::text in ${agentVersions.workflow}::text) > 0)`;

/** What a call needs of an agent, by one query: the caller is waiting. */
export async function findAgentForCall(connection: Pick<Queryable, 'select'>, uuid: string): Promise<FoundAgent | null> {
  const isCallable = or(eq(agentVersions.status, 'published'), eq(agentVersions.status, 'draft'));
  const [row] = await connection
    .select({
      agent: agentColumns,
      version: getTableColumns(agentVersions),
      tools: namedTools,
      tokenHash: agents.streamTokenHash,
      formerTokenHash: sql<Buffer | null>`CASE WHEN ${agents.formerStreamTokenExpiresAt} > now() THEN ${agents.formerStreamTokenHash} END`,
      formerTokenMs: sql<number>`extract(epoch FROM ${agents.formerStreamTokenExpiresAt} - now())::float8 * 1000`,
    })
    .from(agents)
    .innerJoin(agentVersions, and(eq(agentVersions.agentUuid, agents.uuid), isCallable))
    .where(eq(agents.uuid, uuid))
    // 'published' sorts after 'draft'.
    .orderBy(desc(agentVersions.status))
    .limit(1);
  if (row === undefined) return null;
  if (row.agent.isArchived) return { type: 'archived', agent: row.agent };
  const streamTokenHashes = [row.tokenHash, row.formerTokenHash].filter((hash) => hash !== null);
  const settledForMs = row.formerTokenHash === null ? null : row.formerTokenMs;
  return { type: 'callable', callable: { agent: row.agent, version: row.version, tools: row.tools, streamTokenHashes, settledForMs } };
}
