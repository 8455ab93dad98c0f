import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { TranscriptLine } from '../../runs/events.js';
import { transcriptOf } from '../../runs/transcript.js';
import { principalOf } from '../auth.js';
import { readAllEvents } from '../run-events.js';
import { endReasonSchema, runJson, runSchema, runStateSchema } from '../run-json.js';
import { agentParams, found, idParams, listJson, pageJson, pageQuery, pageSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

const tags = ['Runs'];
const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

const listQuery = pageQuery.extend({
  agent_uuid: agentParams.shape.uuid.optional(),
  state: runStateSchema.optional(),
  end_reason: endReasonSchema.optional(),
  from: time.optional().describe('Created at or after'),
  to: time.optional().describe('Created before'),
  q: z
    .string()
    .trim()
    .regex(/^[^\0]{1,200}$/)
    .optional()
    .describe('Name, id, caller or called number, session or call id'),
});

const transcriptLineSchema = z
  .object({
    turn_id: z.number().int(),
    role: z.enum(['caller', 'agent']),
    text: z.string().describe('What was heard, where the caller interrupted'),
    start_ms: z.number().describe('On the call clock'),
    end_ms: z.number(),
    interrupted: z.boolean().optional(),
  })
  .meta({ id: 'TranscriptLine' });

function lineJson(line: TranscriptLine): z.output<typeof transcriptLineSchema> {
  const { turnId, role, text, startMs, endMs, interrupted } = line;
  return { turn_id: turnId, role, text, start_ms: startMs, end_ms: endMs, interrupted };
}

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

    const transcript = { params: idParams, response: { 200: pageSchema(transcriptLineSchema) } };
    app.get('/runs/:id/transcript', { schema: { tags, summary: 'What was said, and heard', ...transcript } }, async (request) => {
      const events = found(await readAllEvents(store, principalOf(request).organizationId, request.params.id));
      return listJson(transcriptOf(events), lineJson);
    });
  };
}
