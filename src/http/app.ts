import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import { fastify, type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler, type FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { createAuthenticator, requireApiKey } from './auth.js';
import { clientAddress } from './client-address.js';
import { createNotFoundHandler, type PathMethods } from './not-found.js';
import { openApiOptions } from './open-api.js';
import { createErrorHandler } from './problems.js';
import { agentRoutes } from './routes/agents.js';
import { operationRoutes } from './routes/operations.js';
import { runRoutes } from './routes/runs.js';
import { telephonyConfigRoutes } from './routes/telephony-configs.js';
import { createHttpServer } from './server.js';
import { defaultRequestsPerMinute, type AppServices } from './services.js';

const bodyLimitBytes = 1024 * 1024;

/** What needs an API key. */
function protectedRoutes(services: AppServices): readonly FastifyPluginAsyncZod[] {
  return [agentRoutes(services), telephonyConfigRoutes(services), runRoutes(services)];
}

/**
 * Builds the HTTP application: REST under /api/v1, health, readiness and metrics at the root. It does not listen; see `startServer`.
 *
 * @throws AgentStreamError `configuration-invalid` where the TLS files cannot be read.
 */
export async function createApp(services: AppServices): Promise<FastifyInstance> {
  const { config, log } = services;
  const app = fastify({
    serverFactory: (handler) => createHttpServer(config, handler),
    bodyLimit: bodyLimitBytes,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 200 },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(createErrorHandler(log));
  const paths: PathMethods = new Map();
  app.addHook('onRoute', ({ url, method }) => {
    paths.set(url, [...(paths.get(url) ?? []), ...(Array.isArray(method) ? method : [method])]);
  });
  await app.register(helmet, { strictTransportSecurity: config.tls !== null });
  await app.register(rateLimit, {
    max: services.requestsPerMinute ?? defaultRequestsPerMinute,
    timeWindow: 60_000,
    keyGenerator: (request) => clientAddress(request.raw, config),
  });
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, createNotFoundHandler(paths));
  await app.register(swagger, openApiOptions(services));

  const authenticator = createAuthenticator(services);
  await app.register(operationRoutes(services, authenticator));
  await app.register(
    async (api) => {
      api.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
      await api.register(async (scope) => {
        requireApiKey(scope, authenticator);
        for (const routes of protectedRoutes(services)) await scope.register(routes);
      });
    },
    { prefix: '/api/v1' },
  );
  await app.ready();
  return app;
}
