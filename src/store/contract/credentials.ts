/** An account at a telephony provider. */
export interface TelephonyConfig {
  readonly id: string;
  readonly organizationId: string;
  readonly name: string;
  readonly provider: string;
  /** Normalised key that streams are matched by: Cloudonix' domain. */
  readonly account: string;
  /** Credentials with secrets opened. Only for the provider module; the API shows `redactedCredentials`. */
  readonly credentials: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Telephony configurations; credentials are sealed. Every change is announced as `telephony_config_changed`. Throws `conflict` for a second one of an account. */
export interface TelephonyConfigStore {
  create(input: {
    organizationId: string;
    name: string;
    provider: string;
    account: string;
    credentials: Readonly<Record<string, unknown>>;
  }): Promise<TelephonyConfig>;
  list(organizationId: string): Promise<readonly TelephonyConfig[]>;
  get(organizationId: string, id: string): Promise<TelephonyConfig | null>;
  /** Not scoped: for provider callbacks, whose URL holds the id. */
  getById(id: string): Promise<TelephonyConfig | null>;
  find(organizationId: string, provider: string, account: string): Promise<TelephonyConfig | null>;
  update(
    organizationId: string,
    id: string,
    change: { name?: string | undefined; account?: string | undefined; credentials?: Readonly<Record<string, unknown>> | undefined },
  ): Promise<TelephonyConfig | null>;
  delete(organizationId: string, id: string): Promise<boolean>;
}

/** A key for a speech or language vendor. */
export interface VendorCredential {
  readonly id: string;
  readonly organizationId: string;
  readonly vendor: string;
  readonly name: string;
  /** Opened. Never leaves the server. */
  readonly apiKey: string;
  readonly baseUrl: string | null;
  readonly createdAt: Date;
}

/** Keys for vendors, sealed. Throws `conflict` for a name taken. */
export interface VendorCredentialStore {
  create(input: {
    organizationId: string;
    vendor: string;
    name: string;
    apiKey: string;
    baseUrl: string | null;
  }): Promise<VendorCredential>;
  list(organizationId: string): Promise<readonly VendorCredential[]>;
  get(organizationId: string, id: string): Promise<VendorCredential | null>;
  /** Fields left out keep their value. Null where there is none. */
  update(
    organizationId: string,
    id: string,
    change: { name?: string | undefined; apiKey?: string | undefined; baseUrl?: string | null | undefined },
  ): Promise<VendorCredential | null>;
  delete(organizationId: string, id: string): Promise<boolean>;
}

/** How a request says who sends it, opened: one of workflow/request-credential.ts. Never leaves the server but in that request. */
export type RequestCredential = Readonly<Record<string, unknown>>;

/** A stored credential of requests: webhook nodes, requests before the call and tools name it by UUID. */
export interface Credential {
  readonly uuid: string;
  readonly organizationId: string;
  readonly name: string;
  readonly fields: RequestCredential;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Credentials of requests; their fields are sealed. Throws `conflict` for a name taken. */
export interface CredentialStore {
  /** @throws AgentStreamError `conflict` where the organization has as many as it may */
  create(input: { organizationId: string; name: string; fields: RequestCredential }): Promise<Credential>;
  /** All of them, oldest first. */
  list(organizationId: string): Promise<readonly Credential[]>;
  /** Those that exist, none opened. */
  uuids(organizationId: string): Promise<ReadonlySet<string>>;
  get(organizationId: string, uuid: string): Promise<Credential | null>;
  /** Fields left out keep their value. Null where there is none. */
  update(organizationId: string, uuid: string, change: { name?: string | undefined; fields?: RequestCredential | undefined }): Promise<Credential | null>;
  /** @throws AgentStreamError `conflict`, naming them, where tools or agents in use name it in their draft or published version */
  delete(organizationId: string, uuid: string): Promise<boolean>;
}
