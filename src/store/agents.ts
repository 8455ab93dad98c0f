import { and, desc, eq, isNull, sql, type SQL } from 'drizzle-orm';
import { capabilityUuid, isUuid, randomSecret } from '../base/ids.js';
import { hashSecret } from './accounts.js';
import { agentColumns, changeAgent, existing, findAgentForCall, readAgent, writeAgent, type AgentDatabase } from './agent-rows.js';
import { createAgentVersionStore, insertFirstVersion } from './agent-versions.js';
import { storableText } from './encode-json.js';
import { decodeCursor, pageLimit, toPage } from './page.js';
import { agents } from './schema.js';
import type { Agent, AgentStore } from './store.js';

/** Random bytes of a stream token. */
const STREAM_TOKEN_BYTES = 24;

/** Agents in PostgreSQL. Every change tells the nodes to forget what they cached. */
export function createAgentStore(database: AgentDatabase): AgentStore {
  const { orm, callerOrm } = database;
  return {
    ...createAgentVersionStore(database),
    ...createStreamTokenStore(database),

    async create(input) {
      const uuid = capabilityUuid();
      const { organizationId, ownerUserId } = input;
      const agent = await writeAgent(database, uuid, async (transaction) => {
        await transaction.insert(agents).values({ uuid, organizationId, ownerUserId, name: storableText(input.name) });
        await insertFirstVersion(transaction, uuid, input);
        return readAgent(transaction, uuid);
      });
      return existing(agent);
    },

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
      const agent = isUuid(uuid) ? await readAgent(orm, uuid) : null;
      return agent?.organizationId === organizationId ? agent : null;
    },

    async findCallable(uuid) {
      const found = isUuid(uuid) ? await findAgentForCall(callerOrm, uuid) : null;
      return found?.type === 'callable' ? found.callable : null;
    },

    async findForCall(uuid) {
      return isUuid(uuid) ? findAgentForCall(callerOrm, uuid) : null;
    },

    async listActiveUuids() {
      const rows = await orm.select({ uuid: agents.uuid }).from(agents).where(isNull(agents.archivedAt));
      return rows.map((row) => row.uuid);
    },

    rename: (organizationId, uuid, name) =>
      changeAgent(database, { organizationId, uuid }, async (transaction) => {
        await transaction
          .update(agents)
          .set({ name: storableText(name) })
          .where(eq(agents.uuid, uuid));
        return readAgent(transaction, uuid);
      }),

    setArchived: (organizationId, uuid, isArchived) =>
      changeAgent(database, { organizationId, uuid }, async (transaction) => {
        const archivedAt = isArchived ? sql`coalesce(archived_at, now())` : null;
        await transaction.update(agents).set({ archivedAt }).where(eq(agents.uuid, uuid));
        return readAgent(transaction, uuid);
      }),
  };
}

function createStreamTokenStore(database: AgentDatabase): Pick<AgentStore, 'rotateStreamToken' | 'removeStreamToken'> {
  return {
    rotateStreamToken: (organizationId, uuid, overlapMs) =>
      changeAgent(database, { organizationId, uuid }, async (transaction) => {
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
      const removed = await changeAgent(database, { organizationId, uuid }, async (transaction) => {
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

function olderThan(cursor: readonly string[] | null): SQL | undefined {
  const [createdMs, uuid] = cursor ?? [];
  if (createdMs === undefined || uuid === undefined) return undefined;
  return sql`(${agents.createdAt}, ${agents.uuid}) < (${new Date(Number(createdMs)).toISOString()}::timestamptz, ${uuid}::uuid)`;
}
