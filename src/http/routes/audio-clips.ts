import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { MAX_CLIP_FILE_BYTES } from '../../audio/clip.js';
import { mulawDurationMs, SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { wavHeader } from '../../audio/wav.js';
import type { AudioClip } from '../../store/store.js';
import { principalOf } from '../auth.js';
import { createClipReader } from '../clip-reader.js';
import { ProblemsError } from '../problems.js';
import { found, nameSchema, noContent, pageJson, pageQuery, pageSchema, timeSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

const tags = ['Audio clips'];

/** Longest transcript, characters: more than is said in a minute, and fit for a URL in any script. */
const MAX_TRANSCRIPT_LENGTH = 1500;

const clipSchema = z
  .object({
    uuid: z.string().describe('What `greeting_recording_id`, `recording_id` and `transition_speech_recording_id` name'),
    name: z.string(),
    transcript: z.string().describe('What is said in it, for transcripts and models; empty: not told'),
    duration_ms: z.number().int(),
    created_at: timeSchema,
  })
  .meta({ id: 'AudioClip' });

const clipParams = z.strictObject({ uuid: z.guid() });
const uploadQuery = z.strictObject({
  name: nameSchema,
  transcript: z.string().trim().max(MAX_TRANSCRIPT_LENGTH).default('').describe('What is said in it: the model and the transcript know it by this'),
});
/** The file as it is: no form. */
const fileBody = z.any().meta({ type: 'string', format: 'binary' });

const clipJson = ({ uuid, name, transcript, durationMs, createdAt }: AudioClip): z.output<typeof clipSchema> => ({
  uuid,
  name,
  transcript,
  duration_ms: durationMs,
  created_at: createdAt.toISOString(),
});

/** Uploading: the body is the file. In a scope of its own, whose bodies are bytes. */
function uploadRoute({ store }: AppServices): FastifyPluginAsyncZod {
  const reader = createClipReader();
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_CLIP_FILE_BYTES }, (_request, body, done) => done(null, body));
    const summary = 'Upload a recording that agents play: WAV, a minute at most. It is kept as 8 kHz mu-law';
    const schema = { tags, summary, consumes: ['audio/wav'], querystring: uploadQuery, body: fileBody, response: { 201: clipSchema } };
    app.post('/audio-clips', { schema, bodyLimit: MAX_CLIP_FILE_BYTES }, async (request, reply) => {
      const file: unknown = request.body;
      if (!Buffer.isBuffer(file) || file.length === 0) throw new ProblemsError('invalid-request', [{ path: 'body', message: 'is empty', cure: 'Send the WAV file as the body.' }]);
      const audio = await reader.read(file);
      const fields = { ...request.query, durationMs: Math.round(mulawDurationMs(audio.length)) };
      const clip = await store.audioClips.create(principalOf(request).organizationId, fields, audio);
      return reply.code(201).header('location', `/api/v1/audio-clips/${clip.uuid}`).send(clipJson(clip));
    });
  };
}

/** Recordings that agents play in place of words. */
export function audioClipRoutes(services: AppServices): FastifyPluginAsyncZod {
  const { store } = services;

  return async (app) => {
    await app.register(uploadRoute(services));

    const listing = { querystring: pageQuery, response: { 200: pageSchema(clipSchema) } };
    app.get('/audio-clips', { schema: { tags, summary: 'List audio clips, newest first', ...listing } }, async (request) =>
      pageJson(await store.audioClips.list(principalOf(request).organizationId, request.query), clipJson),
    );

    const reading = { params: clipParams, response: { 200: clipSchema } };
    app.get('/audio-clips/:uuid', { schema: { tags, summary: 'Read what is known of an audio clip', ...reading } }, async (request) =>
      clipJson(found(await store.audioClips.get(principalOf(request).organizationId, request.params.uuid))),
    );

    const hearing = { params: clipParams, produces: ['audio/wav'] };
    app.get('/audio-clips/:uuid/audio', { schema: { tags, summary: 'Download the sound of an audio clip, as callers hear it (audio/wav)', ...hearing } }, async (request, reply) => {
      const { uuid } = request.params;
      const audio = found(await store.audioClips.audio(principalOf(request).organizationId, uuid));
      const header = wavHeader({ encoding: 'mulaw', channelCount: 1, sampleRateHz: SAMPLE_RATE_HZ }, audio.length);
      return reply.type('audio/wav').header('content-disposition', `inline; filename="${uuid}.wav"`).send(Buffer.concat([header, audio]));
    });

    const deleting = { params: clipParams, response: { 204: noContent } };
    app.delete('/audio-clips/:uuid', { schema: { tags, summary: 'Delete an audio clip; agents that name it say the text in its place', ...deleting } }, async (request, reply) => {
      found((await store.audioClips.delete(principalOf(request).organizationId, request.params.uuid)) || null);
      return reply.code(204).send();
    });
  };
}
