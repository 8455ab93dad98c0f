import { open, type FileHandle } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AgentStreamError } from '../../base/errors.js';
import type { Run } from '../../store/store.js';
import { principalOf } from '../auth.js';
import { parseByteRange } from '../byte-range.js';
import { problemDocument, sendProblem } from '../problems.js';
import { found, idParams } from '../schemas.js';
import type { AppServices } from '../services.js';

const isMissingFile = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** Opens the file the run names, which must lie below the data directory. */
async function openRecording(dataDir: string, recordingPath: string): Promise<FileHandle> {
  const root = resolve(dataDir);
  const path = resolve(root, recordingPath);
  if (!path.startsWith(root + sep)) throw new AgentStreamError('internal-error', { message: 'A recording lies outside the data directory.' });
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isMissingFile(error)) throw new AgentStreamError('not-found', { message: 'The recording is no longer there.' });
    throw error;
  }
}

async function sendRecording(reply: FastifyReply, file: FileHandle, run: Run, rangeHeader: string | undefined): Promise<FastifyReply> {
  const { size } = await file.stat();
  const range = parseByteRange(rangeHeader, size);
  if (range === 'unsatisfiable') {
    await file.close();
    reply.header('content-range', `bytes */${size}`);
    return sendProblem(reply, problemDocument('invalid-request', { status: 416, detail: 'The range lies outside the recording.' }));
  }
  reply
    .type('audio/wav')
    .header('accept-ranges', 'bytes')
    .header('cache-control', 'no-store')
    .header('content-disposition', `inline; filename="${run.name}.wav"`)
    .header('content-length', range === null ? size : range.end - range.start + 1);
  if (range !== null) reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${size}`);
  return reply.send(file.createReadStream(range ?? {}));
}

/** The recording of a run: two-channel WAV, caller left, agent as heard right. */
export function runRecordingRoutes({ store, config }: AppServices): FastifyPluginAsyncZod {
  return async (app) => {
    const schema = {
      tags: ['Runs'],
      summary: 'Download the recording (audio/wav); Range is understood',
      params: idParams,
      headers: z.object({ range: z.string().max(200).optional() }),
      produces: ['audio/wav'],
    };
    app.get('/runs/:id/recording', { schema }, async (request, reply) => {
      const run = found(await store.runs.get(principalOf(request).organizationId, request.params.id));
      if (run.recordingPath === null) throw new AgentStreamError('not-found', { message: 'The run has no recording.' });
      const { recordingDeletedAt: deletedAt } = run;
      if (deletedAt !== null)
        throw new AgentStreamError('not-found', { message: `The recording was deleted at ${deletedAt.toISOString()}, when its retention ended.` });
      return sendRecording(reply, await openRecording(config.dataDir, run.recordingPath), run, request.headers.range);
    });
  };
}
