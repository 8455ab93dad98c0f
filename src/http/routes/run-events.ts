import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { principalOf } from '../auth.js';
import { runEventJson, runEventSchema } from '../run-events.js';
import { createRunStreams } from '../run-stream.js';
import { found, idParams, pageSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

/** The store counts in 32 bits. */
const maxSequence = 2_147_483_647;
const sequence = z.coerce.number().int().min(-1).max(maxSequence);
const eventsQuery = z.strictObject({
  after: sequence.optional().describe('Events after this `seq`'),
  cursor: sequence.optional().describe('`next_cursor` of the page before'),
  limit: z.coerce.number().int().min(1).max(200).default(100),
});
const eventsHeaders = z.object({ 'last-event-id': sequence.optional().catch(undefined) });

/** Events of a run: as JSON, or as Server-Sent Events while the run lives (`Accept: text/event-stream`). */
export function runEventRoutes(services: AppServices): FastifyPluginAsyncZod {
  const { store } = services;
  const streams = createRunStreams(services);

  return async (app) => {
    app.addHook('preClose', () => streams.closeAll());

    const schema = {
      tags: ['Runs'],
      summary: 'Read events in order; with Accept: text/event-stream they follow as they happen, until `event: end`',
      params: idParams,
      querystring: eventsQuery,
      headers: eventsHeaders,
      response: { 200: pageSchema(runEventSchema) },
    };
    app.get('/runs/:id/events', { schema }, async (request, reply) => {
      const { organizationId } = principalOf(request);
      const run = found(await store.runs.get(organizationId, request.params.id));
      const { after, cursor, limit } = request.query;
      const afterSeq = request.headers['last-event-id'] ?? cursor ?? after ?? -1;
      if (/\btext\/event-stream\b/i.test(request.headers.accept ?? '')) {
        streams.open(reply.raw, { organizationId, runId: run.id, afterSeq });
        return reply.hijack();
      }
      const events = found(await store.runs.listEvents(organizationId, run.id, afterSeq, limit));
      const last = events.at(-1);
      return { items: events.map(runEventJson), next_cursor: last === undefined || events.length < limit ? null : String(last.seq) };
    });
  };
}
