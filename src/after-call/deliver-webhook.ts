import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { ClaimedDelivery, CredentialStore, WebhookDeliveryStore, WebhookOutcome } from '../store/store.js';
import { credentialHeaders, withoutSecrets } from '../workflow/request-credential.js';
import { planAfterAttempt, type AttemptResult } from './delivery-plan.js';
import { nodeRequest, nodeVariables, parseWebhookNode } from './node-webhook.js';
import { encodePayload, MAX_PAYLOAD_BYTES, webhookPayload, webhookPayloadSchema } from './webhook-payload.js';
import { webhookHeaders } from './webhook-signature.js';

/** A receiver has this long to connect, take the message and answer (Standard Webhooks: 15 to 30 s). */
export const ATTEMPT_TIMEOUT_MS = 20_000;
/** An attempt that has recorded nothing by then died with its node. */
const CLAIM_MS = 30_000;
/** Read of an answer; what comes after is cut off. */
const MAX_ANSWER_BYTES = 64_000;
/** Kept of an answer. */
const MAX_KEPT_CHARACTERS = 1_024;

/** What attempts are made with. */
export interface WebhookDeliveryOptions {
  readonly store: { readonly webhookDeliveries: Pick<WebhookDeliveryStore, 'claim' | 'release' | 'keepBody' | 'record'>; readonly credentials: Pick<CredentialStore, 'get'> };
  readonly clock: Clock;
  readonly log: Log;
  /** Follows no redirect when asked not to; the guarded one where private networks are closed. */
  readonly fetch: typeof fetch;
  /** Origin of the links in messages. */
  readonly publicUrl: () => string;
  readonly userAgent: string;
  readonly onAttempt: (outcome: WebhookOutcome) => void;
  /** In [0, 1); spreads retries. Default Math.random. */
  readonly random?: () => number;
}

/** A message ready to be sent. */
interface OutgoingMessage {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** What its credential holds: nothing that is kept of the answer may. */
  readonly secrets: readonly string[];
}

/** Why there is nothing to send. */
type Unsendable = 'disabled' | 'credential_missing' | 'invalid';

/** Makes one attempt at a delivery, records what came of it and when the next is due. Rejects where the attempt could not be recorded. */
export function createWebhookDelivery(options: WebhookDeliveryOptions): (deliveryId: string, signal: AbortSignal) => Promise<void> {
  const { store, clock, log, random = Math.random } = options;

  /** The message of a claimed delivery, or why there is none. */
  async function compose(claimed: ClaimedDelivery): Promise<OutgoingMessage | Unsendable> {
    const { delivery, endpoint } = claimed;
    if (endpoint === null) return composeOfNode(claimed);
    if (!endpoint.enabled && delivery.eventType !== 'endpoint.test') return 'disabled';
    const body = claimed.body ?? encodeEvent(claimed);
    const headers = { 'content-type': 'application/json', ...webhookHeaders({ id: delivery.eventId, body }, endpoint.secrets, clock.wallMs()) };
    return { url: endpoint.url, method: 'POST', headers, body, secrets: [] };
  }

  /** The credential is opened for this attempt: what is stored of a delivery never holds it. */
  async function composeOfNode({ delivery, run, body: frozenBody, node: stored }: ClaimedDelivery): Promise<OutgoingMessage | Unsendable> {
    const node = parseWebhookNode(stored);
    if (node === null || run === null) return 'invalid';
    const wallMs = clock.wallMs();
    const request = nodeRequest(node, nodeVariables(run, options.publicUrl()), { frozenBody, wallMs });
    if (Buffer.byteLength(request.body ?? '') > MAX_PAYLOAD_BYTES) return 'invalid';
    const { credential_uuid: uuid } = node.data;
    const credential = uuid === undefined ? null : await store.credentials.get(delivery.organizationId, uuid);
    if (uuid !== undefined && credential === null) return 'credential_missing';
    const { headers, secrets } = credentialHeaders(credential?.fields ?? null);
    const own = webhookHeaders({ id: delivery.eventId, body: request.body ?? '' }, [], wallMs);
    return { ...request, headers: { ...request.headers, ...headers, ...own }, secrets };
  }

  function encodeEvent({ delivery, run }: ClaimedDelivery): string {
    const type = webhookPayloadSchema.shape.type.parse(delivery.eventType);
    return encodePayload(webhookPayload(type, run, { publicUrl: options.publicUrl(), occurredAt: delivery.createdAt }));
  }

  async function send({ url, method, headers, body, secrets }: OutgoingMessage, signal: AbortSignal): Promise<AttemptResult> {
    const deadline = deadlineSignal(clock, ATTEMPT_TIMEOUT_MS, signal, () => new Error('The receiver took too long'));
    try {
      const init = { method, headers: { ...headers, 'user-agent': options.userAgent }, redirect: 'manual', signal: deadline.signal } as const;
      const response = await options.fetch(url, body === null ? init : { ...init, body });
      const retryAfter = response.headers.get('retry-after');
      return { kind: 'answered', status: response.status, retryAfter, body: await readAnswer(response, secrets) };
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.signal.aborted) return { kind: 'failed', outcome: 'timed_out' };
      return { kind: 'failed', outcome: isRefusedEgress(error) ? 'egress_refused' : 'unreachable' };
    } finally {
      deadline.dispose();
    }
  }

  async function attempt(claimed: ClaimedDelivery, signal: AbortSignal): Promise<AttemptResult> {
    const message = await compose(claimed);
    if (typeof message === 'string') return { kind: 'failed', outcome: message };
    if (claimed.body === null && message.body !== null) await store.webhookDeliveries.keepBody(claimed.delivery.id, message.body);
    return send(message, signal);
  }

  return async (deliveryId, signal) => {
    const claimed = await store.webhookDeliveries.claim(deliveryId, CLAIM_MS);
    if (claimed === 'done') return;
    // The queue tries again; by then the other attempt has recorded its result, or its claim has run out.
    if (claimed === 'busy') throw new AgentStreamError('not-ready', { message: 'Another attempt at the delivery is under way.' });
    const result = await attempt(claimed, signal).catch(async (error: unknown) => {
      await store.webhookDeliveries.release(deliveryId);
      throw error;
    });
    const { tries, runId } = claimed.delivery;
    const record = planAfterAttempt(result, { tries, wallMs: clock.wallMs(), random: random() });
    await store.webhookDeliveries.record(deliveryId, record);
    options.onAttempt(record.outcome);
    const fields = { deliveryId, runId, outcome: record.outcome, tries };
    if (record.status === 'failed') log.warn('A webhook was given up', fields);
    else log.debug('A webhook was attempted', fields);
  };
}

const isRefusedEgress = (error: unknown): boolean => error instanceof AgentStreamError && error.code === 'egress-refused';

/**
 * The beginning of an answer, as far as it comes in time. Its status is what counts: a body that breaks off or never ends is no reason to
 * send the message twice.
 */
async function readAnswer(response: Response, secrets: readonly string[]): Promise<string> {
  if (response.body === null) return '';
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const end = { done: true, value: undefined } as const;
  const chunks: Uint8Array[] = [];
  for (let length = 0; length < MAX_ANSWER_BYTES; length += chunks.at(-1)?.length ?? 0) {
    const { done, value } = await reader.read().catch(() => end);
    if (done) break;
    chunks.push(value);
  }
  await reader.cancel().catch(() => undefined);
  return withoutSecrets(Buffer.concat(chunks).toString('utf8'), secrets).slice(0, MAX_KEPT_CHARACTERS);
}
