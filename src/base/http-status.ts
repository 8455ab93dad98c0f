import { AgentStreamError, type ErrorCode } from './errors.js';

/** Longest `Retry-After` that is believed. */
const MAX_RETRY_AFTER_MS = 60 * 60 * 1000;

function codeOf(httpStatus: number): ErrorCode {
  if (httpStatus === 401 || httpStatus === 403) return 'vendor-unauthorized';
  if (httpStatus === 429) return 'vendor-rate-limited';
  if (httpStatus === 408 || httpStatus >= 500) return 'vendor-unreachable';
  return 'vendor-rejected';
}

/**
 * Milliseconds of a `Retry-After` header (RFC 9110 §10.2.3), an hour at most; undefined for nonsense or none. A date is read only where
 * `wallMs`, the time on the wall, is given.
 */
export function parseRetryAfterMs(header: string | null | undefined, wallMs?: number): number | undefined {
  const value = header?.trim() ?? '';
  const dateMs = wallMs === undefined || !/^[A-Za-z]{3},? /.test(value) ? NaN : Date.parse(value) - wallMs;
  const askedMs = /^\d{1,7}(\.\d+)?$/.test(value) ? Number(value) * 1000 : dateMs;
  return Number.isNaN(askedMs) ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, askedMs));
}

/** The error that a vendor's HTTP status means: `details` hold `httpStatus` and, where the vendor gave it, `retryAfterMs`. */
export function vendorStatusError(httpStatus: number, retryAfter?: string | null, cause?: unknown): AgentStreamError {
  const retryAfterMs = parseRetryAfterMs(retryAfter);
  return new AgentStreamError(codeOf(httpStatus), {
    details: { httpStatus, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
    ...(cause === undefined ? {} : { cause }),
  });
}
