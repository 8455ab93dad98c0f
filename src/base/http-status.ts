import { AgentStreamError, type ErrorCode } from './errors.js';

/** Longest `Retry-After` that is believed. */
const MAX_RETRY_AFTER_MS = 60 * 60 * 1000;

function codeOf(httpStatus: number): ErrorCode {
  if (httpStatus === 401 || httpStatus === 403) return 'vendor-unauthorized';
  if (httpStatus === 429) return 'vendor-rate-limited';
  if (httpStatus === 408 || httpStatus >= 500) return 'vendor-unreachable';
  return 'vendor-rejected';
}

/** Milliseconds of a `Retry-After` header (RFC 9110 §10.2.3) given in seconds; undefined for a date, nonsense or none. */
export function parseRetryAfterMs(header: string | null | undefined): number | undefined {
  if (header === null || header === undefined || !/^\d{1,7}(\.\d+)?$/.test(header.trim())) return undefined;
  return Math.min(MAX_RETRY_AFTER_MS, Number(header) * 1000);
}

/** The error that a vendor's HTTP status means: `details` hold `httpStatus` and, where the vendor gave it, `retryAfterMs`. */
export function vendorStatusError(httpStatus: number, retryAfter?: string | null, cause?: unknown): AgentStreamError {
  const retryAfterMs = parseRetryAfterMs(retryAfter);
  return new AgentStreamError(codeOf(httpStatus), {
    details: { httpStatus, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
    ...(cause === undefined ? {} : { cause }),
  });
}
