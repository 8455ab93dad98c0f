import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { VendorCredential } from '../../store/store.js';
import { principalOf } from '../auth.js';
import { ProblemsError } from '../problems.js';
import { refuseInternalUrl } from '../public-url.js';
import { maskSecret } from '../secret-fields.js';
import { found, idParams, listJson, nameSchema, noContent, pageSchema, timeSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

const tags = ['Vendor credentials'];

const credentialSchema = z
  .object({
    id: z.string(),
    vendor: z.string(),
    name: z.string(),
    api_key: z.string().describe('Masked: its last four characters at most'),
    base_url: z.string().nullable(),
    created_at: timeSchema,
  })
  .meta({ id: 'VendorCredential' });

const createBody = z.strictObject({
  vendor: z.string().max(50),
  name: nameSchema,
  api_key: z
    .string()
    .trim()
    .regex(/^[\x21-\x7e]{1,500}$/, 'must be printable characters without spaces'),
  base_url: z
    .url({ protocol: /^(https?|wss?)$/, error: 'must be an http(s):// or ws(s):// URL' })
    .max(500)
    .nullable()
    .default(null),
});

function credentialJson(credential: VendorCredential): z.output<typeof credentialSchema> {
  const { id, vendor, name, apiKey, baseUrl, createdAt } = credential;
  return { id, vendor, name, api_key: maskSecret(apiKey), base_url: baseUrl, created_at: createdAt.toISOString() };
}

/** Keys of speech and language vendors, sealed in the store; they win over those of the environment. */
export function vendorCredentialRoutes({ store, vendors, config }: AppServices): FastifyPluginAsyncZod {
  return async (app) => {
    const creating = { body: createBody, response: { 201: credentialSchema } };
    app.post('/vendor-credentials', { schema: { tags, summary: 'Store a vendor key', ...creating } }, async (request, reply) => {
      const { vendor, name, api_key: apiKey, base_url: baseUrl } = request.body;
      const names = vendors.filter(({ needsKey }) => needsKey).map((known) => known.name);
      if (!names.includes(vendor)) {
        throw new ProblemsError('invalid-request', [{ path: 'vendor', message: `is not a vendor that takes a key; known are ${names.join(', ')}` }]);
      }
      if (baseUrl !== null) refuseInternalUrl(baseUrl, config);
      const { organizationId } = principalOf(request);
      const credential = await store.vendorCredentials.create({ organizationId, vendor, name, apiKey, baseUrl });
      return reply.code(201).send(credentialJson(credential));
    });

    app.get('/vendor-credentials', { schema: { tags, summary: 'List', response: { 200: pageSchema(credentialSchema) } } }, async (request) =>
      listJson(await store.vendorCredentials.list(principalOf(request).organizationId), credentialJson),
    );

    const deleting = { params: idParams, response: { 204: noContent } };
    app.delete('/vendor-credentials/:id', { schema: { tags, summary: 'Delete', ...deleting } }, async (request, reply) => {
      found((await store.vendorCredentials.delete(principalOf(request).organizationId, request.params.id)) || null);
      return reply.code(204).send();
    });
  };
}
