import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ProviderModule } from '../../telephony/provider.js';
import { principalOf } from '../auth.js';
import { ProblemsError } from '../problems.js';
import { agentParams, found, noContent } from '../schemas.js';
import { streamPathPrefix } from '../server.js';
import type { AppServices } from '../services.js';

/** How long the former token is accepted after a rotation, unless the request says otherwise: call flows can be changed in peace. */
const defaultOverlapSeconds = 86_400;
const maxOverlapSeconds = 7 * 86_400;
/** Stands in the URL of an agent that requires a token: the token itself is shown at its rotation only. */
const tokenPlaceholder = '{stream_token}';
const tags = ['Stream URLs'];

const streamUrlSchema = z
  .object({
    provider: z.string(),
    url: z.string().describe(`Where the provider streams to; holds ${tokenPlaceholder} where a token is required`),
    snippets: z.record(z.string(), z.string()).describe('Call-flow documents to paste at the provider, by name'),
  })
  .meta({ id: 'StreamUrl' });

const rotatedSchema = streamUrlSchema
  .extend({ stream_token: z.string().describe('Shown only now'), overlap_seconds: z.number().int() })
  .meta({ id: 'RotatedStreamToken' });

const rotateBody = z
  .strictObject({
    overlap_seconds: z.number().int().min(0).max(maxOverlapSeconds).default(defaultOverlapSeconds).describe('The former token stays valid'),
    provider: z.string().max(50).optional(),
  })
  .nullish();

/** The ws or wss URL of an agent at one provider. */
function streamUrlOf(publicUrl: string, provider: string, agentUuid: string, streamToken: string | null): string {
  const origin = publicUrl.replace(/^http/, 'ws');
  return `${origin}${streamPathPrefix}${provider}/${agentUuid}${streamToken === null ? '' : `/${streamToken}`}`;
}

/** Stream URLs with what to paste at the provider, and the tokens in them. */
export function streamUrlRoutes({ store, providers, publicUrl }: AppServices): FastifyPluginAsyncZod {
  function providerNamed(name: string | undefined): ProviderModule {
    const provider = name === undefined ? providers[0] : providers.find((candidate) => candidate.name === name);
    if (provider !== undefined) return provider;
    const names = providers.map((candidate) => candidate.name).join(', ');
    throw new ProblemsError('invalid-request', [{ path: 'provider', message: `is not a known provider; known are ${names}` }]);
  }

  function streamUrl(provider: ProviderModule, uuid: string, token: string | null): z.output<typeof streamUrlSchema> {
    const url = streamUrlOf(publicUrl(), provider.name, uuid, token);
    return { provider: provider.name, url, snippets: { ...provider.snippets(url) } };
  }

  return async (app) => {
    const query = z.strictObject({ provider: z.string().max(50).optional().describe('Default: the first of GET /telephony-providers') });
    const reading = { params: agentParams, querystring: query, response: { 200: streamUrlSchema } };
    app.get('/agents/:uuid/stream-url', { schema: { tags, summary: 'The URL and call flow to paste at a provider', ...reading } }, async (request) => {
      const provider = providerNamed(request.query.provider);
      const agent = found(await store.agents.get(principalOf(request).organizationId, request.params.uuid));
      return streamUrl(provider, agent.uuid, agent.hasStreamToken ? tokenPlaceholder : null);
    });

    const rotating = { params: agentParams, body: rotateBody, response: { 200: rotatedSchema } };
    app.post('/agents/:uuid/stream-token', { schema: { tags, summary: 'Require a new stream token', ...rotating } }, async (request, reply) => {
      const provider = providerNamed(request.body?.provider);
      const overlapSeconds = request.body?.overlap_seconds ?? defaultOverlapSeconds;
      const { uuid } = request.params;
      const token = found(await store.agents.rotateStreamToken(principalOf(request).organizationId, uuid, overlapSeconds * 1000));
      reply.header('cache-control', 'no-store');
      return { ...streamUrl(provider, uuid, token), stream_token: token, overlap_seconds: overlapSeconds };
    });

    const removing = { params: agentParams, response: { 204: noContent } };
    app.delete('/agents/:uuid/stream-token', { schema: { tags, summary: 'Require no stream token any more', ...removing } }, async (request, reply) => {
      found((await store.agents.removeStreamToken(principalOf(request).organizationId, request.params.uuid)) || null);
      return reply.code(204).send();
    });
  };
}
