import { randomBytes } from 'node:crypto';
import { and, desc, eq, lt, sql } from 'drizzle-orm';
import { AgentStreamError } from '../base/errors.js';
import { isUuid, uuidv7 } from '../base/ids.js';
import type { Database } from './database.js';
import { storableText } from './encode-json.js';
import { decodeIdCursor, pageLimit, toPage } from './page.js';
import { webhookEndpoints } from './schema.js';
import type { SecretPlace, Secrets } from './secrets.js';
import type { WebhookEndpoint, WebhookEndpointStore } from './store.js';

/** Endpoints of an organization: every run's end writes to all that ask for it. */
const MAX_ENDPOINTS = 20;
/** Standard Webhooks asks for 24 to 64 random bytes. */
const SECRET_BYTES = 32;

/** A row as it is stored. */
export type WebhookEndpointRow = typeof webhookEndpoints.$inferSelect;

/** A fresh signing secret as Standard Webhooks writes it (spec, "Signature scheme"). */
const newSecret = (): string => `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;

const placeOf = (row: { id: string; organizationId: string }): SecretPlace => ({
  table: 'webhook_endpoints',
  rowId: row.id,
  organizationId: row.organizationId,
});

/** The secrets signatures are made with at `wallMs`, the newest first. */
export function secretsOf(row: WebhookEndpointRow, secrets: Secrets, wallMs: number): readonly string[] {
  const { secretSealed, formerSecretSealed, formerSecretExpiresAt } = row;
  const isFormerValid = formerSecretSealed !== null && formerSecretExpiresAt !== null && formerSecretExpiresAt.getTime() > wallMs;
  return [secretSealed, ...(isFormerValid ? [formerSecretSealed] : [])].map((sealed) => secrets.open(placeOf(row), sealed));
}

function withoutSecrets({ secretSealed: _secret, formerSecretSealed: _former, ...endpoint }: WebhookEndpointRow): WebhookEndpoint {
  return endpoint;
}

const endpointOf = (row: WebhookEndpointRow | undefined): WebhookEndpoint | null => (row === undefined ? null : withoutSecrets(row));

/** Webhook endpoints in PostgreSQL; their secrets are sealed. */
export function createWebhookEndpointStore({ orm, clock }: Database, secrets: Secrets): WebhookEndpointStore {
  const isEndpoint = (organizationId: string, id: string) => and(eq(webhookEndpoints.organizationId, organizationId), eq(webhookEndpoints.id, id));

  return {
    async create(organizationId, fields) {
      const count = await orm.$count(webhookEndpoints, eq(webhookEndpoints.organizationId, organizationId));
      if (count >= MAX_ENDPOINTS) throw new AgentStreamError('conflict', { message: `An organization has at most ${MAX_ENDPOINTS} webhook endpoints.` });
      const id = uuidv7(clock.wallMs());
      const secret = newSecret();
      const values = { ...fields, events: [...fields.events], description: storableText(fields.description), url: storableText(fields.url) };
      const [row] = await orm
        .insert(webhookEndpoints)
        .values({ id, organizationId, ...values, secretSealed: secrets.seal(placeOf({ id, organizationId }), secret) })
        .returning();
      if (row === undefined) throw new Error('INSERT returned no row');
      return { endpoint: withoutSecrets(row), secret };
    },

    async list(organizationId, request) {
      if (!isUuid(organizationId)) return { items: [], nextCursor: null };
      const limit = pageLimit(request);
      const before = decodeIdCursor(request);
      const rows = await orm
        .select()
        .from(webhookEndpoints)
        .where(and(eq(webhookEndpoints.organizationId, organizationId), before === null ? undefined : lt(webhookEndpoints.id, before)))
        .orderBy(desc(webhookEndpoints.id))
        .limit(limit + 1);
      return toPage(rows.map(withoutSecrets), limit, (endpoint) => [endpoint.id]);
    },

    async get(organizationId, id) {
      if (!isUuid(organizationId) || !isUuid(id)) return null;
      return endpointOf((await orm.select().from(webhookEndpoints).where(isEndpoint(organizationId, id)))[0]);
    },

    async update(organizationId, id, { url, description, events, enabled }) {
      if (!isUuid(organizationId) || !isUuid(id)) return null;
      const [row] = await orm
        .update(webhookEndpoints)
        .set({
          updatedAt: sql`now()`,
          ...(url === undefined ? {} : { url: storableText(url) }),
          ...(description === undefined ? {} : { description: storableText(description) }),
          ...(events === undefined ? {} : { events: [...events] }),
          ...(enabled === undefined ? {} : { enabled }),
          ...(enabled === true ? { disabledReason: null } : {}),
        })
        .where(isEndpoint(organizationId, id))
        .returning();
      return endpointOf(row);
    },

    async delete(organizationId, id) {
      if (!isUuid(organizationId) || !isUuid(id)) return false;
      const deleted = await orm.delete(webhookEndpoints).where(isEndpoint(organizationId, id)).returning({ id: webhookEndpoints.id });
      return deleted.length > 0;
    },

    async rotateSecret(organizationId, id, overlapMs) {
      if (!isUuid(organizationId) || !isUuid(id)) return null;
      const secret = newSecret();
      const [row] = await orm
        .update(webhookEndpoints)
        .set({
          secretSealed: secrets.seal(placeOf({ id, organizationId }), secret),
          formerSecretSealed: sql`secret_sealed`,
          formerSecretExpiresAt: sql`now() + ${overlapMs}::float8 * interval '1 millisecond'`,
          updatedAt: sql`now()`,
        })
        .where(isEndpoint(organizationId, id))
        .returning();
      return row === undefined ? null : { endpoint: withoutSecrets(row), secret };
    },
  };
}
