import type { FastifyRequest } from 'fastify';
import { AgentStreamError } from '../base/errors.js';

/** A body that is not JSON: 400, where a well-formed one that does not fit the schema is 422. */
class MalformedJsonError extends AgentStreamError {
  constructor(cause: unknown) {
    super('invalid-request', { message: 'The body is not valid JSON.', cause });
  }

  override get httpStatus(): number {
    return 400;
  }
}

/** Deeper documents are made to exhaust a stack. */
const maxDepth = 64;

/** NUL and lone surrogates: JSON can spell them, PostgreSQL cannot store them (docs: datatype-json). */
const unstorable = /\0|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

/** What makes a well-formed document unacceptable, or null. */
function problemOf(value: unknown, depth: number): string | null {
  if (typeof value === 'string') return unstorable.test(value) ? 'A text holds a NUL or half a surrogate pair.' : null;
  if (typeof value !== 'object' || value === null) return null;
  if (depth === maxDepth) return `The body is nested more than ${maxDepth} levels deep.`;
  for (const [key, inner] of Object.entries(value)) {
    const problem = problemOf(key, depth) ?? problemOf(inner, depth + 1);
    if (problem !== null) return problem;
  }
  return null;
}

/** Parses a JSON body. An empty one is no body. */
export function parseJsonBody(
  _request: FastifyRequest,
  body: string | Buffer,
  done: (error: Error | null, value?: unknown) => void,
): void {
  const text = body.toString();
  if (text.trim() === '') {
    done(null, undefined);
    return;
  }
  try {
    const value: unknown = JSON.parse(text);
    const problem = problemOf(value, 0);
    if (problem === null) done(null, value);
    else done(new AgentStreamError('invalid-request', { message: problem }));
  } catch (error) {
    done(new MalformedJsonError(error));
  }
}
