import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Credential } from '../../store/store.js';
import { requestCredentialSchema } from '../../workflow/request-credential.js';
import { principalOf } from '../auth.js';
import { maskedCredential, withStoredSecrets } from '../request-credential-json.js';
import { agentParams, found, listJson, nameSchema, noContent, objectSchema, pageSchema, timeSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

const tags = ['Credentials'];

const credentialSchema = z
  .object({
    uuid: z.string(),
    name: z.string(),
    credential: objectSchema.describe('Secrets show their last four characters at most'),
    created_at: timeSchema,
    updated_at: timeSchema,
  })
  .meta({ id: 'Credential' });

const createBody = z.strictObject({ name: nameSchema, credential: requestCredentialSchema });
const updateBody = createBody.partial().describe('Parts left out, and secrets sent masked, keep their value');

function credentialJson({ uuid, name, fields, createdAt, updatedAt }: Credential): z.output<typeof credentialSchema> {
  return { uuid, name, credential: maskedCredential(fields), created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString() };
}

/** Credentials that webhook nodes, requests before the call and tools name; sealed, and opened when they are sent. */
export function credentialRoutes({ store }: AppServices): FastifyPluginAsyncZod {
  const { credentials } = store;
  return async (app) => {
    const creating = { body: createBody, response: { 201: credentialSchema } };
    app.post('/credentials', { schema: { tags, summary: 'Store a credential for requests', ...creating } }, async (request, reply) => {
      const { name, credential: fields } = request.body;
      const created = await credentials.create({ organizationId: principalOf(request).organizationId, name, fields });
      return reply.code(201).header('location', `/api/v1/credentials/${created.uuid}`).send(credentialJson(created));
    });

    app.get('/credentials', { schema: { tags, summary: 'List credentials, oldest first', response: { 200: pageSchema(credentialSchema) } } }, async (request) =>
      listJson(await credentials.list(principalOf(request).organizationId), credentialJson),
    );

    const reading = { params: agentParams, response: { 200: credentialSchema } };
    app.get('/credentials/:uuid', { schema: { tags, summary: 'Read a credential', ...reading } }, async (request) =>
      credentialJson(found(await credentials.get(principalOf(request).organizationId, request.params.uuid))),
    );

    const updating = { params: agentParams, body: updateBody, response: { 200: credentialSchema } };
    app.patch('/credentials/:uuid', { schema: { tags, summary: 'Rename or replace a credential; requests from now on are sent with it', ...updating } }, async (request) => {
      const { organizationId } = principalOf(request);
      const stored = found(await credentials.get(organizationId, request.params.uuid));
      const { name, credential } = request.body;
      const fields = credential === undefined ? undefined : withStoredSecrets(credential, stored.fields);
      return credentialJson(found(await credentials.update(organizationId, stored.uuid, { name, fields })));
    });

    const deleting = { params: agentParams, response: { 204: noContent } };
    const deleteSummary = 'Delete; refused with what uses it while tools or agents name it';
    app.delete('/credentials/:uuid', { schema: { tags, summary: deleteSummary, ...deleting } }, async (request, reply) => {
      found((await credentials.delete(principalOf(request).organizationId, request.params.uuid)) || null);
      return reply.code(204).send();
    });
  };
}
