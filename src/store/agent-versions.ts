import { and, desc, eq, sql } from 'drizzle-orm';
import { isUuid } from '../base/ids.js';
import { changeAgent, existing, readAgent, type AgentDatabase } from './agent-rows.js';
import type { Queryable } from './database.js';
import { agentVersions } from './schema.js';
import type { AgentContent, AgentStore, AgentVersion, VersionStatus } from './store.js';

/** Versions of agents in PostgreSQL. */
export function createAgentVersionStore(database: AgentDatabase): Pick<AgentStore, 'putDraft' | 'publish' | 'listVersions' | 'restore'> {
  const { orm } = database;
  return {
    putDraft: (organizationId, uuid, content) =>
      changeAgent(database, { organizationId, uuid }, async (transaction) =>
        putDraft(transaction, uuid, typeof content === 'function' ? content(await readEdited(transaction, uuid)) : content),
      ),

    publish: (organizationId, uuid) =>
      changeAgent(database, { organizationId, uuid }, async (transaction) => {
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
      if (!isUuid(uuid) || (await readAgent(orm, uuid))?.organizationId !== organizationId) return null;
      return orm.select().from(agentVersions).where(eq(agentVersions.agentUuid, uuid)).orderBy(desc(agentVersions.number));
    },

    restore: (organizationId, uuid, number) =>
      changeAgent(database, { organizationId, uuid }, async (transaction) => {
        const isNumber = and(eq(agentVersions.agentUuid, uuid), eq(agentVersions.number, number));
        const [version] = await transaction.select().from(agentVersions).where(isNumber);
        return version === undefined ? null : putDraft(transaction, uuid, version);
      }),
  };
}

/** The first version of a new agent: published at once. */
export async function insertFirstVersion(transaction: Queryable, uuid: string, content: AgentContent): Promise<void> {
  await transaction
    .insert(agentVersions)
    .values({ agentUuid: uuid, number: 1, status: 'published', ...contentOf(content), publishedAt: sql`now()` });
}

const contentOf = (content: AgentContent) => ({ workflow: content.workflow, settings: content.settings, variables: { ...content.variables } });

const statusIs = (uuid: string, status: VersionStatus) => and(eq(agentVersions.agentUuid, uuid), eq(agentVersions.status, status));

/** The version an edit starts from. The agent's row is locked: it stays so until the edit is written. */
async function readEdited(transaction: Queryable, uuid: string): Promise<AgentVersion> {
  const [edited] = await transaction
    .select()
    .from(agentVersions)
    .where(eq(agentVersions.agentUuid, uuid))
    .orderBy(desc(sql`${agentVersions.status} = 'draft'`), desc(sql`${agentVersions.status} = 'published'`), desc(agentVersions.number))
    .limit(1);
  return existing(edited);
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
