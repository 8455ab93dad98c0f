import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AgentStreamError } from '../../base/errors.js';
import type { VendorCredential } from '../../store/store.js';
import { principalOf } from '../auth.js';
import { ProblemsError } from '../problems.js';
import { refuseInternalUrl } from '../public-url.js';
import { maskSecret } from '../secret-fields.js';
import { found, idParams, listJson, nameSchema, noArguments, noContent, pageSchema, timeSchema } from '../schemas.js';
import type { AppServices, VendorLegTest } from '../services.js';

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

const legTestSchema = z
  .object({
    leg: z.enum(['stt', 'llm', 'tts', 'realtime']),
    ok: z.boolean(),
    time_to_first_byte_ms: z.number().int().nullable().describe('Until the vendor’s first answer; null: there was none'),
    model: z.string().describe('What was tried: the vendor’s default'),
    code: z.string().optional().describe('Where it failed; see docs/errors.md'),
    message: z.string().optional(),
  })
  .meta({ id: 'VendorLegTest' });

const testSchema = z.object({ legs: z.array(legTestSchema) });
const savedSchema = credentialSchema.extend({ legs: z.array(legTestSchema).optional().describe('With test=true') });

const saveQuery = z.strictObject({
  test: z
    .stringbool({ truthy: ['true'], falsy: ['false'] })
    .default(false)
    .describe('true: try the key first, and refuse one that the vendor refuses'),
});
const apiKeySchema = z
  .string()
  .trim()
  .regex(/^[\x21-\x7e]{1,500}$/, 'must be printable characters without spaces');
const baseUrlSchema = z
  .url({ protocol: /^(https?|wss?)$/, error: 'must be an http(s):// or ws(s):// URL' })
  .max(500)
  .nullable();

const createBody = z.strictObject({ vendor: z.string().max(50), name: nameSchema, api_key: apiKeySchema, base_url: baseUrlSchema.default(null) });
const updateBody = z.strictObject({ name: nameSchema.optional(), api_key: apiKeySchema.optional(), base_url: baseUrlSchema.optional() });

function credentialJson(credential: VendorCredential): z.output<typeof credentialSchema> {
  const { id, vendor, name, apiKey, baseUrl, createdAt } = credential;
  return { id, vendor, name, api_key: maskSecret(apiKey), base_url: baseUrl, created_at: createdAt.toISOString() };
}

function legJson({ leg, model, timeToFirstByteMs, failure }: VendorLegTest): z.output<typeof legTestSchema> {
  return { leg, ok: failure === null, time_to_first_byte_ms: timeToFirstByteMs, model, ...failure };
}

/** What is to be changed: a form sent back unchanged must not store the mask, and a key goes nowhere that its owner did not send it to. */
function changeOf(body: z.output<typeof updateBody>, stored: VendorCredential) {
  const apiKey = body.api_key === maskSecret(stored.apiKey) ? undefined : body.api_key;
  const { name, base_url: baseUrl } = body;
  const isElsewhere = typeof baseUrl === 'string' && baseUrl !== stored.baseUrl;
  if (isElsewhere && apiKey === undefined) {
    throw new ProblemsError('invalid-request', [{ path: 'api_key', message: 'must be sent again with another base_url: the stored key is not sent to a new address' }]);
  }
  return { name, apiKey, baseUrl };
}

/** Aborts when the client is gone. */
function untilGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => controller.abort(new AgentStreamError('invalid-request', { message: 'The client went away.' })));
  return controller.signal;
}

/** Keys of speech and language vendors, sealed in the store; they win over those of the environment. */
export function vendorCredentialRoutes({ store, vendors, config, testVendorKey }: AppServices): FastifyPluginAsyncZod {
  type Key = Pick<VendorCredential, 'vendor' | 'apiKey' | 'baseUrl'>;

  async function test({ vendor, apiKey, baseUrl }: Key, reply: FastifyReply) {
    const tests = await testVendorKey(vendor, { apiKey, ...(baseUrl === null ? {} : { baseUrl }) }, untilGone(reply));
    return tests.map(legJson);
  }

  /** Tries a key that is to be saved. One that a leg accepts is good: vendors limit keys to some of what they do. */
  async function testBeforeSave(key: Key, reply: FastifyReply) {
    const legs = await test(key, reply);
    const refused = legs.filter(({ code }) => code === 'vendor-unauthorized');
    if (refused.length > 0 && !legs.some(({ ok }) => ok)) {
      const where = refused.map(({ leg }) => leg).join(', ');
      throw new ProblemsError('invalid-request', [{ path: 'api_key', message: `was refused by ${key.vendor} (${where})`, cure: 'Check the key and its scopes.' }]);
    }
    return { legs };
  }

  return async (app) => {
    const creating = { querystring: saveQuery, body: createBody, response: { 201: savedSchema } };
    app.post('/vendor-credentials', { schema: { tags, summary: 'Store a vendor key', ...creating } }, async (request, reply) => {
      const { vendor, name, api_key: apiKey, base_url: baseUrl } = request.body;
      const names = vendors.filter(({ needsKey }) => needsKey).map((known) => known.name);
      if (!names.includes(vendor)) {
        throw new ProblemsError('invalid-request', [{ path: 'vendor', message: `is not a vendor that takes a key; known are ${names.join(', ')}` }]);
      }
      if (baseUrl !== null) refuseInternalUrl(baseUrl, config);
      const tested = request.query.test ? await testBeforeSave({ vendor, apiKey, baseUrl }, reply) : {};
      const { organizationId } = principalOf(request);
      const credential = await store.vendorCredentials.create({ organizationId, vendor, name, apiKey, baseUrl });
      return reply.code(201).send({ ...credentialJson(credential), ...tested });
    });

    app.get('/vendor-credentials', { schema: { tags, summary: 'List', response: { 200: pageSchema(credentialSchema) } } }, async (request) =>
      listJson(await store.vendorCredentials.list(principalOf(request).organizationId), credentialJson),
    );

    const updating = { params: idParams, querystring: saveQuery, body: updateBody, response: { 200: savedSchema } };
    const updateSummary = 'Rename, or replace key or base URL; fields left out or sent masked keep their value';
    app.patch('/vendor-credentials/:id', { schema: { tags, summary: updateSummary, ...updating } }, async (request, reply) => {
      const { organizationId } = principalOf(request);
      const stored = found(await store.vendorCredentials.get(organizationId, request.params.id));
      const change = changeOf(request.body, stored);
      const { apiKey = stored.apiKey, baseUrl = stored.baseUrl } = change;
      if (typeof change.baseUrl === 'string') refuseInternalUrl(change.baseUrl, config);
      const tested = request.query.test ? await testBeforeSave({ vendor: stored.vendor, apiKey, baseUrl }, reply) : {};
      return { ...credentialJson(found(await store.vendorCredentials.update(organizationId, stored.id, change))), ...tested };
    });

    const deleting = { params: idParams, response: { 204: noContent } };
    app.delete('/vendor-credentials/:id', { schema: { tags, summary: 'Delete', ...deleting } }, async (request, reply) => {
      found((await store.vendorCredentials.delete(principalOf(request).organizationId, request.params.id)) || null);
      return reply.code(204).send();
    });

    const testing = { params: idParams, body: noArguments, response: { 200: testSchema } };
    app.post('/vendor-credentials/:id/test', { schema: { tags, summary: 'Try the key on each leg of its vendor', ...testing } }, async (request, reply) => {
      const credential = found(await store.vendorCredentials.get(principalOf(request).organizationId, request.params.id));
      return { legs: await test(credential, reply) };
    });
  };
}
