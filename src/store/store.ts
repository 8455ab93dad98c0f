import type { EndReason, RunEnding, RunState } from '../runs/lifecycle.js';
import type { RunEvent } from '../runs/events.js';

/** A page of a list, newest first. `nextCursor` is null on the last page. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

export interface PageRequest {
  /** 1–200, default 50. */
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

// Organizations, users, keys

export interface Organization {
  readonly id: string;
  readonly name: string;
  /** Calls the organization may hold at once. */
  readonly concurrentCalls: number;
  /** `settings.models` for agents that choose none. */
  readonly defaultModels: unknown;
}

export interface User {
  readonly id: string;
  readonly organizationId: string;
  readonly email: string;
}

export interface ApiKey {
  readonly id: string;
  readonly organizationId: string;
  readonly userId: string;
  readonly name: string;
  /** First characters of the key, to tell keys apart. */
  readonly prefix: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly expiresAt: Date | null;
}

/** Whom a request speaks for. */
export interface Principal {
  readonly organizationId: string;
  readonly userId: string;
  readonly apiKeyId: string;
}

export interface AccountStore {
  /** True while no organization exists: the first start. */
  isEmpty(): Promise<boolean>;
  createOrganization(input: { name: string; ownerEmail: string }): Promise<{ organization: Organization; owner: User }>;
  getOrganization(id: string): Promise<Organization | null>;
  updateOrganization(id: string, change: { concurrentCalls?: number | undefined; defaultModels?: unknown }): Promise<Organization | null>;
  listUsers(organizationId: string): Promise<readonly User[]>;
  /** `key` given: stored as it is (bootstrap); else 256 random bits. The key is returned once and stored hashed. */
  createApiKey(input: {
    organizationId: string;
    userId: string;
    name: string;
    key?: string | undefined;
    expiresAt?: Date | undefined;
  }): Promise<{ apiKey: ApiKey; key: string }>;
  /** Null for an unknown, deleted or expired key. Stamps `lastUsedAt` at most once a minute. */
  authenticate(key: string): Promise<Principal | null>;
  listApiKeys(organizationId: string): Promise<readonly ApiKey[]>;
  deleteApiKey(organizationId: string, id: string): Promise<boolean>;
}

// Agents

