import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AgentStreamError } from '../../base/errors.js';
import { createFailureLimiter } from '../auth.js';
import { clientAddress } from '../client-address.js';
import { nameSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

const setupBody = z.strictObject({ token: z.string().max(200), organization_name: nameSchema, email: z.email().max(320) });
const setupSchema = z.object({ organization_id: z.string(), user_id: z.string(), api_key: z.string().describe('Shown only now') });

/** The first set-up: the one-time token of the start banner buys the organization's first API key. */
export function setupRoutes({ setup, clock, config }: AppServices): FastifyPluginAsyncZod {
  const failures = createFailureLimiter(clock);

  return async (app) => {
    const schema = {
      tags: ['Set-up'],
      summary: 'Set up an empty installation with the token that the server printed',
      security: [],
      body: setupBody,
      response: { 201: setupSchema },
    };
    app.post('/setup', { schema }, async (request, reply) => {
      const address = clientAddress(request.raw, config);
      if (failures.isBlocked(address)) throw new AgentStreamError('rate-limited');
      const { token, organization_name: organizationName, email } = request.body;
      const result = await setup.redeem(token, { organizationName, email });
      if (result === null) {
        failures.noteFailure(address);
        throw new AgentStreamError('not-authenticated', { message: 'The set-up token is wrong, or the installation is set up already.' });
      }
      reply.code(201).header('cache-control', 'no-store');
      return { organization_id: result.organizationId, user_id: result.userId, api_key: result.key };
    });
  };
}
