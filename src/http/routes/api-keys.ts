import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApiKey } from '../../store/store.js';
import { principalOf, type Authenticator } from '../auth.js';
import { ProblemsError } from '../problems.js';
import { found, idParams, listJson, nameSchema, noContent, pageSchema, timeOrNull, timeSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

const tags = ['API keys'];

const apiKeySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    user_id: z.string(),
    prefix: z.string().describe('First characters, to tell keys apart'),
    created_at: timeSchema,
    last_used_at: timeSchema.nullable(),
    expires_at: timeSchema.nullable(),
  })
  .meta({ id: 'ApiKey' });

const createdSchema = apiKeySchema.extend({ key: z.string().describe('Shown only now') }).meta({ id: 'CreatedApiKey' });

const createBody = z.strictObject({
  name: nameSchema,
  user_id: z.guid().optional().describe('Default: the user of the key in use'),
  expires_at: z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text))
    .optional(),
});

function apiKeyJson(apiKey: ApiKey): z.output<typeof apiKeySchema> {
  return {
    id: apiKey.id,
    name: apiKey.name,
    user_id: apiKey.userId,
    prefix: apiKey.prefix,
    created_at: apiKey.createdAt.toISOString(),
    last_used_at: timeOrNull(apiKey.lastUsedAt),
    expires_at: timeOrNull(apiKey.expiresAt),
  };
}

/** API keys: created, listed without the key itself, deleted with effect at once on this node and within seconds on others. */
export function apiKeyRoutes({ store, clock }: AppServices, authenticator: Authenticator): FastifyPluginAsyncZod {
  async function checkUser(organizationId: string, userId: string): Promise<void> {
    const users = await store.accounts.listUsers(organizationId);
    if (!users.some((user) => user.id === userId)) throw new ProblemsError('invalid-request', [{ path: 'user_id', message: 'is not a user of the organization' }]);
  }

  return async (app) => {
    const creating = { body: createBody, response: { 201: createdSchema } };
    app.post('/api-keys', { schema: { tags, summary: 'Create a key', ...creating } }, async (request, reply) => {
      const principal = principalOf(request);
      const { name, user_id: userId = principal.userId, expires_at: expiresAt } = request.body;
      if (expiresAt !== undefined && expiresAt.getTime() <= clock.wallMs()) {
        throw new ProblemsError('invalid-request', [{ path: 'expires_at', message: 'must lie in the future' }]);
      }
      if (userId !== principal.userId) await checkUser(principal.organizationId, userId);
      const { apiKey, key } = await store.accounts.createApiKey({ organizationId: principal.organizationId, userId, name, expiresAt });
      return reply.code(201).header('cache-control', 'no-store').send({ ...apiKeyJson(apiKey), key });
    });

    app.get('/api-keys', { schema: { tags, summary: 'List keys', response: { 200: pageSchema(apiKeySchema) } } }, async (request) =>
      listJson(await store.accounts.listApiKeys(principalOf(request).organizationId), apiKeyJson),
    );

    const deleting = { params: idParams, response: { 204: noContent } };
    app.delete('/api-keys/:id', { schema: { tags, summary: 'Delete a key', ...deleting } }, async (request, reply) => {
      found((await store.accounts.deleteApiKey(principalOf(request).organizationId, request.params.id)) || null);
      authenticator.forget(request.params.id);
      return reply.code(204).send();
    });
  };
}
