import { deadlineSignal, type Clock } from '../../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../../base/errors.js';
import type { Variables } from '../../workflow/engine.js';
import type { RemoteFunction } from '../../workflow/remote-functions.js';
import type { CallableTool } from '../../workflow/tools/callable-tool.js';
import { credentialHeaders, withoutSecrets } from '../../workflow/request-credential.js';
import { mcpConfig } from '../../workflow/tools/tool-configs.js';
import { lowerCaseNames } from '../tools/send-request.js';
import type { ToolOutcome, ToolServers } from '../tools/tool-kind.js';
import { openServerSession, type ServerSession } from './server-session.js';
import { isSessionLost } from './session-failure.js';

/** What became of a server when the call began. */
export type ServerNews =
  | { readonly type: 'listed'; readonly toolUuid: string; readonly functions: readonly RemoteFunction[] }
  | { readonly type: 'failed'; readonly toolUuid: string; readonly error: AgentStreamError };

/** What the servers of an organization are reached with. */
export interface ServerPorts {
  readonly clock: Clock;
  /** Reaches where the egress guard allows and nowhere else. */
  readonly fetch: typeof fetch;
  readonly credentialOf: (toolUuid: string) => Promise<Readonly<Record<string, unknown>> | null>;
}

/** An open session, and what of it is not to be shown. */
interface OpenServer {
  readonly session: ServerSession;
  readonly secrets: readonly string[];
}

/**
 * Opens a session with each server, side by side, and lists its functions once; `onNews` hears of each, never after `signal` fired. The
 * signal is the conversation's: the sessions end with it. `onNews` null: the functions are known, and a server's session is opened with
 * the first call of one.
 */
export function openToolServers(tools: readonly CallableTool[], signal: AbortSignal, onNews: ((news: ServerNews) => void) | null, ports: ServerPorts): ToolServers {
  const servers = new Map(tools.map((tool) => [tool.uuid ?? '', openServer(tool, signal, onNews, ports)]));
  return {
    async call(toolUuid, name, given, callSignal) {
      const server = servers.get(toolUuid);
      if (server === undefined) throw new AgentStreamError('tool-failed', { message: 'The server of this function is not part of the call.' });
      return server.call(name, given, callSignal);
    },
    ready: Promise.all([...servers.values()].map(({ ready }) => ready)).then(() => undefined),
  };
}

function openServer(tool: CallableTool, signal: AbortSignal, onNews: ((news: ServerNews) => void) | null, { clock, fetch, credentialOf }: ServerPorts) {
  const toolUuid = tool.uuid ?? '';
  const config = mcpConfig.parse(tool.config);

  async function open(within: AbortSignal): Promise<OpenServer> {
    const credential = credentialHeaders(await credentialOf(toolUuid));
    const headers = { ...lowerCaseNames(config.headers), ...credential.headers };
    const session = await openServerSession({ url: config.url, headers }, { fetch, clock, signal: within });
    // The session ends with the conversation, whoever has it then.
    if (signal.aborted) void session.close();
    else signal.addEventListener('abort', () => void session.close(), { once: true });
    return { session, secrets: credential.secrets };
  }

  async function withinTimeout<T>(work: (within: AbortSignal) => Promise<T>): Promise<T> {
    const late = () => new AgentStreamError('tool-timeout', { message: `The server was not ready within ${config.connect_timeout_ms} ms.` });
    const deadline = deadlineSignal(clock, config.connect_timeout_ms, signal, late);
    try {
      return await work(deadline.signal);
    } finally {
      deadline.dispose();
    }
  }

  const openAndList = (tell: (news: ServerNews) => void) =>
    withinTimeout(async (within) => {
      const opened = await open(within);
      const functions = await opened.session.list(within);
      if (!signal.aborted) tell({ type: 'listed', toolUuid, functions });
      return opened;
    });

  /** Null: there is none yet. One session for all that call while it opens; one that could not be opened is tried again with the next call. */
  let current: Promise<OpenServer> | null = onNews === null ? null : openAndList(onNews);
  const ready =
    current?.then(
      () => undefined,
      (error: unknown) => {
        if (!signal.aborted) onNews?.({ type: 'failed', toolUuid, error: toAgentStreamError(error) });
      },
    ) ?? Promise.resolve();

  function reopen(): Promise<OpenServer> {
    const opening = withinTimeout(open);
    opening.catch(() => {
      if (current === opening) current = null;
    });
    return (current = opening);
  }

  async function callIn(from: Promise<OpenServer>, name: string, given: Variables, callSignal: AbortSignal): Promise<ToolOutcome> {
    const { session, secrets } = await from;
    const outcome = await session.call(name, given, callSignal);
    return { ...outcome, text: withoutSecrets(outcome.text, secrets) };
  }

  return {
    ready,
    async call(name: string, given: Variables, callSignal: AbortSignal): Promise<ToolOutcome> {
      const from = current ?? reopen();
      try {
        return await callIn(from, name, given, callSignal);
      } catch (error) {
        if (!isSessionLost(error)) throw error;
        return callIn(current === null || current === from ? reopen() : current, name, given, callSignal);
      }
    },
  };
}
