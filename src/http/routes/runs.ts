import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { transcriptOf } from '../../runs/transcript.js';
import { principalOf } from '../auth.js';
import { readAllEvents } from '../run-events.js';
import { endReasonSchema, runJson, runSchema, runStateSchema } from '../run-json.js';
import { agentParams, found, idParams, pageJson, pageQuery, pageSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

const tags = ['Runs'];
const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

const listQuery = pageQuery.extend({
  agent_uuid: agentParams.shape.uuid.optional(),
  state: runStateSchema.optional(),
  end_reason: endReasonSchema.optional(),
  from: time.optional().describe('Created at or after'),
  to: time.optional().describe('Created before'),
  q: z.string().trim().min(1).max(200).optional().describe('Name, id, caller or called number, session or call id'),
});

const transcriptSchema = z
  .object({
    items: z.array(
      z.object({
        turn_id: z.number().int(),
        role: z.enum(['caller', 'agent']),
        text: z.string(),
        start_ms: z.number(),
        end_ms: z.number(),
        interrupted: z.boolean().optional(),
      }),
    ),
  })
  .meta({ id: 'Transcript' });

/** Runs: list, read, transcript. Events, recording and live control have files of their own. */
export function runRoutes(services: AppServices): FastifyPluginAsyncZod {
  const { store, publicUrl } = services;

  return async (app) => {
    const listing = { querystring: listQuery, response: { 200: pageSchema(runSchema) } };
    app.get('/runs', { schema: { tags, summary: 'List runs, newest first', ...listing } }, async (request) => {
      const { agent_uuid: agentUuid, end_reason: endReason, ...rest } = request.query;
      const page = await store.runs.list(principalOf(request).organizationId, { ...rest, agentUuid, endReason });
      return pageJson(page, (run) => runJson(run, publicUrl()));
    });

    app.get('/runs/:id', { schema: { tags, summary: 'Read a run', params: idParams, response: { 200: runSchema } } }, async (request) =>
      runJson(found(await store.runs.get(principalOf(request).organizationId, request.params.id)), publicUrl()),
    );

    const transcript = { params: idParams, response: { 200: transcriptSchema } };
    app.get('/runs/:id/transcript', { schema: { tags, summary: 'What was said, and heard', ...transcript } }, async (request) => {
      const events = found(await readAllEvents(store, principalOf(request).organizationId, request.params.id));
      const items = transcriptOf(events).map((line) => ({
        turn_id: line.turnId,
        role: line.role,
        text: line.text,
        start_ms: line.startMs,
        end_ms: line.endMs,
        ...(line.interrupted === undefined ? {} : { interrupted: line.interrupted }),
      }));
      return { items };
    });
  };
}
