import { AgentStreamError } from '../../base/errors.js';

/** Longest word of a server that is passed on, characters. */
const MAX_TOLD_LENGTH = 500;
/** Of the SDK: the connection ended before the answer. */
const CONNECTION_CLOSED = -32_000;

const numberAt = (error: Error): number | null => ('code' in error && typeof error.code === 'number' ? error.code : null);

/** What a failure within the SDK means to the model and the operator. The server's address and headers never stand in it. */
export function sessionFailure(error: unknown): AgentStreamError {
  if (error instanceof AgentStreamError) return error;
  if (!(error instanceof Error)) return new AgentStreamError('tool-failed', { message: 'The server failed.', cause: error });
  if (error.cause instanceof AgentStreamError) return error.cause;
  const code = numberAt(error);
  const failed = (message: string) => new AgentStreamError('tool-failed', { message, cause: error });
  if (error.name === 'ZodError' || error.name === '$ZodError' || error instanceof SyntaxError) return failed('The answer of the server cannot be used.');
  if (error.constructor.name === 'StreamableHTTPError') return failed(code === null || code < 100 ? 'The answer of the server cannot be used.' : `The server answered ${code}.`);
  if (code !== null && code !== CONNECTION_CLOSED) return failed(error.message.slice(0, MAX_TOLD_LENGTH));
  return new AgentStreamError('tool-unreachable', { message: 'The server could not be reached.', cause: error });
}

/** True where the server no longer knows the session: it wants a new one, and has not carried anything out (Streamable HTTP, "Session Management"). */
export const isSessionLost = (error: unknown): boolean =>
  error instanceof AgentStreamError && error.cause instanceof Error && error.cause.constructor.name === 'StreamableHTTPError' && numberAt(error.cause) === 404;
