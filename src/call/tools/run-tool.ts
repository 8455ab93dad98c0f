import { deadlineSignal, type Clock } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import type { ToolCall, ToolResult, Variables } from '../../workflow/engine.js';
import type { SearchResult } from '../../knowledge/knowledge.js';
import type { CallableTool } from '../../workflow/tools/callable-tool.js';
import { openToolServers, type ServerNews } from '../mcp/tool-servers.js';
import { toolKinds } from './registry.js';
import { MAX_RESULT_LENGTH, type ToolContext, type ToolKind, type ToolOutcome, type ToolServers } from './tool-kind.js';

/** What one call of a tool runs in. */
export interface RunContext {
  readonly signal: AbortSignal;
  readonly variables: Variables;
  /** Default: no function of a server can be called. */
  readonly servers?: ToolServers | undefined;
}

/** Runs the tools of calls. */
export interface ToolRunner {
  /** Runs one call. Never rejects: what failed is the result, in words for the model. */
  run(call: ToolCall, context: RunContext): Promise<ToolResult>;
  /** Opens the MCP servers of a conversation or a test (`openToolServers`). `signal` ends their sessions. `onNews` null: their functions are known. */
  connect(servers: readonly CallableTool[], signal: AbortSignal, onNews: ((news: ServerNews) => void) | null): ToolServers;
}

/** What tools of one organization run with. */
export interface ToolPorts {
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** The credential of a stored tool, opened at the moment it is sent. */
  readonly credentialOf: (toolUuid: string) => Promise<Readonly<Record<string, unknown>> | null>;
  /** Searches documents of the organization. Default: there are none. */
  readonly searchDocuments?: (documentUuids: readonly string[], query: string, signal: AbortSignal) => Promise<SearchResult>;
  /** A tool broke by a fault of this program. Must not throw. */
  readonly onFault: (error: unknown) => void;
  /** Default: all there are. */
  readonly kinds?: Readonly<Record<string, ToolKind>>;
}

const foundNothing = (): Promise<SearchResult> => Promise.resolve({ passages: [], ranking: 'lexical', failure: null });

const failed = (text: string): ToolOutcome => ({ text: `Error: ${text}`, isError: true });

const cut = (text: string): string => (text.length > MAX_RESULT_LENGTH ? `${text.slice(0, MAX_RESULT_LENGTH)}… (cut)` : text);

/** Settles with the work, or as soon as the signal fires, whether the work heeds it or not. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Creates the runner. */
export function createToolRunner(ports: ToolPorts): ToolRunner {
  const { clock, fetch, credentialOf, searchDocuments = foundNothing, onFault, kinds = toolKinds } = ports;

  async function attempt({ tool, arguments: given }: ToolCall, { signal, variables, servers }: RunContext): Promise<ToolOutcome> {
    const kind = Object.hasOwn(kinds, tool.kind) ? kinds[tool.kind] : undefined;
    if (kind === undefined) return failed('this tool cannot be used here.');
    const config = kind.readConfig(tool.config);
    const timeoutMs = kind.timeoutMs(config);
    const late = () => new AgentStreamError('tool-timeout', { message: `The tool did not answer within ${timeoutMs} ms.` });
    const deadline = deadlineSignal(clock, timeoutMs, signal, late);
    const context: ToolContext = {
      signal: deadline.signal,
      variables,
      clock,
      fetch,
      searchDocuments,
      toolUuid: tool.uuid,
      servers: servers ?? null,
      credential: async () => (tool.uuid === null ? null : credentialOf(tool.uuid)),
    };
    try {
      return await orAborted(kind.run({ config, arguments: given }, context), deadline.signal);
    } finally {
      deadline.dispose();
    }
  }

  return {
    async run(call, context) {
      const { signal } = context;
      let outcome: ToolOutcome;
      try {
        outcome = await attempt(call, context);
      } catch (error) {
        const isTold = error instanceof AgentStreamError && error.code !== 'internal-error';
        if (!isTold && !signal.aborted) onFault(error);
        outcome = failed(isTold ? error.message : 'the tool failed.');
      }
      return { toolCallId: call.id, text: cut(outcome.text), isError: outcome.isError, followUp: outcome.followUp, retrieval: outcome.retrieval };
    },
    connect: (servers, signal, onNews) => openToolServers(servers, signal, onNews, { clock, fetch, credentialOf }),
  };
}
