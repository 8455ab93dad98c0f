import { APICallError, InvalidResponseDataError, JSONParseError, TypeValidationError } from '@ai-sdk/provider';
import { AgentStreamError } from '../../base/errors.js';
import { vendorStatusError } from '../../base/http-status.js';
import { asRecord } from '../../base/json.js';

/** Whether the server sent an event that is not a chunk of a completion. */
export function isMalformedChunk(error: unknown): boolean {
  return JSONParseError.isInstance(error) || TypeValidationError.isInstance(error);
}

/** The status that an error object inside a stream stands for: it comes after a 200. */
function statusOfStreamError(error: unknown): number {
  const { code, type } = asRecord(error);
  if (typeof code === 'number' && code >= 400 && code < 600) return code;
  const name = `${String(code)} ${String(type)}`;
  if (/rate_limit|insufficient_quota/.test(name)) return 429;
  if (/invalid_api_key|authentication|permission_error/.test(name)) return 401;
  return /invalid_request|context_length/.test(name) ? 400 : 500;
}

/** What an error says that only its vendor means by it; undefined where it says nothing special. */
export type ErrorReader = (error: unknown) => AgentStreamError | undefined;

/** A stream that ended before the model said that it had finished. */
export const cutReply = (): AgentStreamError => new AgentStreamError('vendor-unreachable', { message: 'The vendor cut the reply.' });

/** The error that an error object inside a stream stands for. */
export const streamedError = (error: unknown): AgentStreamError => vendorStatusError(statusOfStreamError(error));

/**
 * Translates what the AI SDK throws or streams as an error. The original is not kept as the cause: it holds the request, which is
 * the conversation.
 */
export function toVendorError(error: unknown, readError?: ErrorReader): AgentStreamError {
  if (error instanceof AgentStreamError) return error;
  const special = readError?.(error);
  if (special !== undefined) return special;
  if (APICallError.isInstance(error)) {
    // The guard of egress did not let it out.
    if (error.cause instanceof AgentStreamError) return error.cause;
    // None: no connection. Below 400: the connection broke in an answer that had begun well.
    if (error.statusCode === undefined || error.statusCode < 400) return new AgentStreamError('vendor-unreachable');
    return vendorStatusError(error.statusCode, error.responseHeaders?.['retry-after']);
  }
  if (isMalformedChunk(error)) return new AgentStreamError('vendor-protocol');
  // What the AI SDK's OpenAI-compatible model makes of a stream that ends too early.
  if (InvalidResponseDataError.isInstance(error)) return cutReply();
  if (error instanceof Error) return new AgentStreamError('vendor-unreachable', { details: { failure: error.name } });
  return streamedError(error);
}
