import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Organization, Quota, QuotaUsage, User } from '../../store/store.js';
import { principalOf } from '../auth.js';
import { ProblemsError } from '../problems.js';
import { found, idParams, listJson, objectSchema, pageJson, pageQuery, pageSchema, timeSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

const tags = ['Organization'];

const limitsSchema = z
  .object({
    concurrent_calls: z.number().int(),
    default_models: objectSchema.nullable().describe('`settings.models` of agents that choose none'),
  })
  .meta({ id: 'OrganizationLimits' });

const limitsBody = z.strictObject({
  concurrent_calls: z.number().int().min(0).max(100_000).optional(),
  default_models: objectSchema.nullable().optional(),
});

const quotaShape = {
  period: z.enum(['day', 'month']).describe('Calendar period in UTC'),
  minutes: z.number().min(0).max(100_000_000).nullable().describe('Null: unlimited'),
  runs: z.number().int().min(0).max(2_000_000_000).nullable().describe('Null: unlimited'),
};

const quotaSchema = z
  .object({
    ...quotaShape,
    usage: z.object({ period_start: timeSchema, period_end: timeSchema, used_ms: z.number(), runs: z.number().int() }),
  })
  .meta({ id: 'Quota' });

const userSchema = z.object({ id: z.string(), email: z.string(), organization_id: z.string() }).meta({ id: 'User' });

const refusalSchema = z
  .object({ id: z.string(), at: timeSchema, close_code: z.number().int(), reason: z.string(), agent_uuid: z.string() })
  .meta({ id: 'Refusal' });

const usageSchema = z
  .object({
    period_start: timeSchema,
    runs: z.number().int(),
    duration_ms: z.number(),
    live_calls: z.number().int(),
    cost: z.object({
      currency: z.literal('USD'),
      total: z.string().describe('Of ended calls, as far as prices are known; decimal, six places'),
      partly_priced_runs: z.number().int().describe('Ended calls of which something has no price'),
    }),
  })
  .meta({ id: 'Usage' });

function limitsJson({ concurrentCalls, defaultModels }: Organization): z.output<typeof limitsSchema> {
  const models = objectSchema.safeParse(defaultModels);
  return { concurrent_calls: concurrentCalls, default_models: models.success ? models.data : null };
}

function quotaJson({ quota, usage }: { quota: Quota; usage: QuotaUsage }): z.output<typeof quotaSchema> {
  return {
    period: quota.period,
    minutes: quota.minutes,
    runs: quota.runs,
    usage: {
      period_start: usage.periodStart.toISOString(),
      period_end: usage.periodEnd.toISOString(),
      used_ms: usage.usedMs,
      runs: usage.runs,
    },
  };
}

const userJson = ({ id, email, organizationId }: User) => ({ id, email, organization_id: organizationId });

/** The organization: its users and their quotas, its limits, its usage, and the streams it refused. */
export function organizationRoutes({ store, agentRules }: AppServices): FastifyPluginAsyncZod {
  return async (app) => {
    app.get('/users', { schema: { tags, summary: 'List users', response: { 200: pageSchema(userSchema) } } }, async (request) =>
      listJson(await store.accounts.listUsers(principalOf(request).organizationId), userJson),
    );

    const readingQuota = { params: idParams, response: { 200: quotaSchema } };
    app.get('/users/:id/quota', { schema: { tags, summary: 'Quota and usage of a user', ...readingQuota } }, async (request) =>
      quotaJson(found(await store.quotas.get(principalOf(request).organizationId, request.params.id))),
    );

    const settingQuota = { params: idParams, body: z.strictObject(quotaShape), response: { 200: quotaSchema } };
    app.put('/users/:id/quota', { schema: { tags, summary: 'Set the quota of a user', ...settingQuota } }, async (request) => {
      const { organizationId } = principalOf(request);
      found(await store.quotas.put(organizationId, request.params.id, request.body));
      return quotaJson(found(await store.quotas.get(organizationId, request.params.id)));
    });

    app.get('/organization/limits', { schema: { tags, summary: 'Limits and default models', response: { 200: limitsSchema } } }, async (request) =>
      limitsJson(found(await store.accounts.getOrganization(principalOf(request).organizationId))),
    );

    const limiting = { body: limitsBody, response: { 200: limitsSchema } };
    app.put('/organization/limits', { schema: { tags, summary: 'Change limits or default models; fields left out stay', ...limiting } }, async (request) => {
      const { concurrent_calls: concurrentCalls, default_models: defaultModels } = request.body;
      const problems = defaultModels === undefined || defaultModels === null ? [] : agentRules.problemsOfModels(defaultModels);
      if (problems.length > 0) throw new ProblemsError('invalid-request', problems);
      const change = { concurrentCalls, ...(defaultModels === undefined ? {} : { defaultModels }) };
      return limitsJson(found(await store.accounts.updateOrganization(principalOf(request).organizationId, change)));
    });

    app.get('/usage', { schema: { tags, summary: 'Usage of the current month', response: { 200: usageSchema } } }, async (request) => {
      const { periodStart, runs, durationMs, liveCalls, costTotal, partlyPricedRuns } = await store.quotas.usage(principalOf(request).organizationId);
      const cost = { currency: 'USD' as const, total: costTotal, partly_priced_runs: partlyPricedRuns };
      return { period_start: periodStart.toISOString(), runs, duration_ms: durationMs, live_calls: liveCalls, cost };
    });

    const refusals = { querystring: pageQuery, response: { 200: pageSchema(refusalSchema) } };
    app.get('/refusals', { schema: { tags, summary: 'Streams turned away before a run was minted, newest first', ...refusals } }, async (request) =>
      pageJson(await store.refusals.list(principalOf(request).organizationId, request.query), ({ id, at, closeCode, reason, agentUuid }) => ({
        id,
        at: at.toISOString(),
        close_code: closeCode,
        reason,
        agent_uuid: agentUuid,
      })),
    );
  };
}