export interface Agent {
  readonly uuid: string;
  readonly organizationId: string;
  /** Whose quota the agent's calls use. */
  readonly ownerUserId: string;
  readonly name: string;
  readonly isArchived: boolean;
  readonly hasStreamToken: boolean;
  readonly publishedVersion: number | null;
  readonly draftVersion: number | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export type VersionStatus = 'draft' | 'published' | 'archived';

export interface AgentVersion {
  readonly agentUuid: string;
  readonly number: number;
  readonly status: VersionStatus;
  /** The agent document (workflow/schema.ts). */
  readonly workflow: unknown;
  /** Settings per version (workflow/settings.ts). */
  readonly settings: unknown;
  /** Default variables for templates. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
  readonly publishedAt: Date | null;
}

export interface AgentContent {
  readonly workflow: unknown;
  readonly settings: unknown;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** What the stream endpoint needs of an agent: one query, cached by the endpoint. */
export interface CallableAgent {
  readonly agent: Agent;
  /** The published version, or the draft where none is published. */
  readonly version: AgentVersion;
  /** SHA-256 of each accepted stream token; empty where none is required. The former one stays during the overlap window. */
  readonly streamTokenHashes: readonly Buffer[];
}

export interface AgentStore {
  /** The content becomes published version 1. */
  create(input: { organizationId: string; ownerUserId: string; name: string } & AgentContent): Promise<Agent>;
  list(organizationId: string, request: PageRequest & { includeArchived?: boolean | undefined }): Promise<Page<Agent>>;
  get(organizationId: string, uuid: string): Promise<Agent | null>;
  /** Not scoped: the UUID is the capability. Null for unknown and archived agents alike. */
  findCallable(uuid: string): Promise<CallableAgent | null>;
  /** UUIDs of all active agents, to refuse floods of unknown ones without a query. */
  listActiveUuids(): Promise<readonly string[]>;
  rename(organizationId: string, uuid: string, name: string): Promise<Agent | null>;
  setArchived(organizationId: string, uuid: string, isArchived: boolean): Promise<Agent | null>;
  /** Makes or updates the single draft. */
  putDraft(organizationId: string, uuid: string, content: AgentContent): Promise<AgentVersion | null>;
  /** Draft → published; the former published version → archived. Null where the agent or a draft is missing. */
  publish(organizationId: string, uuid: string): Promise<AgentVersion | null>;
  listVersions(organizationId: string, uuid: string): Promise<readonly AgentVersion[] | null>;
  /** Copies version `number` into the draft. */
  restore(organizationId: string, uuid: string, number: number): Promise<AgentVersion | null>;
  /** A new token (≥ 128 random bits, base64url), shown once; the former stays valid for `overlapMs`. */
  rotateStreamToken(organizationId: string, uuid: string, overlapMs: number): Promise<string | null>;
  removeStreamToken(organizationId: string, uuid: string): Promise<boolean>;
}

// Telephony configurations and vendor credentials

export interface TelephonyConfig {
  readonly id: string;
  readonly organizationId: string;
  readonly name: string;
  readonly provider: string;
  /** Normalised key that streams are matched by: Cloudonix' domain. */
  readonly account: string;
  /** Credentials with secrets opened. Only for the provider module; the API shows `redactedCredentials`. */
  readonly credentials: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface TelephonyConfigStore {
  create(input: {
    organizationId: string;
    name: string;
    provider: string;
    account: string;
    credentials: Readonly<Record<string, unknown>>;
  }): Promise<TelephonyConfig>;
  list(organizationId: string): Promise<readonly TelephonyConfig[]>;
  get(organizationId: string, id: string): Promise<TelephonyConfig | null>;
  /** Not scoped: for provider callbacks, whose URL holds the id. */
  getById(id: string): Promise<TelephonyConfig | null>;
  find(organizationId: string, provider: string, account: string): Promise<TelephonyConfig | null>;
  update(
    organizationId: string,
    id: string,
    change: { name?: string | undefined; account?: string | undefined; credentials?: Readonly<Record<string, unknown>> | undefined },
  ): Promise<TelephonyConfig | null>;
  delete(organizationId: string, id: string): Promise<boolean>;
}

export interface VendorCredential {
  readonly id: string;
  readonly organizationId: string;
  readonly vendor: string;
  readonly name: string;
  /** Opened. Never leaves the server. */
  readonly apiKey: string;
  readonly baseUrl: string | null;
  readonly createdAt: Date;
}

export interface VendorCredentialStore {
  create(input: {
    organizationId: string;
    vendor: string;
    name: string;
    apiKey: string;
    baseUrl: string | null;
  }): Promise<VendorCredential>;
  list(organizationId: string): Promise<readonly VendorCredential[]>;
  delete(organizationId: string, id: string): Promise<boolean>;
}

// Quota

export type QuotaPeriod = 'day' | 'month';

/** Null limits mean unlimited. Periods are calendar periods in UTC. */
export interface Quota {
  readonly period: QuotaPeriod;
  readonly minutes: number | null;
  readonly runs: number | null;
}

export interface QuotaUsage {
  readonly periodStart: Date;
  readonly periodEnd: Date;
  /** Ended and live calls together. */
  readonly usedMs: number;
  readonly runs: number;
}

export interface QuotaStore {
  /** Unlimited monthly where none was set. Null for a user of another organization. */
  get(organizationId: string, userId: string): Promise<{ quota: Quota; usage: QuotaUsage } | null>;
  put(organizationId: string, userId: string, quota: Quota): Promise<Quota | null>;
  usage(organizationId: string): Promise<{ periodStart: Date; runs: number; durationMs: number; liveCalls: number }>;
  /** Of the given live runs, those whose owner's minutes are used up now, live time included. */
  findExhausted(runIds: readonly string[]): Promise<readonly string[]>;
}

// Runs

export interface Run {
  readonly id: string;
  readonly name: string;
  readonly organizationId: string;
  readonly ownerUserId: string;
  readonly agentUuid: string;
  readonly agentVersion: number;
  readonly telephonyConfigId: string | null;
  readonly callType: 'inbound';
  readonly mode: string;
  readonly state: RunState;
  readonly initialContext: Readonly<Record<string, unknown>>;
  readonly gatheredContext: Readonly<Record<string, unknown>>;
  readonly logs: Readonly<Record<string, unknown>>;
  /** The provider's session id, indexed: provider callbacks and one-socket-per-session are matched by it. */
  readonly sessionId: string | null;
  readonly endReason: EndReason | null;
  readonly closeCode: number | null;
  readonly closeReason: string | null;
  readonly createdAt: Date;
  readonly answeredAt: Date | null;
  readonly endedAt: Date | null;
  readonly durationMs: number | null;
  readonly usage: Readonly<Record<string, unknown>>;
  readonly cost: Readonly<Record<string, unknown>>;
  readonly latency: Readonly<Record<string, unknown>>;
  /** Path below the data directory, null where nothing was recorded. */
  readonly recordingPath: string | null;
  /** Node that holds the call while it is live. */
  readonly nodeId: string;
}

/** Refusals of `mint`, in the order they are checked. */
export type MintResult =
  | { readonly ok: true; readonly run: Run; readonly remainingMs: number | null }
  | { readonly ok: false; readonly code: 'quota-exceeded' | 'concurrency-limit' };

export interface RunFilter {
  readonly agentUuid?: string | undefined;
  readonly state?: RunState | undefined;
  readonly endReason?: string | undefined;
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  /** Matches name, id, caller or called number, session or call id. */
  readonly q?: string | undefined;
}

/** Everything the finaliser writes, in one statement, only if the run is still live. */
export interface RunFinalisation extends RunEnding {
  readonly durationMs: number;
  readonly gatheredContext: Readonly<Record<string, unknown>>;
  readonly usage: Readonly<Record<string, unknown>>;
  readonly cost: Readonly<Record<string, unknown>>;
  readonly latency: Readonly<Record<string, unknown>>;
  readonly recordingPath: string | null;
}

/**
 * Runs. A live run (`initialized` or `running` with an unexpired lease) *is* the concurrency slot: there is no second ledger that
 * could leak. All of a node's leases are extended by one statement (`heartbeat`).
 */
export interface RunStore {
  /**
   * One transaction under the organization's row lock: quota of the owner, live runs of organization and agent, insert.
   * `remainingMs`: what the owner's minutes leave for this call, null if unlimited.
   */
  mint(input: {
    agent: Agent;
    version: number;
    mode: string;
    agentConcurrentCalls: number | null;
    initialContext: Readonly<Record<string, unknown>>;
    gatheredContext: Readonly<Record<string, unknown>>;
    nodeId: string;
    leaseMs: number;
  }): Promise<MintResult>;
  /**
   * Binds the run to its provider session and telephony configuration.
   * `duplicate` where another live run holds the session (unique index over live runs).
   */
  bindSession(
    id: string,
    input: {
      sessionId: string;
      telephonyConfigId: string;
      initialContext: Readonly<Record<string, unknown>>;
      gatheredContext: Readonly<Record<string, unknown>>;
      logs: Readonly<Record<string, unknown>>;
    },
  ): Promise<'bound' | 'duplicate' | 'ended'>;
  /** `initialized` → `running`; stamps `answered_at`. False if the run has ended meanwhile. */
  markRunning(id: string): Promise<boolean>;
  /** Compare-and-set to the terminal state that follows from the reason, and the owner's usage with it. False if already ended. */
  finalise(id: string, finalisation: RunFinalisation): Promise<boolean>;
  /** Extends the leases of the node's live runs. */
  heartbeat(nodeId: string, leaseMs: number): Promise<void>;
  /**
   * Ends runs whose lease has expired as `node_lost`, and releases what they held; duration up to the last event.
   * `exclusiveNodeId` set (embedded database, one node): every live run of another node is lost at once.
   */
  sweep(exclusiveNodeId?: string): Promise<readonly string[]>;
  get(organizationId: string, id: string): Promise<Run | null>;
  list(organizationId: string, filter: RunFilter & PageRequest): Promise<Page<Run>>;
  /** The newest run bound to the provider session within the organization. */
  findBySession(organizationId: string, sessionId: string): Promise<Run | null>;
  /** Merges into `logs`, for provider callbacks that arrive after the call. */
  mergeLogs(id: string, logs: Readonly<Record<string, unknown>>): Promise<void>;
  appendEvents(id: string, events: readonly RunEvent[]): Promise<void>;
  /** Events of many runs in one statement. Those already stored (same run and `seq`) and those of unknown runs are skipped, so that a retry is safe. */
  appendEventBatches(batches: readonly { readonly runId: string; readonly events: readonly RunEvent[] }[]): Promise<void>;
  listEvents(organizationId: string, id: string, afterSeq: number, limit: number): Promise<readonly RunEvent[] | null>;
}

// Refusals

export interface Refusal {
  readonly id: string;
  readonly organizationId: string;
  readonly agentUuid: string;
  readonly at: Date;
  readonly closeCode: number;
  readonly reason: string;
}

/** Streams turned away before a run was minted; the newest 1,000 per organization are kept. */
export interface RefusalStore {
  add(input: { organizationId: string; agentUuid: string; closeCode: number; reason: string }): Promise<void>;
  list(organizationId: string, request: PageRequest): Promise<Page<Refusal>>;
}

// Between nodes

/** Channels of LISTEN/NOTIFY. Payloads are JSON below 8 kB. */
export interface NotificationPayloads {
  /** An agent, its version, token or archive flag changed: forget what is cached. */
  agent_changed: { uuid: string; isActive: boolean };
  telephony_config_changed: { organizationId: string };
  /** New events of a run were committed. */
  run_events: { runId: string; lastSeq: number };
  run_ended: { runId: string };
  /** Live control, answered by the node that holds the call. */
  run_control: { runId: string; commandId: string; command: RunCommand };
  run_control_result: { commandId: string; ok: boolean; code?: string; message?: string };
}

export type RunCommand =
  | { readonly type: 'hangup' }
  | { readonly type: 'transfer'; readonly destination: string }
  | { readonly type: 'say'; readonly text: string };

export interface Notifications {
  notify<K extends keyof NotificationPayloads>(channel: K, payload: NotificationPayloads[K]): Promise<void>;
  /** Returns the function that ends the subscription. Reconnects by itself; `onLost` tells that notifications may have been missed. */
  subscribe<K extends keyof NotificationPayloads>(
    channel: K,
    onPayload: (payload: NotificationPayloads[K]) => void,
    onLost?: () => void,
  ): () => void;
}

/** The database, by aggregate. The one implementation is PostgreSQL (store/postgres-store.ts). */
export interface Store {
  readonly accounts: AccountStore;
  readonly agents: AgentStore;
  readonly telephonyConfigs: TelephonyConfigStore;
  readonly vendorCredentials: VendorCredentialStore;
  readonly quotas: QuotaStore;
  readonly runs: RunStore;
  readonly refusals: RefusalStore;
  readonly notifications: Notifications;
  /** Queries sent since the store opened: the flood test counts them. */
  readonly queryCount: () => number;
  /** Resolves when the database answers; used by readiness. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
