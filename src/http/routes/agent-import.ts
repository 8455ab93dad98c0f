import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { JsonRecord } from '../../base/json.js';
import { exportAgent } from '../../workflow/import/envelope.js';
import type { Dropped } from '../../workflow/import/dropped.js';
import { agentContentShape, agentJson, agentSchema, contentJson, editedVersion } from '../agent-json.js';
import { principalOf } from '../auth.js';
import { checkContent } from '../content-checks.js';
import { ProblemsError, problemsJson, singleProblemSchema } from '../problems.js';
import { agentParams, found, nameSchema, objectSchema } from '../schemas.js';
import type { AppServices } from '../services.js';
import { clipUuidsIn, documentUuidsIn } from '../../workflow/import/import-agent.js';
import type { KnownReferences } from '../../workflow/import/import-node.js';

const tags = ['Agents'];

const droppedSchema = z
  .object({
    path: z.string().describe('Where it stands in the export; `*` is every index'),
    element_id: z.string().nullable().describe('Node or edge'),
    value_kind: z.enum(['null', 'boolean', 'number', 'string', 'list', 'object', 'nothing']).describe('What kind of value it is; the value itself is not shown'),
    why: z.string(),
  })
  .meta({ id: 'Dropped', description: 'A part of an export that the imported agent does not have, or has differently' });

const importSchema = z
  .object({
    agent: agentSchema.nullable().describe('Null where nothing was stored'),
    content: z.object({ name: z.string(), ...agentContentShape }).describe('What the agent has, or would have'),
    dropped: z.array(droppedSchema),
    problems: z.array(singleProblemSchema).describe('What keeps it from being stored; empty where it was'),
    warnings: z.array(singleProblemSchema),
  })
  .meta({ id: 'AgentImport' });

const exportSchema = z
  .object({ agent_stream_export: z.number().int().describe('Version of this format'), name: z.string(), ...agentContentShape })
  .meta({ id: 'AgentExport' });

const droppedJson = ({ path, elementId, valueKind, why }: Dropped) => ({ path, element_id: elementId, value_kind: valueKind, why });

async function knownReferences({ store }: Pick<AppServices, 'store'>, organizationId: string, given: JsonRecord): Promise<KnownReferences> {
  const [tools, documents, clips, credentialUuids] = await Promise.all([
    store.tools.list(organizationId),
    store.documents.find(organizationId, documentUuidsIn(given)),
    store.audioClips.find(organizationId, clipUuidsIn(given)),
    store.credentials.uuids(organizationId),
  ]);
  const uuidsOf = (things: readonly { readonly uuid: string }[]) => new Set(things.map(({ uuid }) => uuid));
  return { toolUuids: uuidsOf(tools), documentUuids: uuidsOf(documents), clipUuids: uuidsOf(clips), credentialUuids };
}

/** Agents as documents: import of exports, ours and Dograh's, and export. */
export function agentImportRoutes(services: AppServices): FastifyPluginAsyncZod {
  const { store, agentRules } = services;
  return async (app) => {
    const importQuery = z.strictObject({
      dry_run: z.enum(['true', 'false']).default('false').describe('`true`: nothing is stored'),
      name: nameSchema.optional().describe('In place of the export’s name'),
    });
    const importing = {
      querystring: importQuery,
      body: objectSchema.describe('An export of this server, an exported Dograh agent, or a workflow document alone'),
      response: { 200: importSchema, 201: importSchema },
    };
    const importSummary = 'Create an agent from an export, and tell of all that was not taken over';
    app.post('/agents/import', { schema: { tags, summary: importSummary, ...importing } }, async (request, reply) => {
      const { organizationId, userId } = principalOf(request);
      const isDryRun = request.query.dry_run === 'true';
      const result = agentRules.readExport(request.body, await knownReferences(services, organizationId, request.body));
      if (!result.ok) throw new ProblemsError('invalid-request', [result.refusal], `The export cannot be read: ${result.refusal.message}`);
      const { workflow, settings, variables } = result.agent;
      const content = { workflow, settings, variables };
      const { problems, warnings } = await checkContent(services, organizationId, content);
      if (problems.length > 0 && !isDryRun) throw new ProblemsError('workflow-invalid', problems);
      const name = request.query.name ?? result.agent.name;
      const agent = isDryRun ? null : await store.agents.create({ organizationId, ownerUserId: userId, name, ...content });
      if (agent !== null) reply.header('location', `/api/v1/agents/${agent.uuid}`);
      return reply.code(agent === null ? 200 : 201).send({
        agent: agent === null ? null : agentJson(agent),
        content: { name, ...contentJson(content) },
        dropped: result.dropped.map(droppedJson),
        problems: problemsJson(problems),
        warnings: problemsJson(warnings),
      });
    });

    const exporting = { params: agentParams, response: { 200: exportSchema } };
    app.get('/agents/:uuid/export', { schema: { tags, summary: 'Export an agent: its draft, else its published content, without keys', ...exporting } }, async (request) => {
      const { organizationId } = principalOf(request);
      const agent = found(await store.agents.get(organizationId, request.params.uuid));
      const version = found(editedVersion(found(await store.agents.listVersions(organizationId, agent.uuid))) ?? null);
      const { workflow_definition: workflow, settings, template_context_variables: variables } = contentJson(version);
      const { agent_stream_export } = exportAgent({ name: agent.name, workflow, settings, variables });
      return { agent_stream_export, name: agent.name, workflow_definition: workflow, settings, template_context_variables: variables };
    });
  };
}
