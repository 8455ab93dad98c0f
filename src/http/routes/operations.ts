import type { IncomingMessage } from 'node:http';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { privateRanges, type Config } from '../../config.js';
import { deadlineSignal } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import type { Authenticator } from '../auth.js';
import { clientAddress, isInRanges } from '../client-address.js';
import type { AppServices } from '../services.js';

/** A database that needs longer is not ready. */
const pingTimeoutMs = 2000;

/** Resolves when the database answers in time. */
async function ping({ store, clock }: AppServices): Promise<void> {
  const { signal, dispose } = deadlineSignal(clock, pingTimeoutMs, undefined, () => new AgentStreamError('not-ready'));
  const late = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
  try {
    await Promise.race([store.ping(), late]);
  } catch (error) {
    throw new AgentStreamError('not-ready', { cause: error });
  } finally {
    dispose();
  }
}

/** True for a client in a private network. Behind a proxy that is not trusted nobody counts as near: its own address says nothing. */
function isNear(request: IncomingMessage, config: Pick<Config, 'trustProxy'>): boolean {
  const isHidden = request.headers['x-forwarded-for'] !== undefined && !isInRanges(request.socket.remoteAddress ?? '', config.trustProxy);
  return !isHidden && isInRanges(clientAddress(request, config), privateRanges);
}

/** Liveness, readiness and metrics, at the root and outside the OpenAPI document. */
export function operationRoutes(services: AppServices, authenticator: Authenticator): FastifyPluginAsyncZod {
  const { liveCalls, config, metrics } = services;

  return async (app) => {
    const schema = { hide: true };
    app.get('/healthz', { schema, config: { rateLimit: false } }, async () => ({ status: 'ok' }));

    app.get('/readyz', { schema, config: { rateLimit: false } }, async () => {
      if (liveCalls.isDraining()) throw new AgentStreamError('node-draining');
      await ping(services);
      return { status: 'ready', calls: liveCalls.activeCount(), max_calls: liveCalls.maxCalls };
    });

    // Call volumes are nobody's business on the internet; scrapers sit in the same network.
    app.get('/metrics', { schema, config: { rateLimit: false } }, async (request, reply) => {
      if (!isNear(request.raw, config)) await authenticator.authenticate(request);
      return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
    });
  };
}
