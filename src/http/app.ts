import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import { fastify, type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler, type FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { createAuthenticator, requireApiKey, type Authenticator } from './auth.js';
import { clientAddress } from './client-address.js';
import { createNotFoundHandler, type PathMethods } from './not-found.js';
import { openApiOptions } from './open-api.js';
import { parseJsonBody } from './json-body.js';
import { createErrorHandler, problemDocument, problemOf, sendProblem } from './problems.js';
import { agentImportRoutes } from './routes/agent-import.js';
import { agentVersionRoutes } from './routes/agent-versions.js';
import { agentRoutes } from './routes/agents.js';
import { apiKeyRoutes } from './routes/api-keys.js';
import { audioClipRoutes } from './routes/audio-clips.js';
import { chatRoutes } from './routes/chats.js';
import { credentialRoutes } from './routes/credentials.js';
import { documentRoutes } from './routes/documents.js';
import { operationRoutes } from './routes/operations.js';
import { organizationRoutes } from './routes/organization.js';
import { pricesRoutes } from './routes/prices.js';
import { runControlRoutes } from './routes/run-control.js';
import { runEventRoutes } from './routes/run-events.js';
import { runRecordingRoutes } from './routes/run-recording.js';
import { runRoutes } from './routes/runs.js';
import { setupPageRoutes } from './routes/setup-page.js';
import { setupRoutes } from './routes/setup.js';
import { streamUrlRoutes } from './routes/stream-urls.js';
import { telephonyCallbackRoutes } from './routes/telephony-callbacks.js';
import { telephonyConfigRoutes } from './routes/telephony-configs.js';
import { telephonyProviderRoutes } from './routes/telephony-providers.js';
import { toolRoutes } from './routes/tools.js';
import { vendorCredentialRoutes } from './routes/vendor-credentials.js';
import { webhookDeliveryRoutes, webhookEndpointRoutes } from './routes/webhook-endpoints.js';
import { createHttpServer, refuseBrokenRequest, streamPathPrefix } from './server.js';
import { defaultRequestsPerMinute, type AppServices } from './services.js';

const bodyLimitBytes = 1024 * 1024;

/** What needs an API key. */
function protectedRoutes(services: AppServices, authenticator: Authenticator): readonly FastifyPluginAsyncZod[] {
  return [
    agentRoutes(services),
    agentVersionRoutes(services),
    agentImportRoutes(services),
    chatRoutes(services),
    streamUrlRoutes(services),
    telephonyConfigRoutes(services),
    telephonyProviderRoutes(services),
    runRoutes(services),
    runEventRoutes(services),
    runRecordingRoutes(services),
    runControlRoutes(services),
    organizationRoutes(services),
    pricesRoutes(services),
    apiKeyRoutes(services, authenticator),
    vendorCredentialRoutes(services),
    credentialRoutes(services),
    documentRoutes(services),
    audioClipRoutes(services),
    toolRoutes(services),
    webhookEndpointRoutes(services),
    webhookDeliveryRoutes(services),
  ];
}

/** The routes below /api/v1. */
function apiRoutes(services: AppServices, authenticator: Authenticator): FastifyPluginAsyncZod {
  return async (api) => {
    api.get('/openapi.json', { schema: { hide: true } }, async () => ({
      ...api.swagger(),
      // Known only once the server listens.
      servers: [{ url: services.publicUrl() }],
    }));
    // Reached without an upgrade only: with one, the server hands the request to the stream endpoint.
    api.get(`${streamPathPrefix.slice('/api/v1'.length)}*`, { schema: { hide: true } }, async (_request, reply) =>
      sendProblem(reply.header('upgrade', 'websocket'), problemDocument('upgrade-required')),
    );
    await api.register(setupRoutes(services));
    await api.register(telephonyCallbackRoutes(services));
    await api.register(async (scope) => {
      requireApiKey(scope, authenticator);
      for (const routes of protectedRoutes(services, authenticator)) await scope.register(routes);
    });
  };
}

/** One line per request, by its route's pattern: paths hold agent UUIDs and tokens. */
function logRequests(app: FastifyInstance, { log }: AppServices): void {
  app.addHook('onResponse', async (request, reply) => {
    log.debug('Request', {
      method: request.method,
      route: request.routeOptions.url ?? 'unknown',
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime),
    });
  });
}

/** JSON in and out, by the schemas of the routes. */
function useFormats(app: FastifyInstance): void {
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, parseJsonBody);
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
    clientErrorHandler: refuseBrokenRequest,
    // What is refused before a route is found, such as a path with broken escapes.
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, problemOf(error)),
    routerOptions: { maxParamLength: 200 },
  });
  useFormats(app);
  logRequests(app, services);
  app.setErrorHandler(createErrorHandler(log));
  const paths: PathMethods = new Map();
  app.addHook('onRoute', ({ url, method }) => {
    paths.set(url, [...(paths.get(url) ?? []), ...(Array.isArray(method) ? method : [method])]);
  });
  // A browser told to upgrade requests would ask a server without TLS for the set-up page's script by https.
  const contentSecurityPolicy = { directives: { upgradeInsecureRequests: null } };
  await app.register(helmet, { strictTransportSecurity: config.tls !== null, contentSecurityPolicy });
  await app.register(rateLimit, {
    max: services.requestsPerMinute ?? defaultRequestsPerMinute,
    timeWindow: 60_000,
    keyGenerator: (request) => clientAddress(request.raw, config),
  });
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, createNotFoundHandler(paths));
  await app.register(swagger, openApiOptions(services));

  const authenticator = createAuthenticator(services);
  await app.register(operationRoutes(services, authenticator));
  await app.register(setupPageRoutes);
  await app.register(apiRoutes(services, authenticator), { prefix: '/api/v1' });
  await app.ready();
  return app;
}
