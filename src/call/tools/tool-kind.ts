import type { Clock } from '../../base/clock.js';
import type { SearchResult } from '../../knowledge/knowledge.js';
import type { Retrieval, ToolFollowUp, Variables } from '../../workflow/engine.js';

/** What a tool gives the model, and what it wants to happen with the call. */
export interface ToolOutcome {
  /** For the model; what is longer than {@link MAX_RESULT_LENGTH} is cut. */
  readonly text: string;
  readonly isError: boolean;
  readonly followUp?: ToolFollowUp | undefined;
  /** What the text rests on; absent: nothing was looked up. */
  readonly retrieval?: Retrieval | undefined;
}

/** The MCP servers of one call: one session each, open until the call ends. */
export interface ToolServers {
  /** Calls a function of a server. @throws AgentStreamError what the model is to be told; the signal's reason */
  call(toolUuid: string, name: string, given: Variables, signal: AbortSignal): Promise<ToolOutcome>;
  /** Settles when every server has listed its functions or failed. Never rejects. */
  readonly ready: Promise<void>;
}

/** What a tool runs with. */
export interface ToolContext {
  /** Ends the tool: the call is over, or its time is. */
  readonly signal: AbortSignal;
  /** The run's variables, for templates. Null-prototype. */
  readonly variables: Variables;
  readonly clock: Clock;
  /** Reaches where the egress guard allows and nowhere else. */
  readonly fetch: typeof fetch;
  /** The best passages of the organization's documents. */
  readonly searchDocuments: (documentUuids: readonly string[], query: string, signal: AbortSignal) => Promise<SearchResult>;
  /** The stored tool that is run; null: one that nodes have by themselves. */
  readonly toolUuid: string | null;
  /** The MCP servers of the call; null: there are none here. */
  readonly servers: ToolServers | null;
  /** The tool's stored credential, opened now; null: it has none. @throws AgentStreamError where it cannot be read */
  readonly credential: () => Promise<Readonly<Record<string, unknown>> | null>;
}

/** One request to a tool. */
export interface ToolRequest<Config> {
  readonly config: Config;
  /** Of the declared types. Null-prototype. */
  readonly arguments: Variables;
}

/** A kind of tool: one file here, and one line in registry.ts. */
export interface ToolKind<Config = unknown> {
  /** The configuration as stored, read. @throws ZodError where it is none of this kind: a fault */
  readConfig(config: Readonly<Record<string, unknown>>): Config;
  /** How long one run may take in all. */
  timeoutMs(config: Config): number;
  /** Runs the tool. What it throws is told to the model: an AgentStreamError by its message, anything else as a fault without one. */
  run(request: ToolRequest<Config>, context: ToolContext): Promise<ToolOutcome>;
}

/** Longest result the model is given, characters. */
export const MAX_RESULT_LENGTH = 8000;

/** A kind whose configuration's type only it knows. */
export const toolKind = <Config>(kind: ToolKind<Config>): ToolKind => ({
  readConfig: (config) => kind.readConfig(config),
  timeoutMs: (config) => kind.timeoutMs(config as Config),
  run: (request, context) => kind.run(request as ToolRequest<Config>, context),
});
