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
  readonly hasCredential: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A tool's credential, opened. Never leaves the server. */
export type ToolCredential = Readonly<Record<string, unknown>>;

/** What of a tool is set anew. `credential` null removes it; undefined keeps it. */
export type ToolChange = { readonly [Field in keyof ToolFields]?: ToolFields[Field] | undefined } & { readonly credential?: ToolCredential | null | undefined };

/** Tools; credentials are sealed. Every change is announced as `tools_changed`: on this node before the method resolves. Throws `conflict` for a name taken. */
export interface ToolStore {
  /** @throws AgentStreamError `conflict` where the organization has as many as it may */
  create(input: { organizationId: string; credential: ToolCredential | null } & ToolFields): Promise<Tool>;
  /** All of them, oldest first. */
  list(organizationId: string): Promise<readonly Tool[]>;
  get(organizationId: string, uuid: string): Promise<Tool | null>;
  update(organizationId: string, uuid: string, change: ToolChange): Promise<Tool | null>;
  delete(organizationId: string, uuid: string): Promise<boolean>;
  /** Opened, for the request that sends it; null: it has none, or is gone. */
  credentialOf(organizationId: string, uuid: string): Promise<ToolCredential | null>;
}
