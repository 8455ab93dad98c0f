import { AgentStreamError, type ErrorCode } from '../base/errors.js';
import type { EndReason } from '../runs/lifecycle.js';
import type { CallEnding } from './call-options.js';

/** Endings that are closed with an error of the catalogue; the others are normal. */
const errorOfEnding: Partial<Record<EndReason, ErrorCode>> = {
  drained: 'server-going-away',
  vendor_error: 'vendor-failed',
  internal_error: 'internal-error',
  node_lost: 'internal-error',
};

/** The ending for a reason, with what the stream is closed. */
export function endingOf(endReason: EndReason, reason = 'Call ended'): CallEnding {
  const code = errorOfEnding[endReason];
  return { endReason, close: code === undefined ? { code: 1000, reason } : new AgentStreamError(code).close };
}
