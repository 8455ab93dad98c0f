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
