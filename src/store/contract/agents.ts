import type { Tool } from './tools.js';
import type { Page, PageRequest } from './paging.js';

/** An agent, without its content. `uuid` is a capability: who knows it can call the agent. */
export interface Agent {
  readonly uuid: string;
  readonly organizationId: string;
  /** Whose quota the agent's calls use. */
  readonly ownerUserId: string;
  readonly name: string;
  readonly isArchived: boolean;
  readonly hasStreamToken: boolean;
  readonly publishedVersion: number | null;
  readonly draftVersion: number | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** At most one version of an agent is the draft and one is published; the others are archived. */
export type VersionStatus = 'draft' | 'published' | 'archived';

/** A version of an agent. Published and archived ones never change. */
export interface AgentVersion {
  readonly agentUuid: string;
  readonly number: number;
  readonly status: VersionStatus;
  /** The agent document (workflow/schema.ts). */
  readonly workflow: unknown;
  /** Settings per version (workflow/settings.ts). */
  readonly settings: unknown;
  /** Default variables for templates. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
  readonly publishedAt: Date | null;
}

/** What a version holds. */
export interface AgentContent {
  readonly workflow: unknown;
  readonly settings: unknown;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** A tool as a call needs it: its credential is asked for when it is sent. */
export type CallableAgentTool = Pick<Tool, 'uuid' | 'name' | 'description' | 'kind' | 'config' | 'filler'>;

/** What the stream endpoint needs of an agent: one query, cached by the endpoint. */
export interface CallableAgent {
  readonly agent: Agent;
  /** The published version, or the draft where none is published. */
  readonly version: AgentVersion;
  /** The organization's tools that the version's document names. */
  readonly tools: readonly CallableAgentTool[];
  /** SHA-256 of each accepted stream token; empty where none is required. The former one stays during the overlap window. */
  readonly streamTokenHashes: readonly Buffer[];
  /** After this long the answer changes by itself: the former token expires. Null where nothing does. */
  readonly settledForMs: number | null;
}

/** What is known of a UUID that somebody calls. An archived agent takes no calls, but has an owner who may be told of them. */
export type FoundAgent =
  | { readonly type: 'callable'; readonly callable: CallableAgent }
  | { readonly type: 'archived'; readonly agent: Agent };

/** Agents and their versions. Every change is announced as `agent_changed`: on this node before the method resolves. */
export interface AgentStore {
  /** The content becomes published version 1. */
  create(input: { organizationId: string; ownerUserId: string; name: string } & AgentContent): Promise<Agent>;
  list(organizationId: string, request: PageRequest & { includeArchived?: boolean | undefined }): Promise<Page<Agent>>;
  get(organizationId: string, uuid: string): Promise<Agent | null>;
  /** Not scoped: the UUID is the capability. Null for unknown agents. By one query. */
  findForCall(uuid: string): Promise<FoundAgent | null>;
  /** The same, and null for archived agents too. */
  findCallable(uuid: string): Promise<CallableAgent | null>;
  /** UUIDs of all active agents, to refuse floods of unknown ones without a query. */
  listActiveUuids(): Promise<readonly string[]>;
  rename(organizationId: string, uuid: string, name: string): Promise<Agent | null>;
  setArchived(organizationId: string, uuid: string, isArchived: boolean): Promise<Agent | null>;
  /**
   * Makes or updates the single draft. A function is given the content that is edited (the draft, else the published version, else the newest)
   * while no other change of the agent can come between; what it throws leaves everything as it was.
   */
  putDraft(organizationId: string, uuid: string, content: AgentContent | ((current: AgentVersion) => AgentContent)): Promise<AgentVersion | null>;
  /** Draft → published; the former published version → archived. Null where the agent or a draft is missing. */
  publish(organizationId: string, uuid: string): Promise<AgentVersion | null>;
  listVersions(organizationId: string, uuid: string): Promise<readonly AgentVersion[] | null>;
  /** Copies version `number` into the draft. */
  restore(organizationId: string, uuid: string, number: number): Promise<AgentVersion | null>;
  /** A new token (≥ 128 random bits, base64url), shown once; the former stays valid for `overlapMs`. */
  rotateStreamToken(organizationId: string, uuid: string, overlapMs: number): Promise<string | null>;
  removeStreamToken(organizationId: string, uuid: string): Promise<boolean>;
}
