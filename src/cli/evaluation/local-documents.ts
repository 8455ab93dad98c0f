import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Clock } from '../../base/clock.js';
import { formatOf, fileFormats } from '../../knowledge/format.js';
import { createLocalIndexHost } from '../../knowledge/index-host.js';
import { createKnowledgeBase, type DocumentSource, type KnowledgeBase } from '../../knowledge/knowledge.js';
import { parseFile } from '../../knowledge/parse-file.js';
import { UnreadableFileError } from '../../knowledge/unreadable.js';
import type { DocumentChunk, KnowledgeDocument } from '../../store/store.js';
import { CliError } from '../cli-error.js';
import { exitCodes } from '../exit-codes.js';

/** A file that stands for a stored document. */
export interface LocalDocument {
  readonly uuid: string;
  readonly path: string;
  readonly mode: KnowledgeDocument['mode'];
}

interface ReadDocument {
  readonly document: KnowledgeDocument;
  readonly chunks: readonly DocumentChunk[];
}

async function readDocument({ uuid, path, mode }: LocalDocument): Promise<ReadDocument> {
  const name = basename(path);
  const format = formatOf(name, '');
  if (format === null) throw new CliError(exitCodes.usage, `${path} is no document`, { cure: 'Documents are .pdf, .docx, .md, .txt or .json.' });
  try {
    const bytes = readFileSync(path);
    const { chunks, textLength } = await parseFile({ bytes, format, mode });
    const { mimeType } = fileFormats[format];
    return { document: { uuid, name, mode, mimeType, textLength, sizeBytes: bytes.length, chunkCount: chunks.length, embedding: null, organizationId: '', createdAt: new Date(0) }, chunks };
  } catch (error) {
    if (error instanceof UnreadableFileError || (error instanceof Error && 'code' in error)) {
      throw new CliError(exitCodes.usage, `cannot read ${path}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/**
 * A knowledge base of files instead of stored documents.
 * @throws CliError `usage` where a file cannot be read
 */
export async function openLocalDocuments(files: readonly LocalDocument[], clock: Clock): Promise<KnowledgeBase> {
  const read = new Map<string, ReadDocument>();
  for (const file of files) read.set(file.uuid, await readDocument(file));
  const source: DocumentSource = {
    find: async (_, uuids) => uuids.flatMap((uuid) => read.get(uuid)?.document ?? []),
    chunks: async (_, uuid, { position = 0, limit = Infinity } = {}) => (read.get(uuid)?.chunks ?? []).slice(position, position + limit),
    vectors: async () => [],
  };
  return createKnowledgeBase({ source, host: createLocalIndexHost(), clock });
}
