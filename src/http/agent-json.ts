import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Agent, AgentContent, AgentVersion } from '../store/store.js';
import { objectSchema, timeOrNull, timeSchema } from './schemas.js';

/** What a client may send as an agent's content. The parts are checked by the agent rules, which name every problem. */
export const agentContentShape = {
  workflow_definition: objectSchema.describe('The node-and-edge document of the agent'),
  settings: objectSchema.describe('Models, voice, turn-taking, limits, recording'),
  template_context_variables: objectSchema.describe('Default values of the variables in templates'),
};

/** An agent in lists. */
export const agentSchema = z
  .object({
    uuid: z.string(),
    name: z.string(),
    organization_id: z.string(),
    owner_user_id: z.string(),
    status: z.enum(['active', 'archived']),
    requires_stream_token: z.boolean(),
    published_version: z.number().int().nullable(),
    draft_version: z.number().int().nullable(),
    created_at: timeSchema,
    updated_at: timeSchema,
  })
  .meta({ id: 'Agent' });

/** One version with its content. */
export const agentVersionSchema = z
  .object({
    agent_uuid: z.string(),
    version: z.number().int(),
    status: z.enum(['draft', 'published', 'archived']),
    ...agentContentShape,
    created_at: timeSchema,
    published_at: timeSchema.nullable(),
  })
  .meta({ id: 'AgentVersion' });

/** An agent with the content an editor shows: its draft, else its published version. */
export const agentDetailSchema = agentSchema
  .extend({ version: z.number().int().describe('The version whose content this is'), ...agentContentShape })
  .meta({ id: 'AgentDetail' });

/** The JSON of an agent. */
export function agentJson(agent: Agent): z.output<typeof agentSchema> {
  return {
    uuid: agent.uuid,
    name: agent.name,
    organization_id: agent.organizationId,
    owner_user_id: agent.ownerUserId,
    status: agent.isArchived ? 'archived' : 'active',
    requires_stream_token: agent.hasStreamToken,
    published_version: agent.publishedVersion,
    draft_version: agent.draftVersion,
    created_at: agent.createdAt.toISOString(),
    updated_at: agent.updatedAt.toISOString(),
  };
}

const asObject = (value: unknown): Record<string, unknown> => {
  const parsed = objectSchema.safeParse(value);
  return parsed.success ? parsed.data : {};
};

/** The JSON of content, in the names clients send it by. */
export function contentJson(content: AgentContent) {
  return {
    workflow_definition: asObject(content.workflow),
    settings: asObject(content.settings),
    template_context_variables: asObject(content.variables),
  };
}

/** The JSON of a version. */
export function agentVersionJson(version: AgentVersion): z.output<typeof agentVersionSchema> {
  return {
    agent_uuid: version.agentUuid,
    version: version.number,
    status: version.status,
    ...contentJson(version),
    created_at: version.createdAt.toISOString(),
    published_at: timeOrNull(version.publishedAt),
  };
}

/** The version an editor shows: the draft, else the published one, else the newest. */
export function editedVersion(versions: readonly AgentVersion[]): AgentVersion | undefined {
  return (
    versions.find((version) => version.status === 'draft') ??
    versions.find((version) => version.status === 'published') ??
    versions.toSorted((left, right) => right.number - left.number)[0]
  );
}

/** Strong entity tag of a version's content (RFC 9110 §8.8.3). */
export function entityTagOf(version: AgentVersion): string {
  const content = JSON.stringify([version.number, version.workflow, version.settings, version.variables]);
  return `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
}
