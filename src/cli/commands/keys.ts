import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { apiKeyShape, pageOf, readAnswer } from '../api-shapes.js';
import type { RegisterCommand } from '../command.js';
import { connect, withServerOption, type ConnectionOptions } from '../connection.js';
import { formatTime } from '../format.js';

const help = `
Examples:
  $ agent-stream keys create --name deploy --expires-in-days 90
  $ agent-stream keys list
  $ agent-stream keys delete 01934c2e-…
`;

const dayMs = 86_400_000;

/** Registers `keys` and its sub-commands. */
export const register: RegisterCommand = (command, context) => {
  command.addHelpText('after', help);

  withServerOption(command.command('list').description('list API keys, without their secrets'))
    .option('--json', 'print the API’s answer')
    .action(async (options: ConnectionOptions & { json?: boolean }) => {
      const answer = await connect(options, context).request('GET', '/api-keys');
      if (options.json === true) return context.output.json(answer);
      context.output.table(
        [{ title: 'ID' }, { title: 'NAME' }, { title: 'BEGINS WITH' }, { title: 'CREATED (UTC)' }, { title: 'LAST USED' }, { title: 'EXPIRES' }],
        readAnswer(pageOf(apiKeyShape), answer, 'list keys').items.map((key) => [
          key.id,
          key.name,
          `${key.prefix}…`,
          formatTime(key.created_at),
          formatTime(key.last_used_at),
          formatTime(key.expires_at),
        ]),
      );
    });

  withServerOption(command.command('create').description('create an API key and print it once'))
    .requiredOption('--name <name>', 'what the key is for')
    .option('--expires-in-days <days>', 'days until it stops working', parseDays)
    .action(async (options: ConnectionOptions & { name: string; expiresInDays?: number }) => {
      const { expiresInDays } = options;
      const expiry = expiresInDays === undefined ? {} : { expires_at: new Date(context.clock.wallMs() + expiresInDays * dayMs).toISOString() };
      const answer = await connect(options, context).request('POST', '/api-keys', { body: { name: options.name, ...expiry } });
      context.output.line(readAnswer(z.looseObject({ key: z.string() }), answer, 'create key').key);
      context.output.note('It is shown only now: store it where its user finds it.');
    });

  withServerOption(command.command('delete <id>').description('delete an API key; requests with it are refused from now on')).action(
    async (id: string, options: ConnectionOptions) => {
      await connect(options, context).request('DELETE', `/api-keys/${encodeURIComponent(id)}`);
      context.output.line('Deleted');
    },
  );
};

function parseDays(text: string): number {
  const days = Number(text);
  if (!Number.isInteger(days) || days < 1 || days > 3650) throw new InvalidArgumentError('It must be a whole number from 1 to 3650.');
  return days;
}
