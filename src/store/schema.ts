import { bigint, customType, doublePrecision, integer, pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import type { EndReason, RunState } from '../runs/lifecycle.js';
import { encodeJson } from './encode-json.js';
import type { QuotaPeriod, VersionStatus } from './store.js';

/** Tables as the migrations leave them; a test compares the two. Unique indexes and checks are the migrations' alone. */

const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/** Kept as written, key order included: what users edit. */
const writtenJson = customType<{ data: unknown; driverData: unknown }>({ dataType: () => 'json', toDriver: encodeJson });

/** Decomposed: what is merged and searched. */
const mergedJson = customType<{ data: Record<string, unknown>; driverData: unknown }>({ dataType: () => 'jsonb', toDriver: encodeJson });

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

/** What a user's agents may use per period. */
export const quotas = pgTable('quotas', {
  userId: uuid('user_id').primaryKey(),
  period: text('period').$type<QuotaPeriod>().notNull(),
  minutes: doublePrecision('minutes'),
  runs: integer('runs'),
});

/** What a user's agents used, per day and per month. */
export const usageCounters = pgTable(
  'usage_counters',
  {
    userId: uuid('user_id').notNull(),
    period: text('period').$type<QuotaPeriod>().notNull(),
    periodStart: time('period_start').notNull(),
    runs: bigint('runs', { mode: 'number' }).notNull(),
    usedMs: bigint('used_ms', { mode: 'number' }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.period, table.periodStart] })],
);

/** Conversations. Live ones with an unexpired lease are the concurrency slots. */
export const runs = pgTable('runs', {
  id: uuid('id').primaryKey(),
  name: text('name').notNull(),
  organizationId: uuid('organization_id').notNull(),
  ownerUserId: uuid('owner_user_id').notNull(),
  agentUuid: uuid('agent_uuid').notNull(),
  agentVersion: integer('agent_version').notNull(),
  telephonyConfigId: uuid('telephony_config_id'),
  callType: text('call_type').$type<'inbound'>().notNull().default('inbound'),
  mode: text('mode').notNull(),
  state: text('state').$type<RunState>().notNull(),
  initialContext: mergedJson('initial_context').notNull(),
  gatheredContext: mergedJson('gathered_context').notNull(),
  logs: mergedJson('logs').notNull().default({}),
  sessionId: text('session_id'),
  endReason: text('end_reason').$type<EndReason>(),
  closeCode: integer('close_code'),
  closeReason: text('close_reason'),
  createdAt: createdAt(),
  answeredAt: time('answered_at'),
  endedAt: time('ended_at'),
  durationMs: bigint('duration_ms', { mode: 'number' }),
  usage: mergedJson('usage').notNull().default({}),
  cost: mergedJson('cost').notNull().default({}),
  latency: mergedJson('latency').notNull().default({}),
  recordingPath: text('recording_path'),
  nodeId: text('node_id').notNull(),
  heartbeatAt: time('heartbeat_at').notNull(),
  leaseExpiresAt: time('lease_expires_at').notNull(),
});

/** What happened in a run. */
export const runEvents = pgTable(
  'run_events',
  {
    runId: uuid('run_id').notNull(),
    seq: integer('seq').notNull(),
    atMs: doublePrecision('at_ms').notNull(),
    type: text('type').notNull(),
    data: mergedJson('data').notNull(),
    recordedAt: time('recorded_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.runId, table.seq] })],
);

/** Streams turned away before a run was minted. */
export const refusals = pgTable('refusals', {
  id: uuid('id').primaryKey(),
  organizationId: uuid('organization_id').notNull(),
  agentUuid: uuid('agent_uuid').notNull(),
  at: time('at').notNull().defaultNow(),
  closeCode: integer('close_code').notNull(),
  reason: text('reason').notNull(),
});
