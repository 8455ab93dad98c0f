import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AgentContent, AgentVersion } from '../../store/store.js';
import { agentContentShape, agentDetailSchema, agentJson, agentSchema, contentJson, editedVersion, entityTagOf } from '../agent-json.js';
import { principalOf } from '../auth.js';
import { checkContent } from '../content-checks.js';
import { ProblemsError, problemsJson, singleProblemSchema } from '../problems.js';
import { agentParams, found, nameSchema, noArguments, pageJson, pageQuery, pageSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

const createBody = z.strictObject({ name: nameSchema, ...z.strictObject(agentContentShape).partial().shape });
const validateBody = z.strictObject(agentContentShape).partial();
const validationSchema = z.object({ valid: z.boolean(), errors: z.array(singleProblemSchema), warnings: z.array(singleProblemSchema) });
const tags = ['Agents'];

type ContentBody = z.output<typeof validateBody>;

/** Content as sent, completed by `base` where a part was left out. */
export function contentOf(body: ContentBody, base: AgentContent): AgentContent {
  return {
    workflow: body.workflow_definition ?? base.workflow,
    settings: body.settings ?? base.settings,
    variables: body.template_context_variables ?? base.variables,
  };
}

/** The draft, else the published version. */
async function editedVersionOf({ store }: AppServices, organizationId: string, uuid: string): Promise<AgentVersion> {
  const versions = found(await store.agents.listVersions(organizationId, uuid));
  return found(editedVersion(versions) ?? null);
}

/** Agents: create, list, read, rename, archive, duplicate, validate. */
export function agentRoutes(services: AppServices): FastifyPluginAsyncZod {
  const { store, agentRules } = services;
  const starter = (): AgentContent => ({ workflow: agentRules.starterWorkflow(), settings: {}, variables: {} });

  const checked = (organizationId: string, content: AgentContent) => checkContent(services, organizationId, content);

  async function refuseProblems(organizationId: string, content: AgentContent): Promise<void> {
    const { problems } = await checked(organizationId, content);
    if (problems.length > 0) throw new ProblemsError('workflow-invalid', problems);
  }

  return async (app) => {
    const created = { body: createBody, response: { 201: agentSchema } };
    app.post('/agents', { schema: { tags, summary: 'Create an agent; its content becomes version 1', ...created } }, async (request, reply) => {
      const { organizationId, userId } = principalOf(request);
      const content = contentOf(request.body, starter());
      await refuseProblems(organizationId, content);
      const agent = await store.agents.create({ organizationId, ownerUserId: userId, name: request.body.name, ...content });
      return reply.code(201).header('location', `/api/v1/agents/${agent.uuid}`).send(agentJson(agent));
    });

    const listQuery = pageQuery.extend({ include_archived: z.enum(['true', 'false']).default('false') });
    app.get(
      '/agents',
      { schema: { tags, summary: 'List agents, newest first', querystring: listQuery, response: { 200: pageSchema(agentSchema) } } },
      async (request) => {
        const { limit, cursor, include_archived } = request.query;
        const includeArchived = include_archived === 'true';
        return pageJson(await store.agents.list(principalOf(request).organizationId, { limit, cursor, includeArchived }), agentJson);
      },
    );

    app.get(
      '/agents/:uuid',
      { schema: { tags, summary: 'Read an agent with its draft, else its published content', params: agentParams, response: { 200: agentDetailSchema } } },
      async (request, reply) => {
        const { organizationId } = principalOf(request);
        const agent = found(await store.agents.get(organizationId, request.params.uuid));
        const version = await editedVersionOf(services, organizationId, agent.uuid);
        reply.header('etag', entityTagOf(version));
        return { ...agentJson(agent), version: version.number, ...contentJson(version) };
      },
    );

    const renaming = { params: agentParams, body: z.strictObject({ name: nameSchema }), response: { 200: agentSchema } };
    app.patch('/agents/:uuid', { schema: { tags, summary: 'Rename an agent', ...renaming } }, async (request) =>
      agentJson(found(await store.agents.rename(principalOf(request).organizationId, request.params.uuid, request.body.name))),
    );

    for (const [action, isArchived] of [['archive', true], ['unarchive', false]] as const) {
      const summary = isArchived ? 'Archive: calls are refused' : 'Take calls again';
      const schema = { tags, summary, params: agentParams, body: noArguments, response: { 200: agentSchema } };
      app.post(`/agents/:uuid/${action}`, { schema }, async (request) =>
        agentJson(found(await store.agents.setArchived(principalOf(request).organizationId, request.params.uuid, isArchived))),
      );
    }

    const validating = { body: validateBody, response: { 200: validationSchema } };
    app.post('/agents/validate', { schema: { tags, summary: 'List every problem of a content; nothing is stored', ...validating } }, async (request) => {
      const { problems, warnings } = await checked(principalOf(request).organizationId, contentOf(request.body, starter()));
      return { valid: problems.length === 0, errors: problemsJson(problems), warnings: problemsJson(warnings) };
    });

    const duplicating = { params: agentParams, body: z.strictObject({ name: nameSchema.optional() }).nullish(), response: { 201: agentSchema } };
    app.post('/agents/:uuid/duplicate', { schema: { tags, summary: 'Copy an agent under a new UUID', ...duplicating } }, async (request, reply) => {
      const { organizationId, userId } = principalOf(request);
      const source = found(await store.agents.get(organizationId, request.params.uuid));
      const { workflow, settings, variables } = await editedVersionOf(services, organizationId, source.uuid);
      const content = { workflow, settings, variables };
      await refuseProblems(organizationId, content);
      const name = request.body?.name ?? `${source.name} (copy)`.slice(0, 200);
      const agent = await store.agents.create({ organizationId, ownerUserId: userId, name, ...content });
      return reply.code(201).header('location', `/api/v1/agents/${agent.uuid}`).send(agentJson(agent));
    });
  };
}
