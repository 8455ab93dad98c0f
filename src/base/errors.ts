import { errorCatalogue, type ErrorCode } from './error-catalogue.js';

export type { ErrorCode } from './error-catalogue.js';

/**
 * The one error of the system: a stable `code` from the catalogue, what happened in `message`, and whether trying again may help.
 * `close` is set on errors that end a stream; `httpStatus` is what the REST API answers.
 */
export class AgentStreamError extends Error {
  readonly code: ErrorCode;
  /** Extra facts for the reader of a problem+json answer or a log line. Must hold no secret and no personal data. */
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, options: { message?: string; cause?: unknown; details?: Record<string, unknown> } = {}) {
    super(options.message ?? errorCatalogue[code].message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AgentStreamError';
    this.code = code;
    this.details = options.details;
  }

  get retryable(): boolean {
    return errorCatalogue[this.code].retryable;
  }

  get httpStatus(): number {
    return errorCatalogue[this.code].httpStatus;
  }

  /** WebSocket close code and reason (≤ 123 bytes, RFC 6455 §5.5), for errors that close a stream. */
  get close(): { code: number; reason: string } {
    const entry = errorCatalogue[this.code];
    return { code: entry.closeCode ?? 1011, reason: entry.closeCode === undefined ? 'Internal server error' : entry.message };
  }
}

/** Wraps anything thrown into an `AgentStreamError`; an unknown error becomes `fallback` with the original as its cause. */
export function toAgentStreamError(error: unknown, fallback: ErrorCode = 'internal-error'): AgentStreamError {
  return error instanceof AgentStreamError ? error : new AgentStreamError(fallback, { cause: error });
}
