import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AgentStreamError } from '../../base/errors.js';
import type { AgentVersion } from '../../store/store.js';
import { agentContentShape, agentVersionJson, agentVersionSchema, entityTagOf } from '../agent-json.js';
import { principalOf } from '../auth.js';
import { checkContent } from '../content-checks.js';
import { ProblemsError, problemsJson, singleProblemSchema } from '../problems.js';
import { agentParams, found, listJson, noArguments, pageSchema } from '../schemas.js';
import type { AppServices } from '../services.js';
import { contentOf } from './agents.js';

const draftBody = z.strictObject(agentContentShape).partial();
const draftHeaders = z.object({ 'if-match': z.string().max(200).optional() });
const draftSchema = agentVersionSchema
  .extend({
    errors: z.array(singleProblemSchema).describe('What must be cured before it can be published'),
    warnings: z.array(singleProblemSchema),
  })
  .meta({ id: 'Draft' });
const versionParams = agentParams.extend({ version: z.coerce.number().int().min(1).max(2_147_483_647) });
const tags = ['Agent versions'];

/** RFC 9110 §13.1.1: `*`, or a list with the current tag. */
function isMatch(ifMatch: string | undefined, current: string): boolean {
  return ifMatch === undefined || ifMatch.split(',').some((tag) => tag.trim() === '*' || tag.trim() === current);
}

/** Versions of an agent: at most one draft; what was published never changes. */
export function agentVersionRoutes(services: AppServices): FastifyPluginAsyncZod {
  const { store } = services;
  async function draftJson(organizationId: string, draft: AgentVersion) {
    const { problems, warnings } = await checkContent(services, organizationId, draft);
    return { ...agentVersionJson(draft), errors: problemsJson(problems), warnings: problemsJson(warnings) };
  }
  const versionsOf = async (organizationId: string, uuid: string) => found(await store.agents.listVersions(organizationId, uuid));

  return async (app) => {
    const drafting = { params: agentParams, headers: draftHeaders, body: draftBody, response: { 200: draftSchema } };
    const draftSummary = 'Make or change the draft; parts left out stay. If-Match guards against changes in between';
    app.put('/agents/:uuid/draft', { schema: { tags, summary: draftSummary, ...drafting } }, async (request, reply) => {
      const { organizationId } = principalOf(request);
      const { uuid } = request.params;
      const edit = (current: AgentVersion) => {
        if (!isMatch(request.headers['if-match'], entityTagOf(current))) throw new AgentStreamError('precondition-failed');
        return contentOf(request.body, current);
      };
      const draft = found(await store.agents.putDraft(organizationId, uuid, edit));
      reply.header('etag', entityTagOf(draft));
      return draftJson(organizationId, draft);
    });

    const publishing = { params: agentParams, body: noArguments, response: { 200: agentVersionSchema } };
    app.post('/agents/:uuid/publish', { schema: { tags, summary: 'Publish the draft; new calls use it', ...publishing } }, async (request) => {
      const { organizationId } = principalOf(request);
      const { uuid } = request.params;
      const draft = (await versionsOf(organizationId, uuid)).find((version) => version.status === 'draft');
      if (draft === undefined) throw new AgentStreamError('conflict', { message: 'There is no draft to publish.' });
      const { problems } = await checkContent(services, organizationId, draft);
      if (problems.length > 0) throw new ProblemsError('workflow-invalid', problems);
      return agentVersionJson(found(await store.agents.publish(organizationId, uuid)));
    });

    const listing = { params: agentParams, response: { 200: pageSchema(agentVersionSchema) } };
    app.get('/agents/:uuid/versions', { schema: { tags, summary: 'List versions with their content, newest first', ...listing } }, async (request) => {
      const versions = await versionsOf(principalOf(request).organizationId, request.params.uuid);
      return listJson(versions.toSorted((left, right) => right.number - left.number), agentVersionJson);
    });

    const reading = { params: versionParams, response: { 200: agentVersionSchema } };
    app.get('/agents/:uuid/versions/:version', { schema: { tags, summary: 'Read a version', ...reading } }, async (request) => {
      const versions = await versionsOf(principalOf(request).organizationId, request.params.uuid);
      return agentVersionJson(found(versions.find((version) => version.number === request.params.version) ?? null));
    });

    const restoring = { params: versionParams, body: noArguments, response: { 200: draftSchema } };
    const restoreSummary = 'Copy a former version into the draft';
    app.post('/agents/:uuid/versions/:version/restore', { schema: { tags, summary: restoreSummary, ...restoring } }, async (request) => {
      const { uuid, version } = request.params;
      const { organizationId } = principalOf(request);
      return draftJson(organizationId, found(await store.agents.restore(organizationId, uuid, version)));
    });
  };
}
