import { AgentStreamError } from '../../base/errors.js';
import { vendorStatusError } from '../../base/http-status.js';
import { asRecord, isRecord, parseJsonRecord } from '../../base/json.js';

/**
 * What the details of an error say that its status does not (google.rpc.Status: cloud.google.com/apis/design/errors); undefined: nothing. A wrong
 * key is a 400 to these APIs, and how long to wait is in the body: `{ "@type": "…RetryInfo", "retryDelay": "20s" }`.
 */
export function readErrorDetails(status: number | undefined, body: string): AgentStreamError | undefined {
  const { details: listed } = asRecord(parseJsonRecord(body)?.['error']);
  const details = Array.isArray(listed) ? listed.filter(isRecord) : [];
  if (status === 400 && details.some(({ reason }) => reason === 'API_KEY_INVALID')) {
    return new AgentStreamError('vendor-unauthorized', { details: { httpStatus: 400 } });
  }
  const delay = details.map(({ retryDelay }) => retryDelay).find((value) => typeof value === 'string');
  return status === 429 && delay !== undefined ? vendorStatusError(429, delay.replace(/s$/, '')) : undefined;
}
