import { existsSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { contentOf, readAgentContent, readAgentFile, serializeAgentFile, type AgentFile } from '../agent-file.js';
import type { ApiClient } from '../api-client.js';
import { agentDetailShape, agentShape, pageOf, readAnswer } from '../api-shapes.js';
import { CliError } from '../cli-error.js';
import type { CliContext, RegisterCommand } from '../command.js';
import { connect, withServerOption, type ConnectionOptions } from '../connection.js';
import { exitCodes } from '../exit-codes.js';
import { registerImport } from './agents-import.js';
import { formatTime } from '../format.js';
import { diffLines, withContext } from '../line-diff.js';
import { printable } from '../output.js';
import { parseLimit } from '../parse-limit.js';

/** Lines shown around a difference. */
const diffContextLines = 3;

const help = `
Examples:
  $ agent-stream agents create --name Reception --from examples/reception.json
  $ agent-stream agents stream-url 8c5d…            what to paste at the telephony provider
  $ agent-stream agents pull 8c5d… reception.json   keep the agent in a repository
  $ agent-stream agents diff reception.json         exit 1 where file and server differ
  $ agent-stream agents push reception.json --publish
  $ agent-stream agents import dograh.json --dry-run   what an exported Dograh agent would become
`;

interface JsonOptions extends ConnectionOptions {
  readonly json?: boolean;
}

/** Registers `agents` and its sub-commands. */
export const register: RegisterCommand = (command, context) => {
  command.addHelpText('after', help);
  registerReading(command, context);
  registerFiles(command, context);
  registerImport(command, context);
  registerLifecycle(command, context);
  registerStreamUrl(command, context);
};

function registerReading(command: Command, context: CliContext): void {
  withServerOption(command.command('list').description('list agents, newest first'))
    .option('--archived', 'archived agents too')
    .option('--limit <count>', 'at most so many (1–200)', parseLimit, 50)
    .option('--cursor <cursor>', 'go on where the former page ended')
    .option('--json', 'print the API’s answer')
    .action(async (options: JsonOptions & { archived?: boolean; limit: number; cursor?: string }) => {
      const query = { limit: options.limit, cursor: options.cursor, include_archived: options.archived };
      const answer = await connect(options, context).request('GET', '/agents', { query });
      if (options.json === true) return context.output.json(answer);
      const page = readAnswer(pageOf(agentShape), answer, 'list agents');
      context.output.table(
        [{ title: 'UUID' }, { title: 'NAME' }, { title: 'PUBLISHED', align: 'right' }, { title: 'DRAFT', align: 'right' }, { title: 'UPDATED (UTC)' }],
        page.items.map((agent) => [
          agent.uuid,
          agent.status === 'archived' ? `${agent.name} (archived)` : agent.name,
          versionText(agent.published_version),
          versionText(agent.draft_version),
          formatTime(agent.updated_at),
        ]),
      );
      if (page.next_cursor) context.output.note(`More: --cursor ${page.next_cursor}`);
    });

  withServerOption(command.command('show <uuid>').description('show one agent'))
    .option('--json', 'print the API’s answer')
    .action(async (uuid: string, options: JsonOptions) => {
      const answer = await connect(options, context).request('GET', agentPath(uuid));
      if (options.json === true) return context.output.json(answer);
      const agent = readAnswer(agentShape, answer, 'show agent');
      context.output.line(`${printable(agent.name)}${agent.status === 'archived' ? ' (archived)' : ''}`);
      context.output.line(`  uuid          ${agent.uuid}`);
      context.output.line(`  published     ${versionText(agent.published_version)}`);
      context.output.line(`  draft         ${versionText(agent.draft_version)}`);
      context.output.line(`  stream token  ${agent.requires_stream_token ? 'required' : 'not required'}`);
      context.output.line(`  updated       ${formatTime(agent.updated_at)} UTC`);
    });
}

function registerFiles(command: Command, context: CliContext): void {
  withServerOption(command.command('create').description('create an agent; its first version is published at once'))
    .requiredOption('--name <name>', 'name of the agent')
    .option('--from <file>', 'agent file, or a workflow document alone')
    .option('--json', 'print the API’s answer')
    .action(async (options: JsonOptions & { name: string; from?: string }) => {
      const content = options.from === undefined ? {} : readAgentContent(options.from);
      const answer = await connect(options, context).request('POST', '/agents', { body: { ...content, name: options.name } });
      if (options.json === true) return context.output.json(answer);
      context.output.line(readAnswer(agentShape, answer, 'create agent').uuid);
    });

  withServerOption(command.command('pull <uuid> [file]').description('write an agent to a file; without file to stdout'))
    .option('--force', 'overwrite the file')
    .action(async (uuid: string, file: string | undefined, options: ConnectionOptions & { force?: boolean }) => {
      const text = serializeAgentFile(await fetchAgentFile(connect(options, context), uuid));
      if (file === undefined) return context.output.line(text.trimEnd());
      if (existsSync(file) && options.force !== true) {
        throw new CliError(exitCodes.usage, `${file} exists`, { cure: 'Compare with "agents diff", or overwrite with --force.' });
      }
      writeFileSync(file, text);
      context.output.note(`Wrote ${file}`);
    });

  withServerOption(command.command('push <file>').description('make an agent file the agent’s draft; creates the agent where the file has no uuid'))
    .option('--publish', 'publish the draft as well')
    .action(async (path: string, options: ConnectionOptions & { publish?: boolean }) => {
      await pushFile(path, options.publish === true, connect(options, context), context);
    });

  withServerOption(command.command('diff <file>').description('compare an agent file with the server; exit 1 where they differ')).action(
    async (path: string, options: ConnectionOptions) => {
      const local = readAgentFile(path);
      if (local.uuid === undefined) throw new CliError(exitCodes.usage, `${path} has no uuid`, { cure: 'Push it first.' });
      const remote = await fetchAgentFile(connect(options, context), local.uuid);
      const lines = diffLines(serializeAgentFile(remote), serializeAgentFile(local));
      if (lines.every((line) => line.kind === 'same')) return context.output.note('No difference.');
      printDiff(withContext(lines, diffContextLines), context);
      throw new CliError(exitCodes.failure, `${path} and the server differ`, { cure: 'Send the file with "agents push".' });
    },
  );
}

function registerLifecycle(command: Command, context: CliContext): void {
  withServerOption(command.command('publish <uuid>').description('publish the draft; new calls use it')).action(
    async (uuid: string, options: ConnectionOptions) => {
      const answer = await connect(options, context).request('POST', `${agentPath(uuid)}/publish`, { body: {} });
      context.output.line(`Published version ${readAnswer(z.looseObject({ version: z.number() }), answer, 'publish').version}`);
    },
  );

  withServerOption(command.command('archive <uuid>').description('take an agent out of service; its stream URL is answered "Agent not found"'))
    .option('--undo', 'put it back into service')
    .action(async (uuid: string, options: ConnectionOptions & { undo?: boolean }) => {
      const verb = options.undo === true ? 'unarchive' : 'archive';
      await connect(options, context).request('POST', `${agentPath(uuid)}/${verb}`, { body: {} });
      context.output.line(options.undo === true ? 'Back in service' : 'Archived');
    });
}

function registerStreamUrl(command: Command, context: CliContext): void {
  withServerOption(command.command('stream-url <uuid>').description('print the URL and the document to paste at the provider'))
    .option('--provider <name>', 'telephony provider', 'cloudonix')
    .option('--url-only', 'print nothing but the URL')
    .option('--json', 'print the API’s answer')
    .action(async (uuid: string, options: JsonOptions & { provider: string; urlOnly?: boolean }) => {
      const answer = await connect(options, context).request('GET', `${agentPath(uuid)}/stream-url`, { query: { provider: options.provider } });
      if (options.json === true) return context.output.json(answer);
      const { url, snippets } = readAnswer(streamUrlShape, answer, 'stream URL');
      context.output.line(url);
      if (options.urlOnly === true) return;
      for (const line of snippetLines(snippets)) context.output.line(line);
      if (url.includes(tokenPlaceholder)) context.output.note(`Put the agent's stream token in place of ${tokenPlaceholder}; "agents token" makes a new one.`);
    });

  withServerOption(command.command('token <uuid>').description('require a stream token, or replace it; prints the new one once'))
    .option('--remove', 'require none any more')
    .action(async (uuid: string, options: ConnectionOptions & { remove?: boolean }) => {
      const client = connect(options, context);
      if (options.remove === true) {
        await client.request('DELETE', `${agentPath(uuid)}/stream-token`);
        return context.output.line('Removed');
      }
      const answer = await client.request('POST', `${agentPath(uuid)}/stream-token`, { body: {} });
      const shape = streamUrlShape.extend({ stream_token: z.string(), overlap_seconds: z.number() });
      const { stream_token: token, overlap_seconds: overlapSeconds, snippets } = readAnswer(shape, answer, 'stream token');
      context.output.line(token);
      context.output.note(`It is shown only now; a former one stays valid for ${overlapSeconds / 3600} hours. Paste the URL with it at the provider:`);
      for (const line of snippetLines(snippets)) context.output.note(line);
    });
}

/** Where the token goes in the stream URL of an agent that requires one: the server keeps only its hash. */
const tokenPlaceholder = '{stream_token}';

/** A stream URL and the documents to paste, by name. */
const streamUrlShape = z.looseObject({ url: z.string(), snippets: z.record(z.string(), z.string()) });

const snippetLines = (snippets: Readonly<Record<string, string>>) => Object.entries(snippets).map(([name, text]) => `\n${name.toUpperCase()}:\n${text}`);

const singleProblems = z.array(z.looseObject({ path: z.string(), message: z.string() })).default([]);

/** What the server says of a draft: errors keep it from being published. */
const draftShape = z.looseObject({ errors: singleProblems, warnings: singleProblems });

const agentPath = (uuid: string) => `/agents/${encodeURIComponent(uuid)}`;

const versionText = (version: number | null | undefined) => (version === null || version === undefined ? '-' : `v${version}`);

/** The agent as the server has it: its draft where there is one, else the published version. */
async function fetchAgentFile(client: ApiClient, uuid: string): Promise<AgentFile> {
  const agent = readAnswer(agentDetailShape, await client.request('GET', agentPath(uuid)), 'agent');
  const { name, workflow_definition, settings, template_context_variables } = agent;
  return { uuid: agent.uuid, name, workflow_definition, settings, template_context_variables };
}

async function pushFile(path: string, isPublishing: boolean, client: ApiClient, context: CliContext): Promise<void> {
  const file = readAgentFile(path);
  if (file.uuid === undefined) {
    const answer = await client.request('POST', '/agents', { body: { name: file.name, ...contentOf(file) } });
    const { uuid } = readAnswer(agentShape, answer, 'create agent');
    writeFileSync(path, serializeAgentFile({ ...file, uuid }));
    context.output.line(`Created ${uuid} and wrote it into ${path}`);
    return;
  }
  const agent = readAnswer(agentShape, await client.request('GET', agentPath(file.uuid)), 'agent');
  if (agent.name !== file.name) await client.request('PATCH', agentPath(file.uuid), { body: { name: file.name } });
  const draft = readAnswer(draftShape, await client.request('PUT', `${agentPath(file.uuid)}/draft`, { body: contentOf(file) }), 'draft');
  for (const [kind, list] of [['error', draft.errors], ['warning', draft.warnings]] as const) {
    for (const { path: where, message } of list) context.output.note(printable(`${kind}: ${where === '' ? '' : `${where}: `}${message}`));
  }
  if (isPublishing) await client.request('POST', `${agentPath(file.uuid)}/publish`, { body: {} });
  context.output.line(isPublishing ? 'Draft saved and published' : 'Draft saved; calls use it after "agents publish"');
}

function printDiff(lines: ReturnType<typeof diffLines>, context: CliContext): void {
  const { colors } = context.output;
  const paint = { same: colors.dim, removed: colors.red, added: colors.green };
  const sign = { same: ' ', removed: '-', added: '+' };
  for (const line of lines) context.output.line(paint[line.kind](`${sign[line.kind]} ${printable(line.text)}`));
}
