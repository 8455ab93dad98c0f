import type { FastifyReply, FastifyRequest } from 'fastify';
import { problemDocument, sendProblem } from './problems.js';

/** Methods of each route path, as registered (`/api/v1/runs/:id`). */
export type PathMethods = Map<string, readonly string[]>;

/** `/runs/:id` as a pattern over whole paths. */
function patternOf(path: string): RegExp {
  const parts = path.split('/').map((part) => (part.startsWith(':') ? '[^/]+' : part === '*' ? '.*' : part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')));
  return new RegExp(`^${parts.join('/')}$`);
}

/** 405 with `Allow` where the path exists with other methods (RFC 9110 §15.5.6), else 404. */
export function createNotFoundHandler(paths: PathMethods) {
  let patterns: readonly { pattern: RegExp; methods: readonly string[] }[] | null = null;
  return (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    // Routes are still being added when the handler is made.
    patterns ??= [...paths].map(([path, methods]) => ({ pattern: patternOf(path), methods }));
    const path = request.url.split('?', 1)[0] ?? '/';
    const allowed = new Set(patterns.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods));
    if (allowed.size === 0) return sendProblem(reply, problemDocument('not-found', { detail: 'No such path.' }));
    reply.header('allow', [...allowed].join(', '));
    return sendProblem(reply, problemDocument('method-not-allowed'));
  };
}
