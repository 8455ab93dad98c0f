import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { deadlineSignal } from '../../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../../base/errors.js';
import type { TelephonyConfig } from '../../store/store.js';
import type { ProviderModule } from '../../telephony/provider.js';
import { principalOf } from '../auth.js';
import { ProblemsError } from '../problems.js';
import { maskSecrets, secretFieldsOf, withoutMasked } from '../secret-fields.js';
import { found, idParams, listJson, nameSchema, noArguments, noContent, objectSchema, pageSchema, timeSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

/** The provider's own limits are shorter; this one bounds the request. */
const testTimeoutMs = 10_000;
const tags = ['Telephony configurations'];

const configSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    provider: z.string(),
    account: z.string().describe('The normalised key that streams are matched by'),
    credentials: objectSchema.describe('Secrets show their last four characters at most'),
    callback_urls: z.record(z.string(), z.string()).describe('Where the provider may post session status and call records'),
    created_at: timeSchema,
    updated_at: timeSchema,
  })
  .meta({ id: 'TelephonyConfig' });

const createBody = z.strictObject({ name: nameSchema, provider: z.string().max(50), credentials: objectSchema });
const updateBody = z.strictObject({ name: nameSchema.optional(), credentials: objectSchema.optional() });
const testResult = z.object({ ok: z.boolean(), message: z.string(), code: z.string().nullable() });

/** Validated credentials and the account they belong to. */
function checkCredentials(provider: ProviderModule, credentials: Readonly<Record<string, unknown>>) {
  const parsed = provider.credentialsSchema.safeParse(credentials);
  if (!parsed.success) {
    throw new ProblemsError(
      'invalid-request',
      parsed.error.issues.map((issue) => ({ path: ['credentials', ...issue.path].join('.'), message: issue.message })),
    );
  }
  return { credentials: objectSchema.parse(parsed.data), account: provider.accountOf(parsed.data) };
}

/** Telephony configurations: one provider account with its sealed credential each. */
export function telephonyConfigRoutes(services: AppServices): FastifyPluginAsyncZod {
  const { store, providers, clock, publicUrl } = services;

  function providerNamed(name: string): ProviderModule {
    const provider = providers.find((candidate) => candidate.name === name);
    if (provider !== undefined) return provider;
    const names = providers.map((candidate) => candidate.name).join(', ');
    throw new ProblemsError('invalid-request', [{ path: 'provider', message: `is not a known provider; known are ${names}` }]);
  }

  function configJson(config: TelephonyConfig): z.output<typeof configSchema> {
    const provider = providers.find((candidate) => candidate.name === config.provider);
    const callbacks = `${publicUrl()}/api/v1/telephony-callbacks/${config.provider}/${config.id}`;
    return {
      id: config.id,
      name: config.name,
      provider: config.provider,
      account: config.account,
      // Without its provider nobody knows which fields are secret: none is shown.
      credentials: provider === undefined ? {} : maskSecrets(config.credentials, secretFieldsOf(provider.credentialsSchema)),
      callback_urls: { session: `${callbacks}/session`, cdr: `${callbacks}/cdr` },
      created_at: config.createdAt.toISOString(),
      updated_at: config.updatedAt.toISOString(),
    };
  }

  async function test(config: TelephonyConfig): Promise<z.output<typeof testResult>> {
    const { signal, dispose } = deadlineSignal(clock, testTimeoutMs, undefined, () => new AgentStreamError('provider-unreachable'));
    try {
      return { ok: true, message: await services.createControl(config).testCredential(signal), code: null };
    } catch (thrown) {
      const error = toAgentStreamError(thrown);
      if (error.code === 'internal-error') throw error;
      return { ok: false, message: error.message, code: error.code };
    } finally {
      dispose();
    }
  }

  return async (app) => {
    const creating = { body: createBody, response: { 201: configSchema } };
    app.post('/telephony-configs', { schema: { tags, summary: 'Store a provider account', ...creating } }, async (request, reply) => {
      const { organizationId } = principalOf(request);
      const { name, provider } = request.body;
      const checked = checkCredentials(providerNamed(provider), request.body.credentials);
      const config = await store.telephonyConfigs.create({ organizationId, name, provider, ...checked });
      return reply.code(201).header('location', `/api/v1/telephony-configs/${config.id}`).send(configJson(config));
    });

    app.get('/telephony-configs', { schema: { tags, summary: 'List', response: { 200: pageSchema(configSchema) } } }, async (request) =>
      listJson(await store.telephonyConfigs.list(principalOf(request).organizationId), configJson),
    );

    const reading = { params: idParams, response: { 200: configSchema } };
    app.get('/telephony-configs/:id', { schema: { tags, summary: 'Read one', ...reading } }, async (request) =>
      configJson(found(await store.telephonyConfigs.get(principalOf(request).organizationId, request.params.id))),
    );

    const updating = { params: idParams, body: updateBody, response: { 200: configSchema } };
    const updateSummary = 'Rename, or replace credential fields; fields left out or sent masked keep their value';
    app.patch('/telephony-configs/:id', { schema: { tags, summary: updateSummary, ...updating } }, async (request) => {
      const { organizationId } = principalOf(request);
      const config = found(await store.telephonyConfigs.get(organizationId, request.params.id));
      const { name, credentials } = request.body;
      const checked =
        credentials === undefined
          ? {}
          : checkCredentials(providerNamed(config.provider), { ...config.credentials, ...withoutMasked(credentials, config.credentials) });
      return configJson(found(await store.telephonyConfigs.update(organizationId, config.id, { name, ...checked })));
    });

    const deleting = { params: idParams, response: { 204: noContent } };
    app.delete('/telephony-configs/:id', { schema: { tags, summary: 'Delete', ...deleting } }, async (request, reply) => {
      found((await store.telephonyConfigs.delete(principalOf(request).organizationId, request.params.id)) || null);
      return reply.code(204).send();
    });

    const testing = { params: idParams, body: noArguments, response: { 200: testResult } };
    app.post('/telephony-configs/:id/test', { schema: { tags, summary: 'Try the credential at the provider', ...testing } }, async (request) =>
      test(found(await store.telephonyConfigs.get(principalOf(request).organizationId, request.params.id))),
    );
  };
}
