import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { errorCatalogue } from '../base/error-catalogue.js';
import { AgentStreamError, toAgentStreamError, type ErrorCode } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Problem } from './services.js';

/** The media type of every error answer (RFC 9457 §3). */
export const problemContentType = 'application/problem+json';

/** One of the problems of a document. */
export const singleProblemSchema = z.object({
  path: z.string(),
  message: z.string(),
  cure: z.string().optional(),
  element_id: z.string().optional().describe('Node or edge'),
});

/** RFC 9457 problem details with our stable `code` and, for documents, every single problem. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string(),
    cure: z.string(),
    retryable: z.boolean(),
    errors: z
      .array(singleProblemSchema)
      .optional()
      .describe('Each field, node or edge that is wrong'),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });

/** The JSON of an error answer. */
export type ProblemDocument = z.output<typeof problemSchema>;

/** An error answer with its list of single problems. */
export class ProblemsError extends AgentStreamError {
  readonly problems: readonly Problem[];

  constructor(code: ErrorCode, problems: readonly Problem[], message?: string) {
    super(code, message === undefined ? {} : { message });
    this.problems = problems;
  }
}

/** Problems as JSON, snake_case. */
export function problemsJson(problems: readonly Problem[]): z.output<typeof singleProblemSchema>[] {
  return problems.map(({ path, message, cure, elementId }) => ({ path, message, cure, element_id: elementId }));
}

/** Builds the answer for a catalogue code. `status` only where one code is answered with several. */
export function problemDocument(
  code: ErrorCode,
  options: { detail?: string | undefined; status?: number | undefined; problems?: readonly Problem[] | undefined } = {},
): ProblemDocument {
  const entry = errorCatalogue[code];
  return {
    type: `urn:agent-stream:error:${code}`,
    title: entry.message,
    status: options.status ?? entry.httpStatus,
    detail: options.detail === undefined || options.detail === entry.message ? entry.cause : options.detail,
    code,
    cure: entry.cure,
    retryable: entry.retryable,
    ...(options.problems === undefined ? {} : { errors: problemsJson(options.problems) }),
  };
}

/** Sends a problem as it must be sent: its status and media type, never cached. */
export function sendProblem(reply: FastifyReply, document: ProblemDocument): FastifyReply {
  // Already a string: the route's response schema is not for errors.
  return reply
    .code(document.status)
    .header('cache-control', 'no-store')
    .type(problemContentType)
    .serializer((payload: string) => payload)
    .send(JSON.stringify(document));
}

/** What fastify and its plugins raise, by their status. */
const codesByStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid-request',
  401: 'not-authenticated',
  404: 'not-found',
  413: 'body-too-large',
  415: 'unsupported-media-type',
  429: 'rate-limited',
  503: 'node-draining',
};

function toProblems(error: Pick<FastifyError, 'validation'>): readonly Problem[] {
  return (error.validation ?? []).flatMap((issue): Problem[] => {
    const path = issue.instancePath.split('/').filter((part) => part !== '');
    const unknownKeys = issue.keyword === 'unrecognized_keys' && Array.isArray(issue.params['keys']) ? issue.params['keys'] : null;
    if (unknownKeys === null) return [{ path: path.join('.'), message: issue.message ?? 'is not valid' }];
    return unknownKeys.map((key) => ({ path: [...path, String(key)].join('.'), message: 'is not a known field' }));
  });
}

/** Turns whatever a route threw into its answer. */
export function problemOf(error: FastifyError | AgentStreamError | Error): ProblemDocument {
  if (error instanceof ProblemsError) return problemDocument(error.code, { detail: error.message, problems: error.problems });
  if (error instanceof AgentStreamError) {
    // The message of an internal error may name internals; its catalogue text does not.
    return problemDocument(error.code, { status: error.httpStatus, detail: error.code === 'internal-error' ? undefined : error.message });
  }
  const raised: Partial<FastifyError> & Error = error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    if (raised.validationContext === 'params') return problemDocument('not-found');
    return problemDocument('invalid-request', { problems: toProblems(error) });
  }
  const code = raised.statusCode === undefined ? undefined : codesByStatus[raised.statusCode];
  if (code === undefined) return problemDocument('internal-error');
  return problemDocument(code, { status: raised.statusCode, detail: code === 'invalid-request' ? raised.message : undefined });
}

/** The one error handler: logs what is ours to fix, and answers problem+json. */
export function createErrorHandler(log: Log) {
  return (error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const document = problemOf(error);
    if (document.status >= 500) {
      const cause = toAgentStreamError(error).cause;
      const origin = cause instanceof Error ? cause : error;
      log.error('A request failed', {
        code: document.code,
        method: request.method,
        route: request.routeOptions.url ?? 'unknown',
        error: `${origin.name}: ${origin.message}`.slice(0, 500),
        stack: origin.stack?.split('\n').slice(1, 6).join(' '),
      });
    }
    if (document.status === 429 || document.status === 503) reply.header('retry-after', reply.getHeader('retry-after') ?? '5');
    if (document.status === 401) reply.header('www-authenticate', 'Bearer realm="agent-stream"');
    return sendProblem(reply, document);
  };
}
