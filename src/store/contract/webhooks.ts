import type { Page, PageRequest } from './paging.js';
import type { Run } from './runs.js';

/** What an endpoint can ask to be told of runs (docs/webhooks.md). */
export type RunEventType = 'run.started' | 'run.ended' | 'run.failed' | 'run.transferred' | 'run.analysed';

/** Where an organization wants its events. */
export interface WebhookEndpoint {
  readonly id: string;
  readonly organizationId: string;
  readonly url: string;
  readonly description: string;
  readonly events: readonly RunEventType[];
  /** False: nothing is written for it, and what was written waits no longer. */
  readonly enabled: boolean;
  /** Why the server disabled it; null where it did not. */
  readonly disabledReason: 'gone' | null;
  /** Until when signatures are made with the former secret too. */
  readonly formerSecretExpiresAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What users set of an endpoint. */
export interface WebhookEndpointFields {
  readonly url: string;
  readonly description: string;
  readonly events: readonly RunEventType[];
  readonly enabled: boolean;
}

/** An endpoint with its secret, `whsec_…`: shown once. */
export interface NewWebhookSecret {
  readonly endpoint: WebhookEndpoint;
  readonly secret: string;
}

/** Endpoints; secrets are sealed. */
export interface WebhookEndpointStore {
  /** Throws `conflict` where the organization has as many as it may. */
  create(organizationId: string, fields: WebhookEndpointFields): Promise<NewWebhookSecret>;
  list(organizationId: string, request: PageRequest): Promise<Page<WebhookEndpoint>>;
  get(organizationId: string, id: string): Promise<WebhookEndpoint | null>;
  /** `enabled: true` forgets why it was disabled. */
  update(organizationId: string, id: string, change: { readonly [K in keyof WebhookEndpointFields]?: WebhookEndpointFields[K] | undefined }): Promise<WebhookEndpoint | null>;
  delete(organizationId: string, id: string): Promise<boolean>;
  /** Signs with the former secret too for `overlapMs`. */
  rotateSecret(organizationId: string, id: string, overlapMs: number): Promise<NewWebhookSecret | null>;
}

/** How an attempt went; the label of its metric. */
export type WebhookOutcome =
  | 'delivered'
  | 'redirected'
  | 'rejected'
  | 'rate_limited'
  | 'receiver_error'
  | 'gone'
  | 'timed_out'
  | 'unreachable'
  | 'egress_refused'
  | 'disabled'
  | 'credential_missing'
  | 'invalid';

/** One message to one receiver, over all its attempts. */
export interface WebhookDelivery {
  readonly id: string;
  readonly organizationId: string;
  /** Null: for a webhook node of the run's workflow. */
  readonly endpointId: string | null;
  /** Null: a test. */
  readonly runId: string | null;
  readonly nodeId: string | null;
  readonly eventType: string;
  /** `webhook-id`: the same in every attempt. */
  readonly eventId: string;
  readonly status: 'pending' | 'delivered' | 'failed';
  /** In all. */
  readonly attempts: number;
  /** Since the delivery was written or last resent: the place in the schedule. */
  readonly tries: number;
  /** Null where there will be none. */
  readonly nextAttemptAt: Date | null;
  readonly lastAttemptAt: Date | null;
  /** Of the last attempt; null before the first. */
  readonly outcome: WebhookOutcome | null;
  readonly responseStatus: number | null;
  /** The beginning of the answer. */
  readonly responseBody: string | null;
  readonly createdAt: Date;
}

/** Everything an attempt needs. */
export interface ClaimedDelivery {
  readonly delivery: WebhookDelivery;
  /** What was sent before; null at the first attempt. */
  readonly body: string | null;
  /** Null for a webhook node. The newest secret first. */
  readonly endpoint: { readonly url: string; readonly enabled: boolean; readonly secrets: readonly string[] } | null;
  readonly run: Run | null;
  /** The webhook node as the pinned version holds it; null where it has none of that id. */
  readonly node: unknown;
}

/** What an attempt came to. `retryInMs` null: there is no further one. */
export interface AttemptRecord {
  readonly status: WebhookDelivery['status'];
  readonly retryInMs: number | null;
  readonly outcome: WebhookOutcome;
  readonly responseStatus: number | null;
  readonly responseBody: string | null;
  /** The receiver said it is gone for good. */
  readonly disablesEndpoint: boolean;
}

/** Deliveries: the outbox. Those of a run's start and end are written with it (`RunStore`); a pending one always has its job. */
export interface WebhookDeliveryStore {
  /** Writes an event of a run, once, to the endpoints that ask for it. */
  announce(runId: string, type: RunEventType): Promise<void>;
  /** Writes a test message to the endpoint, enabled or not. Null where there is no such endpoint. */
  writeTest(organizationId: string, endpointId: string): Promise<WebhookDelivery | null>;
  /** Newest first; the log keeps a bounded number per endpoint. */
  list(organizationId: string, filter: { readonly endpointId?: string | undefined; readonly runId?: string | undefined } & PageRequest): Promise<Page<WebhookDelivery>>;
  /** Makes the delivery due at once, with a whole schedule before it. Null where there is no such delivery. */
  resend(organizationId: string, endpointId: string, id: string): Promise<WebhookDelivery | null>;
  /**
   * Takes a delivery for one attempt of at most `claimMs` and counts it. `busy`: another attempt is under way, or its node died in it.
   * `done`: it does not exist, or is not pending.
   */
  claim(id: string, claimMs: number): Promise<ClaimedDelivery | 'busy' | 'done'>;
  /** Gives up a claim whose attempt was called off: the next may begin at once. */
  release(id: string): Promise<void>;
  /** Keeps what is sent, so that every attempt sends the same. */
  keepBody(id: string, body: string): Promise<void>;
  record(id: string, attempt: AttemptRecord): Promise<void>;
}
