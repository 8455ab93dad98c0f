import type { ToolResult, Variables } from '../../workflow/engine.js';
import { readArguments } from '../../workflow/tools/arguments.js';
import type { RemoteFunction } from '../../workflow/remote-functions.js';
import type { CallableTool } from '../../workflow/tools/callable-tool.js';
import type { ToolRunner } from '../tools/run-tool.js';
import type { ServerNews } from './tool-servers.js';

const failed = (text: string): ToolResult => ({ toolCallId: 'test', text: `Error: ${text}`, isError: true });

/** What a test asks of a server. */
interface TestedCall {
  readonly function?: string | undefined;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** The server ready to be asked: the functions it listed, or why it did not. */
type Answer = ToolResult | { readonly functions: readonly RemoteFunction[] };

const answerOf = (news: ServerNews | undefined): Answer =>
  news?.type === 'listed' ? { functions: news.functions } : failed(news?.error.message ?? 'the server told nothing.');

/** Lists a server's functions as JSON `{functions: [{name, description, parameters}]}`, or calls one, in a session of its own. Never rejects. */
export async function testServer(
  server: CallableTool,
  given: TestedCall,
  { runner, variables }: { readonly runner: ToolRunner; readonly variables: Variables },
): Promise<ToolResult> {
  const session = new AbortController();
  const { signal } = session;
  const news: ServerNews[] = [];
  try {
    const servers = runner.connect([server], signal, (told) => void news.push(told));
    await servers.ready;
    const answer = answerOf(news[0]);
    if (!('functions' in answer)) return answer;
    if (given.function === undefined) return { toolCallId: 'test', text: JSON.stringify(answer), isError: false };
    const declaration = answer.functions.find(({ name }) => name === given.function);
    if (declaration === undefined) return failed(`the server has no function "${given.function}".`);
    const read = readArguments(declaration, JSON.stringify(given.arguments));
    if (!read.ok) return failed(`${read.message}.`);
    const tool: CallableTool = { ...server, declaration, config: { ...server.config, function: declaration.name } };
    return await runner.run({ id: 'test', tool, arguments: read.values }, { signal, variables, servers });
  } finally {
    session.abort();
  }
}
