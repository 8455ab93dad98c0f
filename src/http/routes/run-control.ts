import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { deadlineSignal } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import { isTransferDestination } from '../../base/transfer-destination.js';
import type { RunCommand } from '../../store/store.js';
import { principalOf } from '../auth.js';
import { found, idParams, noArguments } from '../schemas.js';
import type { AppServices } from '../services.js';

/** The node that holds the call answers at once, or it is gone. */
const controlTimeoutMs = 10_000;
const tags = ['Live control'];
const acceptedSchema = z.object({ id: z.string(), command: z.enum(['hangup', 'transfer', 'say']) });

/** Commands to the call behind a run, whichever node holds it. */
export function runControlRoutes({ store, liveCalls, clock }: AppServices): FastifyPluginAsyncZod {
  async function control(organizationId: string, runId: string, command: RunCommand): Promise<z.output<typeof acceptedSchema>> {
    const run = found(await store.runs.get(organizationId, runId));
    if (run.state === 'completed' || run.state === 'failed') {
      throw new AgentStreamError('run-not-live', { message: `The run is ${run.state}.` });
    }
    const { signal, dispose } = deadlineSignal(clock, controlTimeoutMs, undefined, () => new AgentStreamError('run-not-live'));
    try {
      await liveCalls.control(run.id, command, signal);
    } finally {
      dispose();
    }
    return { id: run.id, command: command.type };
  }

  return async (app) => {
    const common = { tags, params: idParams, response: { 202: acceptedSchema } };
    app.post('/runs/:id/hangup', { schema: { ...common, summary: 'Hang up at once, without a goodbye', body: noArguments } }, async (request, reply) =>
      reply.code(202).send(await control(principalOf(request).organizationId, request.params.id, { type: 'hangup' })),
    );

    const transferBody = z.strictObject({ destination: z.string().max(400) });
    app.post('/runs/:id/transfer', { schema: { ...common, summary: 'Transfer the caller', body: transferBody } }, async (request, reply) => {
      const { destination } = request.body;
      if (!isTransferDestination(destination)) throw new AgentStreamError('transfer-invalid-destination');
      return reply.code(202).send(await control(principalOf(request).organizationId, request.params.id, { type: 'transfer', destination }));
    });

    const sayBody = z.strictObject({ text: z.string().trim().min(1).max(1000) });
    app.post('/runs/:id/say', { schema: { ...common, summary: 'Let the agent say a text', body: sayBody } }, async (request, reply) =>
      reply.code(202).send(await control(principalOf(request).organizationId, request.params.id, { type: 'say', text: request.body.text })),
    );
  };
}
