import { serversOf, withFunctions } from '../../workflow/remote-functions.js';
import type { WorkflowGraph } from '../../workflow/graph.js';
import type { ToolRunner } from '../tools/run-tool.js';
import type { ServerNews } from './tool-servers.js';

/** What the agent of one call can do: the graph that calls share, and the functions that servers told this call. */
export interface CallFunctions {
  /** As it is now: nodes offer a server's functions from the moment they were listed. */
  readonly graph: WorkflowGraph;
  /** Runs tools and functions in the call's sessions. */
  readonly runner: Pick<ToolRunner, 'run'>;
  /** Settles when every server has listed its functions or failed. Calls do not wait for it. */
  readonly ready: Promise<void>;
}

/** Opens the sessions with the servers that the graph names, and returns at once. A server that fails only lacks its functions. */
export function openCallFunctions(options: {
  readonly graph: WorkflowGraph;
  readonly runner: ToolRunner;
  /** The call's signal: its end is the end of the sessions. */
  readonly signal: AbortSignal;
  /** For the record; never after the signal fired. */
  readonly onNews: (news: ServerNews) => void;
}): CallFunctions {
  const { runner, signal } = options;
  let { graph } = options;
  const tools = serversOf(graph);
  if (tools.length === 0) return { graph, runner, ready: Promise.resolve() };
  const servers = runner.connect(tools, signal, (news) => {
    if (news.type === 'listed') graph = withFunctions(graph, news.toolUuid, news.functions);
    options.onNews(news);
  });
  return {
    get graph() {
      return graph;
    },
    runner: { run: (call, context) => runner.run(call, { ...context, servers }) },
    ready: servers.ready,
  };
}

/** What the run's record keeps of it: no server's address, and nothing of what its functions are called with. */
export const newsRecord = (news: ServerNews): readonly [type: string, data: Readonly<Record<string, unknown>>] =>
  news.type === 'listed'
    ? ['functions-listed', { tool_uuid: news.toolUuid, count: news.functions.length }]
    : ['tool-server-failed', { tool_uuid: news.toolUuid, code: news.error.code, message: news.error.message }];
