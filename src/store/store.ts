import type { AccountStore } from './contract/accounts.js';
import type { AnalysisStore } from './contract/analyses.js';
import type { AudioClipStore } from './contract/audio-clips.js';
import type { AgentStore } from './contract/agents.js';
import type { ChatStore } from './contract/chats.js';
import type { CredentialStore, TelephonyConfigStore, VendorCredentialStore } from './contract/credentials.js';
import type { DocumentStore, EmbeddingStore } from './contract/documents.js';
import type { Notifications } from './contract/notifications.js';
import type { QuotaStore } from './contract/quotas.js';
import type { RefusalStore } from './contract/refusals.js';
import type { RunStore } from './contract/runs.js';
import type { ToolStore } from './contract/tools.js';
import type { WebhookDeliveryStore, WebhookEndpointStore } from './contract/webhooks.js';

export type * from './contract/accounts.js';
export type * from './contract/agents.js';
export type * from './contract/analyses.js';
export type * from './contract/audio-clips.js';
export type * from './contract/chats.js';
export type * from './contract/credentials.js';
export type * from './contract/documents.js';
export type * from './contract/notifications.js';
export type * from './contract/paging.js';
export type * from './contract/quotas.js';
export type * from './contract/refusals.js';
export type * from './contract/runs.js';
export type * from './contract/tools.js';
export type * from './contract/webhooks.js';

/** The database, by aggregate. The one implementation is PostgreSQL (store/postgres-store.ts). */
export interface Store {
  readonly accounts: AccountStore;
  readonly agents: AgentStore;
  readonly telephonyConfigs: TelephonyConfigStore;
  readonly vendorCredentials: VendorCredentialStore;
  readonly credentials: CredentialStore;
  readonly tools: ToolStore;
  readonly quotas: QuotaStore;
  readonly runs: RunStore;
  readonly analyses: AnalysisStore;
  readonly chats: ChatStore;
  readonly refusals: RefusalStore;
  readonly webhookEndpoints: WebhookEndpointStore;
  readonly webhookDeliveries: WebhookDeliveryStore;
  readonly documents: DocumentStore;
  readonly audioClips: AudioClipStore;
  readonly embeddings: EmbeddingStore;
  readonly notifications: Notifications;
  /** Queries sent since the store opened: the flood test counts them. */
  readonly queryCount: () => number;
  /** Resolves when the database answers; used by readiness. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
