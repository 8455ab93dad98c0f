import { offerableFunctions, serversOf, withFunctions, type ServerFunctions } from '../../workflow/remote-functions.js';
import type { WorkflowGraph } from '../../workflow/graph.js';
import type { ToolRunner } from '../tools/run-tool.js';
import type { ServerNews } from './tool-servers.js';

/** What the agent of one conversation can do: the graph that conversations share, and the functions that servers told this one. */
export interface CallFunctions {
  /** As it is now: nodes offer a server's functions from the moment they were listed. */
  readonly graph: WorkflowGraph;
  /** Runs tools and functions in the conversation's sessions. */
  readonly runner: Pick<ToolRunner, 'run'>;
  /** Settles when every server has listed its functions or failed. Calls do not wait for it; conversations in writing do. */
  readonly ready: Promise<void>;
  /** What was listed so far, as far as nodes may offer it, in the order it came: another part of the conversation is opened with it. */
  readonly listed: readonly ServerFunctions[];
}

/** Opens the sessions with the servers that the graph names, and returns at once. A server that fails only lacks its functions. */
export function openCallFunctions(options: {
  readonly graph: WorkflowGraph;
  readonly runner: ToolRunner;
  /** The conversation's signal: its end is the end of the sessions. */
  readonly signal: AbortSignal;
  /** For the record; never after the signal fired. */
  readonly onNews: (news: ServerNews) => void;
  /** What the conversation was told before: nothing is listed anew, and a session is opened with the first call of a function. Default: nothing. */
  readonly known?: readonly ServerFunctions[] | undefined;
}): CallFunctions {
  const { runner, signal, known, onNews } = options;
  let { graph } = options;
  const listed: ServerFunctions[] = [];
  const tools = serversOf(graph);
  if (tools.length === 0) return { graph, runner, ready: Promise.resolve(), listed };
  const take = ({ toolUuid, functions }: ServerFunctions) => {
    const offerable = offerableFunctions(graph, toolUuid, functions);
    listed.push({ toolUuid, functions: offerable });
    graph = withFunctions(graph, toolUuid, offerable);
  };
  known?.forEach(take);
  const hear = (news: ServerNews) => {
    if (news.type === 'listed') take(news);
    onNews(news);
  };
  const servers = runner.connect(tools, signal, known === undefined ? hear : null);
  return {
    get graph() {
      return graph;
    },
    runner: { run: (call, context) => runner.run(call, { ...context, servers }) },
    ready: servers.ready,
    listed,
  };
}

/** What the run's record keeps of it: no server's address, and nothing of what its functions are called with. */
export const newsRecord = (news: ServerNews): readonly [type: string, data: Readonly<Record<string, unknown>>] =>
  news.type === 'listed'
    ? ['functions-listed', { tool_uuid: news.toolUuid, count: news.functions.length }]
    : ['tool-server-failed', { tool_uuid: news.toolUuid, code: news.error.code, message: news.error.message }];
