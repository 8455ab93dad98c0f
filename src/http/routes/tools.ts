import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Tool, ToolCredential } from '../../store/store.js';
import { requestCredentialSchema } from '../../workflow/request-credential.js';
import { readArguments } from '../../workflow/tools/arguments.js';
import { storedToolKinds, toolConfigs, type StoredToolKind } from '../../workflow/tools/tool-configs.js';
import { callableOf, readToolConfig, toolSchema } from '../../workflow/tools/tool-definition.js';
import { SERVER_KIND } from '../../workflow/tools/callable-tool.js';
import { copyVariables } from '../../workflow/variables.js';
import { testServer } from '../../call/mcp/test-server.js';
import { principalOf } from '../auth.js';
import { ProblemsError } from '../problems.js';
import { refuseInternalUrl } from '../public-url.js';
import { maskedCredential, withStoredSecrets } from '../request-credential-json.js';
import { agentParams, found, listJson, noContent, objectSchema, pageSchema, timeSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

const tags = ['Tools'];

const toolJsonSchema = z
  .object({
    uuid: z.string(),
    name: z.string(),
    function_name: z.string().describe('What the model calls it by'),
    description: z.string(),
    kind: z.string(),
    config: objectSchema,
    filler: z.object({ text: z.string(), after_ms: z.number() }).nullable(),
    credential: objectSchema.nullable().describe('Its own; secrets show their last four characters at most'),
    credential_uuid: z.string().nullable().describe('The stored one in its place'),
    created_at: timeSchema,
    updated_at: timeSchema,
  })
  .meta({ id: 'Tool' });

const kindsDescription = storedToolKinds.join(', ');
/** The credential of a tool's requests: its own, or one that is stored. */
const credentialShape = { credential: requestCredentialSchema.nullable(), credential_uuid: z.guid().toLowerCase().nullable() };
const createBody = toolSchema.extend({ credential: credentialShape.credential.default(null), credential_uuid: credentialShape.credential_uuid.default(null) });
const updateBody = z
  .strictObject({
    ...z.strictObject({ name: toolSchema.shape.name, description: toolSchema.shape.description, config: objectSchema }).partial().shape,
    filler: toolSchema.shape.filler.unwrap().optional(),
    ...z.strictObject(credentialShape).partial().shape,
  })
  .describe('Parts left out stay as they are; `credential` replaces `credential_uuid` and the other way round, null removes');

const testBody = z.strictObject({
  arguments: objectSchema.default({}).describe('As the model would give them'),
  function: z.string().max(200).optional().describe('Of a tool of kind mcp: the function to call, as the server names it; left out: its functions are listed'),
  variables: objectSchema.default({}).describe('Variables of the call, for templates'),
});
const testResultSchema = z
  .object({
    status: z.enum(['ok', 'error']),
    duration_ms: z.number().int(),
    result: z.string().nullable().describe('What the model would be told'),
    error: z.string().nullable(),
    follow_up: objectSchema.nullable().describe('What would happen with the call; a test carries nothing of it out'),
  })
  .meta({ id: 'ToolTestResult' });

/** What a request sets of a tool's credential. */
type SentCredential = Pick<z.output<typeof updateBody>, 'credential' | 'credential_uuid'>;

/** The configuration with its defaults. @throws ProblemsError naming every field; AgentStreamError `egress-refused` */
function checkConfig(kind: StoredToolKind, given: unknown, config: AppServices['config']): Readonly<Record<string, unknown>> {
  const read = readToolConfig(kind, given);
  if (!read.ok) {
    throw new ProblemsError(
      'invalid-request',
      read.problems.map(({ field, message, cure }) => ({ path: ['config', field].filter((part) => part !== '').join('.'), message, cure })),
    );
  }
  for (const url of urlsOf(read.config)) refuseInternalUrl(url, config);
  return read.config;
}

/** Addresses a configuration names; placeholders stand after the host. */
function urlsOf({ url, resolver }: Readonly<Record<string, unknown>>): readonly string[] {
  const nested = typeof resolver === 'object' && resolver !== null && 'url' in resolver ? resolver.url : undefined;
  return [url, nested].flatMap((value) => (typeof value === 'string' ? [value.replaceAll(/\{\w[\w-]*\}/g, 'x')] : []));
}

const isStoredKind = (kind: string): kind is StoredToolKind => Object.hasOwn(toolConfigs, kind);

/** Tools that agents' nodes name: HTTP requests, ending and transferring the call, arithmetic, keys. */
export function toolRoutes({ store, clock, config, toolsOf }: AppServices): FastifyPluginAsyncZod {
  async function toolJson(tool: Tool): Promise<z.output<typeof toolJsonSchema>> {
    const { uuid, name, description, kind } = tool;
    const credential = tool.hasCredential ? await store.tools.credentialOf(tool.organizationId, uuid) : null;
    return {
      uuid,
      name,
      function_name: callableOf(tool)?.declaration.name ?? '',
      description,
      kind,
      config: objectSchema.parse(tool.config),
      filler: toolSchema.shape.filler.parse(tool.filler),
      credential: credential === null ? null : maskedCredential(credential),
      credential_uuid: tool.credentialUuid,
      created_at: tool.createdAt.toISOString(),
      updated_at: tool.updatedAt.toISOString(),
    };
  }

  /** What of a tool's credential is set anew; undefined: nothing. @throws ProblemsError where two are given, or there is no such stored one */
  async function credentialOf(organizationId: string, tool: Tool | null, sent: SentCredential): Promise<ToolCredential | undefined> {
    const { credential: own, credential_uuid: uuid } = sent;
    const isOwn = own !== null && own !== undefined;
    const isStored = uuid !== null && uuid !== undefined;
    if (isOwn && isStored) throw new ProblemsError('invalid-request', [{ path: 'credential_uuid', message: 'cannot stand beside credential', cure: 'Send one of them.' }]);
    if (isOwn) return { own: withStoredSecrets(own, tool?.hasCredential === true ? await store.tools.credentialOf(organizationId, tool.uuid) : null) };
    if (isStored) {
      const isKnown = (await store.credentials.uuids(organizationId)).has(uuid);
      if (!isKnown) throw new ProblemsError('invalid-request', [{ path: 'credential_uuid', message: `there is no credential ${uuid}`, cure: 'Create it: POST /api/v1/credentials.' }]);
      return { uuid };
    }
    const isRemoved = (own === null && tool?.credentialUuid === null) || (uuid === null && tool?.hasCredential === false);
    return tool === null || isRemoved ? null : undefined;
  }

  async function runTest(tool: Tool, given: z.output<typeof testBody>): Promise<z.output<typeof testResultSchema>> {
    const callable = callableOf(tool);
    const failed = (error: string, durationMs = 0) => ({ status: 'error' as const, duration_ms: durationMs, result: null, error, follow_up: null });
    if (callable === null) return failed('What is stored of this tool cannot be used by this version.');
    const read = readArguments(callable.declaration, JSON.stringify(given.arguments));
    if (!read.ok) return failed(read.message);
    const startMs = clock.nowMs();
    const runner = toolsOf(tool.organizationId);
    const variables = copyVariables(given.variables);
    const result =
      callable.kind === SERVER_KIND
        ? await testServer(callable, given, { runner, variables })
        : await runner.run({ id: 'test', tool: callable, arguments: read.values }, { signal: new AbortController().signal, variables });
    const durationMs = Math.round(clock.nowMs() - startMs);
    if (result.isError) return { ...failed(result.text, durationMs), result: result.text };
    return { status: 'ok', duration_ms: durationMs, result: result.text, error: null, follow_up: result.followUp === undefined ? null : { ...result.followUp } };
  }

  return async (app) => {
    const creating = { body: createBody, response: { 201: toolJsonSchema } };
    app.post('/tools', { schema: { tags, summary: `Create a tool (${kindsDescription})`, ...creating } }, async (request, reply) => {
      const { organizationId } = principalOf(request);
      const { credential: own, credential_uuid, ...fields } = request.body;
      const checked = checkConfig(fields.kind, fields.config, config);
      const credential = (await credentialOf(organizationId, null, { credential: own, credential_uuid })) ?? null;
      const tool = await store.tools.create({ organizationId, ...fields, config: checked, credential });
      return reply.code(201).header('location', `/api/v1/tools/${tool.uuid}`).send(await toolJson(tool));
    });

    app.get('/tools', { schema: { tags, summary: 'List tools, oldest first', response: { 200: pageSchema(toolJsonSchema) } } }, async (request) =>
      listJson(await Promise.all((await store.tools.list(principalOf(request).organizationId)).map(toolJson)), (tool) => tool),
    );

    const reading = { params: agentParams, response: { 200: toolJsonSchema } };
    app.get('/tools/:uuid', { schema: { tags, summary: 'Read a tool', ...reading } }, async (request) =>
      toolJson(found(await store.tools.get(principalOf(request).organizationId, request.params.uuid))),
    );

    const updating = { params: agentParams, body: updateBody, response: { 200: toolJsonSchema } };
    app.patch('/tools/:uuid', { schema: { tags, summary: 'Change a tool; calls that begin from now on use it', ...updating } }, async (request) => {
      const { organizationId } = principalOf(request);
      const tool = found(await store.tools.get(organizationId, request.params.uuid));
      const { config: changed, credential: own, credential_uuid, ...fields } = request.body;
      const credential = await credentialOf(organizationId, tool, { credential: own, credential_uuid });
      const checked = changed === undefined || !isStoredKind(tool.kind) ? {} : { config: checkConfig(tool.kind, changed, config) };
      return toolJson(found(await store.tools.update(organizationId, tool.uuid, { ...fields, ...checked, credential })));
    });

    const deleting = { params: agentParams, response: { 204: noContent } };
    const deleteSummary = 'Delete; agents that name it go on without it, and must drop it to be published again';
    app.delete('/tools/:uuid', { schema: { tags, summary: deleteSummary, ...deleting } }, async (request, reply) => {
      found((await store.tools.delete(principalOf(request).organizationId, request.params.uuid)) || null);
      return reply.code(204).send();
    });

    const testing = { params: agentParams, body: testBody, response: { 200: testResultSchema } };
    app.post('/tools/:uuid/test', { schema: { tags, summary: 'Run a tool once, as a call would', ...testing } }, async (request) =>
      runTest(found(await store.tools.get(principalOf(request).organizationId, request.params.uuid)), request.body),
    );
  };
}
