import type { StoredChat } from '../store/store.js';
import type { WorkflowGraph } from '../workflow/graph.js';
import type { ServerFunctions } from '../workflow/remote-functions.js';
import type { ChatEvent, ChatInput, ChatSnapshot, RecordedStep } from './text-chat.js';

/** One turn of a chat; the first has no input: the agent's opening. */
export interface ChatTurn {
  readonly input: ChatInput | null;
  readonly events: readonly ChatEvent[];
  readonly steps: readonly RecordedStep[];
  readonly durationMs: number;
}

/** Where a chat stands after its last turn. */
export interface ChatStanding {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly nodesVisited: readonly string[];
  readonly isTransferring: boolean;
  /** Why it ended; null while it goes on. */
  readonly endReason: string | null;
}

/** What is kept of a chat: plain data. */
export interface ChatRecord {
  readonly version: number;
  /** Of the version's content: a draft may change while a chat with it goes on. */
  readonly contentTag: string;
  /** The run's initial context. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Null: tools run for real. Else what functions give, by name. */
  readonly toolStubs: Readonly<Record<string, string>> | null;
  /** What MCP servers listed as the chat began: it goes on with the same functions, whatever they list later. Null until then. */
  readonly functions: readonly ServerFunctions[] | null;
  readonly turns: readonly ChatTurn[];
  /** Null until the opening is over. */
  readonly standing: ChatStanding | null;
}

/** A chat as it was read. */
export type Chat = Omit<StoredChat, 'record'> & ChatRecord;

/** The store keeps what this module wrote. */
export const chatOf = ({ record, ...place }: StoredChat): Chat => ({ ...place, ...(record as ChatRecord) });

/** Where a chat stands. */
export function standingOf({ workflow }: ChatSnapshot, graph: WorkflowGraph): ChatStanding {
  const { nodeId, variables, nodesVisited, phase } = workflow;
  const nodeName = graph.nodes[nodeId]?.name ?? nodeId;
  return { nodeId, nodeName, variables, nodesVisited, isTransferring: phase.name === 'transferring', endReason: phase.name === 'ended' ? phase.reason : null };
}
