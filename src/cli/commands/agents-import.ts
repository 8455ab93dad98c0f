import { existsSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { parseJsonFile } from '../agent-file.js';
import { readAnswer } from '../api-shapes.js';
import { CliError } from '../cli-error.js';
import type { CliContext } from '../command.js';
import { connect, withServerOption, type ConnectionOptions } from '../connection.js';
import { exitCodes } from '../exit-codes.js';
import { printable } from '../output.js';

const importShape = z.looseObject({
  agent: z.looseObject({ uuid: z.string() }).nullable(),
  content: z.looseObject({ name: z.string() }),
  dropped: z.array(z.looseObject({ path: z.string(), value_kind: z.string(), why: z.string() })),
  problems: z.array(z.looseObject({ path: z.string(), message: z.string(), element_id: z.string().optional() })),
});

interface ImportOptions extends ConnectionOptions {
  readonly dryRun?: boolean;
  readonly name?: string;
  readonly json?: boolean;
}

/** Registers `agents import` and `agents export`. */
export function registerImport(command: Command, context: CliContext): void {
  withServerOption(command.command('import <file>').description('create an agent from an exported one, this server’s or Dograh’s; prints what was not taken over'))
    .option('--dry-run', 'store nothing: only tell what would become of it; exit 1 where it has problems')
    .option('--name <name>', 'name of the agent, in place of the export’s')
    .option('--json', 'print the API’s answer')
    .action(async (file: string, options: ImportOptions) => importFile(file, options, context));

  withServerOption(command.command('export <uuid> [file]').description('write an agent as a document that "agents import" reads; without file to stdout'))
    .option('--force', 'overwrite the file')
    .action(async (uuid: string, file: string | undefined, options: ConnectionOptions & { force?: boolean }) => {
      const answer = await connect(options, context).request('GET', `/agents/${encodeURIComponent(uuid)}/export`);
      const text = JSON.stringify(answer, null, 2);
      if (file === undefined) return context.output.line(text);
      if (existsSync(file) && options.force !== true) throw new CliError(exitCodes.usage, `${file} exists`, { cure: 'Overwrite it with --force.' });
      writeFileSync(file, `${text}\n`);
      context.output.note(`Wrote ${file}`);
    });
}

async function importFile(file: string, options: ImportOptions, context: CliContext): Promise<void> {
  const { output } = context;
  const query = { dry_run: options.dryRun === true, name: options.name };
  const answer = await connect(options, context).request('POST', '/agents/import', { query, body: parseJsonFile(file) });
  if (options.json === true) return output.json(answer);
  const { agent, content, dropped, problems } = readAnswer(importShape, answer, 'import');
  for (const { path, value_kind: kind, why } of dropped) output.note(printable(`not taken over: ${path === '' ? '' : `${path} (${kind}): `}${why}`));
  for (const { path, message, element_id: id } of problems) output.note(printable(`problem: ${id === undefined ? '' : `${id} `}${path}: ${message}`));
  if (agent !== null) return output.line(agent.uuid);
  if (problems.length > 0) throw new CliError(exitCodes.failure, `${file} has ${problems.length} problems`, { cure: 'Correct them in the file, or import the rest by hand.' });
  output.line(`"${printable(content.name)}" can be imported; nothing was stored`);
}
