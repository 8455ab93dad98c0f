import { Option, type Command } from 'commander';
import type { ApiClient } from '../api-client.js';
import { pageOf, readAnswer, runEventShape, runShape, transcriptLineShape, type RunAnswer } from '../api-shapes.js';
import { CliError } from '../cli-error.js';
import type { CliContext, RegisterCommand } from '../command.js';
import { connect, withServerOption, type ConnectionOptions } from '../connection.js';
import { exitCodes } from '../exit-codes.js';
import { formatDuration, formatTime, formatValue } from '../format.js';
import { parseLimit } from '../parse-limit.js';
import { describeEvent, describeRun, describeTurns } from '../run-report.js';

const help = `
Examples:
  $ agent-stream runs list --state failed --limit 10
  $ agent-stream runs tail                  the newest run, live until it ends
  $ agent-stream runs show WR-AGS-00000042  transcript, latencies and how it ended
`;

interface ListOptions extends ConnectionOptions {
  readonly json?: boolean;
  readonly limit: number;
  readonly cursor?: string;
  readonly agent?: string;
  readonly state?: string;
  readonly endReason?: string;
  readonly from?: string;
  readonly to?: string;
  readonly search?: string;
}

/** Registers `runs` and its sub-commands. */
export const register: RegisterCommand = (command, context) => {
  command.addHelpText('after', help);
  registerList(command, context);
  registerTail(command, context);
  registerShow(command, context);
};

function registerList(command: Command, context: CliContext): void {
  withServerOption(command.command('list').description('list runs, newest first'))
    .option('--agent <uuid>', 'runs of one agent')
    .addOption(new Option('--state <state>', 'runs in one state').choices(['initialized', 'running', 'completed', 'failed']))
    .option('--end-reason <reason>', 'runs that ended for one reason (docs/run-record.md)')
    .option('--from <time>', 'created at this time or later, RFC 3339')
    .option('--to <time>', 'created before this time, RFC 3339')
    .option('--search <text>', 'part of name, id, number, session or call id')
    .option('--limit <count>', 'at most so many (1–200)', parseLimit, 50)
    .option('--cursor <cursor>', 'go on where the former page ended')
    .option('--json', 'print the API’s answer')
    .action(async (options: ListOptions) => {
      const { limit, cursor, state, from, to } = options;
      const query = { limit, cursor, state, from, to, agent_uuid: options.agent, end_reason: options.endReason, q: options.search };
      const answer = await connect(options, context).request('GET', '/runs', { query });
      if (options.json === true) return context.output.json(answer);
      const page = readAnswer(pageOf(runShape), answer, 'list runs');
      context.output.table(
        [
          { title: 'NAME' },
          { title: 'STARTED (UTC)' },
          { title: 'STATE' },
          { title: 'END REASON' },
          { title: 'DURATION', align: 'right' },
          { title: 'CALLER' },
          { title: 'ID' },
        ],
        page.items.map((run) => [
          run.name,
          formatTime(run.created_at),
          run.state,
          formatValue(run.end_reason),
          formatDuration(run.duration_ms),
          formatValue(run.initial_context.caller_number),
          run.id,
        ]),
      );
      if (page.next_cursor) context.output.note(`More: --cursor ${page.next_cursor}`);
    });
}

function registerTail(command: Command, context: CliContext): void {
  withServerOption(command.command('tail [run]').description('print a run’s events while it lives; without a name or id the newest run'))
    .option('--json', 'one JSON object per line')
    .action(async (reference: string | undefined, options: ConnectionOptions & { json?: boolean }) => {
      const client = connect(options, context);
      const run = reference === undefined ? await findNewest(client) : await findRun(client, reference);
      context.output.note(`${run.name}  ${run.id}  ${run.state}`);
      for await (const message of client.follow(`/runs/${run.id}/events`)) {
        const event = runEventShape.safeParse(parseData(message.data));
        if (!event.success) continue;
        if (options.json === true) context.output.line(JSON.stringify(event.data));
        else context.output.line(describeEvent(event.data));
      }
      const ended = await findRun(client, run.id);
      context.output.note(`${ended.state}${ended.end_reason === null ? '' : `: ${ended.end_reason}`}`);
    });
}

function registerShow(command: Command, context: CliContext): void {
  withServerOption(command.command('show <run>').description('show one run: transcript, latencies, how it ended'))
    .option('--events', 'every event as well')
    .option('--json', 'print the API’s answer')
    .action(async (reference: string, options: ConnectionOptions & { json?: boolean; events?: boolean }) => {
      const client = connect(options, context);
      const run = await findRun(client, reference);
      const path = `/runs/${run.id}`;
      if (options.json === true) return context.output.json(await client.request('GET', path));
      for (const line of describeRun(run)) context.output.line(line);
      const transcript = readAnswer(pageOf(transcriptLineShape), await client.request('GET', `${path}/transcript`), 'transcript');
      context.output.line();
      for (const line of describeTurns(transcript.items, run.latency)) context.output.line(line);
      if (options.events !== true) return;
      context.output.line();
      for await (const event of listEvents(client, path)) context.output.line(describeEvent(event));
    });
}

async function* listEvents(client: ApiClient, runPath: string): AsyncGenerator<ReturnType<typeof runEventShape.parse>> {
  let cursor: string | undefined;
  do {
    const answer = await client.request('GET', `${runPath}/events`, { query: { limit: 200, cursor } });
    const page = readAnswer(pageOf(runEventShape), answer, 'events');
    yield* page.items;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}

/** Stream data is the server's; what is not JSON is no event. */
function parseData(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function findNewest(client: ApiClient): Promise<RunAnswer> {
  const page = readAnswer(pageOf(runShape), await client.request('GET', '/runs', { query: { limit: 1 } }), 'list runs');
  const run = page.items[0];
  if (run === undefined) throw new CliError(exitCodes.failure, 'there is no run yet', { cure: 'Make one: agent-stream call, or a real call.' });
  return run;
}

/** A run by its id, or by its name (`WR-AGS-` and eight digits). */
async function findRun(client: ApiClient, reference: string): Promise<RunAnswer> {
  if (!reference.startsWith('WR-')) {
    return readAnswer(runShape, await client.request('GET', `/runs/${encodeURIComponent(reference)}`), 'run');
  }
  const page = readAnswer(pageOf(runShape), await client.request('GET', '/runs', { query: { q: reference } }), 'list runs');
  const run = page.items.find((one) => one.name === reference);
  if (run === undefined) throw new CliError(exitCodes.refused, `no run is named ${reference}`, { cure: 'See agent-stream runs list.' });
  return run;
}
