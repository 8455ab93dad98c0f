import type { RequestCredential } from './credentials.js';

/** What users set of a tool, without its credential. */
export interface ToolFields {
  readonly name: string;
  readonly description: string;
  /** One of workflow/tools/tool-configs.ts. */
  readonly kind: string;
  readonly config: unknown;
  readonly filler: unknown;
}

/** A tool that agents' nodes name by UUID. */
export interface Tool extends ToolFields {
  readonly uuid: string;
  readonly organizationId: string;
  /** True: it has a credential of its own. */
  readonly hasCredential: boolean;
  /** The stored credential it names; null: none. */
  readonly credentialUuid: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** The credential of a tool's requests: one of its own, one that is stored, or null for none. */
export type ToolCredential = { readonly own: RequestCredential } | { readonly uuid: string } | null;

/** What of a tool is set anew. `credential` undefined keeps it as it is. */
export type ToolChange = { readonly [Field in keyof ToolFields]?: ToolFields[Field] | undefined } & { readonly credential?: ToolCredential | undefined };

/** Tools; credentials are sealed. Every change is announced as `tools_changed`: on this node before the method resolves. Throws `conflict` for a name taken, and where there is no such stored credential. */
export interface ToolStore {
  /** @throws AgentStreamError `conflict` where the organization has as many as it may */
  create(input: { organizationId: string; credential: ToolCredential } & ToolFields): Promise<Tool>;
  /** All of them, oldest first. */
  list(organizationId: string): Promise<readonly Tool[]>;
  get(organizationId: string, uuid: string): Promise<Tool | null>;
  update(organizationId: string, uuid: string, change: ToolChange): Promise<Tool | null>;
  delete(organizationId: string, uuid: string): Promise<boolean>;
  /** Its own or the stored one, opened, for the request that sends it; null: it has none, or is gone. */
  credentialOf(organizationId: string, uuid: string): Promise<RequestCredential | null>;
}
