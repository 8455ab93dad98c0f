import { boolean, customType, integer, pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { encodeJson } from './encode-json.js';
import type { DocumentFields, RunEventType, VersionStatus } from './store.js';

/**
 * Tables read and written through the query builder, as the migrations leave them; a test compares the two. Indexes and checks are the
 * migrations' alone, and so are the tables of runs and usage, whose statements are written by hand (run-sql.ts, quotas.ts).
 */

const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/** Kept as written, key order included: what users edit. */
const writtenJson = customType<{ data: unknown; driverData: unknown }>({ dataType: () => 'json', toDriver: encodeJson });

const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' });
const createdAt = () => time('created_at').notNull().defaultNow();

/** Small facts about the database itself. */
export const storeMetadata = pgTable('store_metadata', { key: text('key').primaryKey(), value: bytes('value').notNull() });

/** Tenants. */
export const organizations = pgTable('organizations', {
  id: uuid('id').primaryKey(),
  name: text('name').notNull(),
  concurrentCalls: integer('concurrent_calls').notNull(),
  defaultModels: writtenJson('default_models'),
  createdAt: createdAt(),
  prices: writtenJson('prices'),
  pricesUpdatedAt: time('prices_updated_at'),
});

/** Members of an organization; agents' owners. */
export const users = pgTable('users', {
  id: uuid('id').primaryKey(),
  organizationId: uuid('organization_id').notNull(),
  email: text('email').notNull(),
  createdAt: createdAt(),
});

/** API keys, hashed. */
export const apiKeys = pgTable('api_keys', {
  id: uuid('id').primaryKey(),
  organizationId: uuid('organization_id').notNull(),
  userId: uuid('user_id').notNull(),
  name: text('name').notNull(),
  prefix: text('prefix').notNull(),
  keyHash: bytes('key_hash').notNull(),
  createdAt: createdAt(),
  lastUsedAt: time('last_used_at'),
  expiresAt: time('expires_at'),
});

/** Agents. */
export const agents = pgTable('agents', {
  uuid: uuid('uuid').primaryKey(),
  organizationId: uuid('organization_id').notNull(),
  ownerUserId: uuid('owner_user_id').notNull(),
  name: text('name').notNull(),
  archivedAt: time('archived_at'),
  streamTokenHash: bytes('stream_token_hash'),
  formerStreamTokenHash: bytes('former_stream_token_hash'),
  formerStreamTokenExpiresAt: time('former_stream_token_expires_at'),
  createdAt: createdAt(),
  updatedAt: time('updated_at').notNull().defaultNow(),
});

/** Versions of agents: at most one draft and one published each. */
export const agentVersions = pgTable(
  'agent_versions',
  {
    agentUuid: uuid('agent_uuid').notNull(),
    number: integer('number').notNull(),
    status: text('status').$type<VersionStatus>().notNull(),
    workflow: writtenJson('workflow').notNull(),
    settings: writtenJson('settings').notNull(),
    variables: writtenJson('variables').$type<Record<string, unknown>>().notNull(),
    createdAt: createdAt(),
    publishedAt: time('published_at'),
  },
  (table) => [primaryKey({ columns: [table.agentUuid, table.number] })],
);

/** Accounts at telephony providers. */
export const telephonyConfigs = pgTable('telephony_configs', {
  id: uuid('id').primaryKey(),
  organizationId: uuid('organization_id').notNull(),
  name: text('name').notNull(),
  provider: text('provider').notNull(),
  account: text('account').notNull(),
  credentialsSealed: bytes('credentials_sealed').notNull(),
  createdAt: createdAt(),
  updatedAt: time('updated_at').notNull().defaultNow(),
});

/** Keys for speech and language vendors. */
export const vendorCredentials = pgTable('vendor_credentials', {
  id: uuid('id').primaryKey(),
  organizationId: uuid('organization_id').notNull(),
  vendor: text('vendor').notNull(),
  name: text('name').notNull(),
  apiKeySealed: bytes('api_key_sealed').notNull(),
  baseUrl: text('base_url'),
  createdAt: createdAt(),
});

/** What requests say who sends them with. */
export const credentials = pgTable('credentials', {
  uuid: uuid('uuid').primaryKey(),
  organizationId: uuid('organization_id').notNull(),
  name: text('name').notNull(),
  fieldsSealed: bytes('fields_sealed').notNull(),
  createdAt: createdAt(),
  updatedAt: time('updated_at').notNull().defaultNow(),
});

/** What agents' nodes may call. */
export const tools = pgTable('tools', {
  uuid: uuid('uuid').primaryKey(),
  organizationId: uuid('organization_id').notNull(),
  name: text('name').notNull(),
  description: text('description').notNull(),
  kind: text('kind').notNull(),
  config: writtenJson('config').notNull(),
  filler: writtenJson('filler'),
  credentialSealed: bytes('credential_sealed'),
  credentialUuid: uuid('credential_uuid'),
  createdAt: createdAt(),
  updatedAt: time('updated_at').notNull().defaultNow(),
});

/** Written chats with agents. */
export const chats = pgTable('chats', {
  id: uuid('id').primaryKey(),
  organizationId: uuid('organization_id').notNull(),
  agentUuid: uuid('agent_uuid').notNull(),
  record: writtenJson('record').notNull(),
  claim: uuid('claim'),
  claimedUntil: time('claimed_until'),
  createdAt: createdAt(),
  expiresAt: time('expires_at').notNull(),
});

/** Streams turned away before a run was minted. */
export const refusals = pgTable('refusals', {
  id: uuid('id').primaryKey(),
  organizationId: uuid('organization_id').notNull(),
  agentUuid: uuid('agent_uuid').notNull(),
  at: time('at').notNull().defaultNow(),
  closeCode: integer('close_code').notNull(),
  reason: text('reason').notNull(),
});

/** Where organizations want their events. */
export const webhookEndpoints = pgTable('webhook_endpoints', {
  id: uuid('id').primaryKey(),
  organizationId: uuid('organization_id').notNull(),
  url: text('url').notNull(),
  description: text('description').notNull(),
  events: text('events').array().$type<RunEventType[]>().notNull(),
  enabled: boolean('enabled').notNull(),
  disabledReason: text('disabled_reason').$type<'gone'>(),
  secretSealed: bytes('secret_sealed').notNull(),
  formerSecretSealed: bytes('former_secret_sealed'),
  formerSecretExpiresAt: time('former_secret_expires_at'),
  createdAt: createdAt(),
  updatedAt: time('updated_at').notNull().defaultNow(),
});

/** What agents answer from. */
export const documents = pgTable('documents', {
  uuid: uuid('uuid').primaryKey(),
  organizationId: uuid('organization_id').notNull(),
  name: text('name').notNull(),
  mimeType: text('mime_type').notNull(),
  sizeBytes: integer('size_bytes').notNull(),
  mode: text('mode').$type<DocumentFields['mode']>().notNull(),
  textLength: integer('text_length').notNull(),
  chunkCount: integer('chunk_count').notNull(),
  createdAt: createdAt(),
});

/** Documents' text, in parts. */
export const documentChunks = pgTable(
  'document_chunks',
  {
    documentUuid: uuid('document_uuid').notNull(),
    position: integer('position').notNull(),
    heading: text('heading').array().notNull(),
    page: integer('page'),
    text: text('text').notNull(),
  },
  (table) => [primaryKey({ columns: [table.documentUuid, table.position] })],
);

/** Short recordings that agents play. */
export const audioClips = pgTable('audio_clips', {
  uuid: uuid('uuid').primaryKey(),
  organizationId: uuid('organization_id').notNull(),
  name: text('name').notNull(),
  transcript: text('transcript').notNull(),
  durationMs: integer('duration_ms').notNull(),
  audio: bytes('audio').notNull(),
  createdAt: createdAt(),
});
/** Which documents have vectors, or are to have them. The work on them is written by hand (embeddings.ts). */
export const documentEmbeddings = pgTable('document_embeddings', {
  documentUuid: uuid('document_uuid').primaryKey(),
  status: text('status').$type<'pending' | 'ready' | 'failed'>().notNull(),
  lane: text('lane').notNull(),
  vendor: text('vendor'),
  model: text('model'),
  dimensions: integer('dimensions'),
  embeddedChunks: integer('embedded_chunks').notNull(),
  tries: integer('tries').notNull(),
  nextAttemptAt: time('next_attempt_at'),
  claim: uuid('claim'),
  claimedUntil: time('claimed_until'),
  failureCode: text('failure_code'),
  failureMessage: text('failure_message'),
});

/** Vectors of documents' parts. */
export const documentVectors = pgTable(
  'document_vectors',
  {
    documentUuid: uuid('document_uuid').notNull(),
    position: integer('position').notNull(),
    vector: bytes('vector').notNull(),
  },
  (table) => [primaryKey({ columns: [table.documentUuid, table.position] })],
);
