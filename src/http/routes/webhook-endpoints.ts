import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { runEventTypes } from '../../after-call/webhook-payload.js';
import type { NewWebhookSecret, RunEventType, WebhookDelivery, WebhookEndpoint } from '../../store/store.js';
import { principalOf } from '../auth.js';
import { refuseInternalUrl } from '../public-url.js';
import { found, idParams, noArguments, noContent, pageJson, pageQuery, pageSchema, timeOrNull, timeSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

const tags = ['Webhooks'];

/** How long the former secret is signed with after a rotation, unless the request says otherwise. */
const defaultOverlapHours = 24;
const maxOverlapHours = 168;
const hourMs = 3_600_000;

const eventTypes = Object.keys(runEventTypes) as [RunEventType, ...RunEventType[]];

const urlSchema = z
  .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
  .max(2000)
  .refine((url) => !URL.canParse(url) || (new URL(url).username === '' && new URL(url).password === ''), 'must hold no credentials: messages are signed');
const eventsSchema = z
  .array(z.enum(eventTypes))
  .min(1)
  .max(eventTypes.length)
  .refine((events) => new Set(events).size === events.length, 'must not repeat an event');
const descriptionSchema = z.string().trim().max(500);

const endpointSchema = z
  .object({
    id: z.string(),
    url: z.string(),
    description: z.string(),
    events: z.array(z.enum(eventTypes)),
    enabled: z.boolean(),
    disabled_reason: z.literal('gone').nullable().describe('`gone`: the receiver answered 410'),
    former_secret_expires_at: timeSchema.nullable().describe('Until then messages carry signatures by both secrets'),
    created_at: timeSchema,
    updated_at: timeSchema,
  })
  .meta({ id: 'WebhookEndpoint' });

const newSecretSchema = endpointSchema.extend({ secret: z.string().describe('`whsec_…`, shown only here') }).meta({ id: 'WebhookEndpointWithSecret' });

const deliverySchema = z
  .object({
    id: z.string(),
    endpoint_id: z.string().nullable(),
    run_id: z.string().nullable(),
    node_id: z.string().nullable().describe('The webhook node, where there is no endpoint'),
    event_type: z.string(),
    webhook_id: z.string().describe('The header of that name: the same in every attempt'),
    status: z.enum(['pending', 'delivered', 'failed']),
    attempts: z.number().int(),
    next_attempt_at: timeSchema.nullable(),
    last_attempt_at: timeSchema.nullable(),
    outcome: z.string().nullable().describe('How the last attempt went'),
    response_status: z.number().int().nullable(),
    response_body: z.string().nullable().describe('The first kilobyte'),
    created_at: timeSchema,
  })
  .meta({ id: 'WebhookDelivery' });

const createBody = z.strictObject({
  url: urlSchema,
  events: eventsSchema.default(eventTypes),
  description: descriptionSchema.default(''),
  enabled: z.boolean().default(true),
});
const changeBody = z.strictObject({
  url: urlSchema.optional(),
  events: eventsSchema.optional(),
  description: descriptionSchema.optional(),
  enabled: z.boolean().optional(),
});
const rotateBody = z.strictObject({ overlap_hours: z.number().min(0).max(maxOverlapHours).default(defaultOverlapHours) }).nullish();
const deliveryParams = idParams.extend({ delivery_id: z.guid() });
const allDeliveriesQuery = pageQuery.extend({ run_id: z.guid().optional() });

function endpointJson(endpoint: WebhookEndpoint): z.output<typeof endpointSchema> {
  return {
    id: endpoint.id,
    url: endpoint.url,
    description: endpoint.description,
    events: [...endpoint.events],
    enabled: endpoint.enabled,
    disabled_reason: endpoint.disabledReason,
    former_secret_expires_at: timeOrNull(endpoint.formerSecretExpiresAt),
    created_at: endpoint.createdAt.toISOString(),
    updated_at: endpoint.updatedAt.toISOString(),
  };
}

const newSecretJson = ({ endpoint, secret }: NewWebhookSecret) => ({ ...endpointJson(endpoint), secret });

function deliveryJson(delivery: WebhookDelivery): z.output<typeof deliverySchema> {
  return {
    id: delivery.id,
    endpoint_id: delivery.endpointId,
    run_id: delivery.runId,
    node_id: delivery.nodeId,
    event_type: delivery.eventType,
    webhook_id: delivery.eventId,
    status: delivery.status,
    attempts: delivery.attempts,
    next_attempt_at: timeOrNull(delivery.nextAttemptAt),
    last_attempt_at: timeOrNull(delivery.lastAttemptAt),
    outcome: delivery.outcome,
    response_status: delivery.responseStatus,
    response_body: delivery.responseBody,
    created_at: delivery.createdAt.toISOString(),
  };
}

/** Webhook endpoints of the organization: what is told to whom. */
export function webhookEndpointRoutes({ store, config }: AppServices): FastifyPluginAsyncZod {
  const endpoints = store.webhookEndpoints;

  return async (app) => {
    const creating = { body: createBody, response: { 201: newSecretSchema } };
    app.post('/webhook-endpoints', { schema: { tags, summary: 'Create an endpoint', ...creating } }, async (request, reply) => {
      refuseInternalUrl(request.body.url, config);
      const created = await endpoints.create(principalOf(request).organizationId, request.body);
      return reply.code(201).header('cache-control', 'no-store').send(newSecretJson(created));
    });

    const listing = { querystring: pageQuery, response: { 200: pageSchema(endpointSchema) } };
    app.get('/webhook-endpoints', { schema: { tags, summary: 'List endpoints, newest first', ...listing } }, async (request) =>
      pageJson(await endpoints.list(principalOf(request).organizationId, request.query), endpointJson),
    );

    const one = { params: idParams, response: { 200: endpointSchema } };
    app.get('/webhook-endpoints/:id', { schema: { tags, summary: 'Read an endpoint', ...one } }, async (request) =>
      endpointJson(found(await endpoints.get(principalOf(request).organizationId, request.params.id))),
    );

    app.patch('/webhook-endpoints/:id', { schema: { tags, summary: 'Change an endpoint', ...one, body: changeBody } }, async (request) => {
      if (request.body.url !== undefined) refuseInternalUrl(request.body.url, config);
      return endpointJson(found(await endpoints.update(principalOf(request).organizationId, request.params.id, request.body)));
    });

    const deleting = { params: idParams, response: { 204: noContent } };
    app.delete('/webhook-endpoints/:id', { schema: { tags, summary: 'Delete an endpoint and its deliveries', ...deleting } }, async (request, reply) => {
      found((await endpoints.delete(principalOf(request).organizationId, request.params.id)) || null);
      return reply.code(204).send();
    });

    const rotating = { params: idParams, body: rotateBody, response: { 200: newSecretSchema } };
    app.post('/webhook-endpoints/:id/rotate-secret', { schema: { tags, summary: 'Replace the secret', ...rotating } }, async (request, reply) => {
      const overlapMs = (request.body?.overlap_hours ?? defaultOverlapHours) * hourMs;
      const rotated = found(await endpoints.rotateSecret(principalOf(request).organizationId, request.params.id, overlapMs));
      return reply.header('cache-control', 'no-store').send(newSecretJson(rotated));
    });
  };
}

/** What was sent to endpoints, or is about to be. */
export function webhookDeliveryRoutes({ store }: AppServices): FastifyPluginAsyncZod {
  const deliveries = store.webhookDeliveries;

  return async (app) => {
    const listingAll = { querystring: allDeliveriesQuery, response: { 200: pageSchema(deliverySchema) } };
    app.get('/webhook-deliveries', { schema: { tags, summary: 'List all deliveries, newest first', ...listingAll } }, async (request) => {
      const { run_id: runId, ...page } = request.query;
      return pageJson(await deliveries.list(principalOf(request).organizationId, { ...page, runId }), deliveryJson);
    });

    const listing = { params: idParams, querystring: pageQuery, response: { 200: pageSchema(deliverySchema) } };
    app.get('/webhook-endpoints/:id/deliveries', { schema: { tags, summary: 'List an endpoint’s deliveries', ...listing } }, async (request) => {
      const { organizationId } = principalOf(request);
      const endpoint = found(await store.webhookEndpoints.get(organizationId, request.params.id));
      return pageJson(await deliveries.list(organizationId, { ...request.query, endpointId: endpoint.id }), deliveryJson);
    });

    const resending = { params: deliveryParams, body: noArguments, response: { 202: deliverySchema } };
    app.post('/webhook-endpoints/:id/deliveries/:delivery_id/resend', { schema: { tags, summary: 'Send again', ...resending } }, async (request, reply) => {
      const { id, delivery_id: deliveryId } = request.params;
      const delivery = found(await deliveries.resend(principalOf(request).organizationId, id, deliveryId));
      return reply.code(202).send(deliveryJson(delivery));
    });

    const testing = { params: idParams, body: noArguments, response: { 202: deliverySchema } };
    app.post('/webhook-endpoints/:id/test', { schema: { tags, summary: 'Send a test message', ...testing } }, async (request, reply) => {
      const delivery = found(await deliveries.writeTest(principalOf(request).organizationId, request.params.id));
      return reply.code(202).send(deliveryJson(delivery));
    });
  };
}
