import { basename } from 'node:path';
import { Option } from 'commander';
import type { z } from 'zod';
import { documentSearchShape, documentShape, pageOf, readAnswer } from '../api-shapes.js';
import type { CliContext, RegisterCommand } from '../command.js';
import { connect, withServerOption, type ConnectionOptions } from '../connection.js';
import { formatTime } from '../format.js';
import { readUpload } from '../read-upload.js';

const help = `
Examples:
  $ agent-stream documents add handbook.pdf prices.json
  $ agent-stream documents add --mode full opening-hours.md
  $ agent-stream documents search "return a bicycle"
  $ agent-stream documents embed
  $ agent-stream documents remove 0198a7c2-…

An agent's node names documents by UUID: document_uuids (docs/knowledge.md).
`;

/** One after the other: the server reads one at a time. */
async function addFiles(paths: readonly string[], options: ConnectionOptions & { mode: string }, context: CliContext): Promise<void> {
  const files = paths.map((path) => ({ name: basename(path), bytes: readUpload(path) }));
  for (const { name, bytes } of files) {
    const answer = await connect(options, context).request('POST', '/documents', { query: { name, mode: options.mode }, file: bytes });
    const { uuid, chunk_count: parts } = readAnswer(documentShape, answer, 'add document');
    context.output.line(`${uuid}  ${name}, ${parts} ${parts === 1 ? 'part' : 'parts'}`);
  }
}

/** How far the parts have vectors. */
function embeddingText({ embedding, chunk_count: parts }: z.output<typeof documentShape>): string {
  if (embedding === null) return '';
  return embedding.status === 'processing' ? `${embedding.embedded_chunks} of ${parts}` : embedding.status;
}

/** Registers `documents` and its sub-commands. */
export const register: RegisterCommand = (command, context) => {
  command.addHelpText('after', help);

  withServerOption(command.command('add <file...>').description('upload files: .pdf, .docx, .md, .txt, .json'))
    .addOption(new Option('--mode <mode>', 'retrieval: searched; full: shown to the model whole').choices(['retrieval', 'full']).default('retrieval'))
    .action((paths: readonly string[], options: ConnectionOptions & { mode: string }) => addFiles(paths, options, context));

  withServerOption(command.command('list').description('list documents, newest first'))
    .option('--json', 'print the API’s answer')
    .action(async (options: ConnectionOptions & { json?: boolean }) => {
      const answer = await connect(options, context).request('GET', '/documents', { query: { limit: 200 } });
      if (options.json === true) return context.output.json(answer);
      context.output.table(
        [{ title: 'UUID' }, { title: 'NAME' }, { title: 'MODE' }, { title: 'CHARACTERS', align: 'right' }, { title: 'PARTS', align: 'right' }, { title: 'EMBEDDING' }, { title: 'CREATED (UTC)' }],
        readAnswer(pageOf(documentShape), answer, 'list documents').items.map((document) => [
          document.uuid,
          document.name,
          document.mode,
          String(document.text_length),
          String(document.chunk_count),
          embeddingText(document),
          formatTime(document.created_at),
        ]),
      );
    });

  withServerOption(command.command('search <query>').description('find passages as an agent would'))
    .option('--document <uuid...>', 'documents to search (default: the newest)')
    .option('--json', 'print the API’s answer')
    .action(async (query: string, options: ConnectionOptions & { document?: readonly string[]; json?: boolean }) => {
      const body = { query, ...(options.document === undefined ? {} : { document_uuids: options.document }) };
      const answer = await connect(options, context).request('POST', '/documents/search', { body });
      if (options.json === true) return context.output.json(answer);
      const { items, failure } = readAnswer(documentSearchShape, answer, 'search documents');
      if (failure !== null) context.output.note(`By words alone: ${failure.message} (${failure.code})`);
      if (items.length === 0) context.output.note('Nothing fits.');
      for (const { document_name: name, heading, page, score, text } of items) {
        const place = [name, ...heading].join(' › ');
        context.output.line(`${place}${page === null ? '' : `, page ${page}`} (${score})`);
        context.output.line(`${text}\n`);
      }
    });

  withServerOption(command.command('embed').description('embed again what has no embeddings, or those of another model')).action(async (options: ConnectionOptions) => {
    await connect(options, context).request('POST', '/documents/embed');
    context.output.line('Queued: documents list shows how far it is');
  });

  withServerOption(command.command('remove <uuid>').description('delete a document; agents that name it go on without it')).action(
    async (uuid: string, options: ConnectionOptions) => {
      await connect(options, context).request('DELETE', `/documents/${encodeURIComponent(uuid)}`);
      context.output.line('Deleted');
    },
  );
};
