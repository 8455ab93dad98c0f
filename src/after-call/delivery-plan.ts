import type { AttemptRecord, WebhookOutcome } from '../store/store.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Waits after the first, second, … failure: ten tries over three days (Standard Webhooks, "Deliverability and reliability"). */
export const retryDelaysMs: readonly number[] = [
  ...[5 * SECOND_MS, 5 * MINUTE_MS, 30 * MINUTE_MS],
  ...[2, 5, 10, 14, 20, 24].map((hours) => hours * HOUR_MS),
];

/** Waits are longer by up to this share, so that what failed together does not return together. */
const JITTER = 0.1;
/** Longest wait that a receiver can ask for with Retry-After. */
export const MAX_RETRY_AFTER_MS = 24 * HOUR_MS;

/** What came of one request. */
export type AttemptResult =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfter: string | null; readonly body: string }
  | { readonly kind: 'failed'; readonly outcome: 'timed_out' | 'unreachable' | 'egress_refused' | 'disabled' | 'credential_missing' | 'invalid' };

/** Outcomes that no further try would change. The others are tried again: a receiver's 4xx may be a deployment that went wrong. */
const finalOutcomes: ReadonlySet<WebhookOutcome> = new Set<WebhookOutcome>(['delivered', 'gone', 'egress_refused', 'disabled', 'credential_missing', 'invalid']);

function outcomeOf(status: number): WebhookOutcome {
  if (status >= 200 && status < 300) return 'delivered';
  if (status === 410) return 'gone';
  if (status === 429) return 'rate_limited';
  if (status < 400) return 'redirected';
  return status < 500 ? 'rejected' : 'receiver_error';
}

/** The wait a Retry-After header asks for (RFC 9110 §10.2.3): seconds or a date. Zero for what is neither. */
function askedMs(retryAfter: string | null, wallMs: number): number {
  if (retryAfter === null) return 0;
  const ms = /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) * SECOND_MS : Date.parse(retryAfter) - wallMs;
  return Number.isFinite(ms) ? Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms)) : 0;
}

/** Headers of these answers are heeded: 429, and the server errors that RFC 9110 lets carry it. */
const asksForPatience = (status: number): boolean => status === 429 || status >= 500;

/**
 * Decides what follows an attempt.
 * @param tries attempts in this round, this one included (1, 2, …)
 * @param random in [0, 1)
 */
export function planAfterAttempt(result: AttemptResult, at: { readonly tries: number; readonly wallMs: number; readonly random: number }): AttemptRecord {
  const outcome = result.kind === 'failed' ? result.outcome : outcomeOf(result.status);
  const answer = result.kind === 'failed' ? { responseStatus: null, responseBody: null } : { responseStatus: result.status, responseBody: result.body };
  const scheduledMs = finalOutcomes.has(outcome) ? undefined : retryDelaysMs[at.tries - 1];
  const record = { ...answer, outcome, disablesEndpoint: outcome === 'gone' };
  if (scheduledMs === undefined) return { ...record, status: outcome === 'delivered' ? 'delivered' : 'failed', retryInMs: null };
  const heededMs = result.kind === 'answered' && asksForPatience(result.status) ? askedMs(result.retryAfter, at.wallMs) : 0;
  return { ...record, status: 'pending', retryInMs: Math.max(heededMs, Math.round(scheduledMs * (1 + JITTER * at.random))) };
}
