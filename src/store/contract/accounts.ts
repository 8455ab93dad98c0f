/** A tenant: everything else belongs to one. */
export interface Organization {
  readonly id: string;
  readonly name: string;
  /** Calls the organization may hold at once. */
  readonly concurrentCalls: number;
  /** `settings.models` for agents that choose none. */
  readonly defaultModels: unknown;
}

/** What an organization pays its vendors (runs/prices.ts), where it has said so. */
export interface OrganizationPrices {
  readonly prices: unknown;
  readonly updatedAt: Date;
}

/** A member of an organization. */
export interface User {
  readonly id: string;
  readonly organizationId: string;
  readonly email: string;
}

/** An API key, without the key. */
export interface ApiKey {
  readonly id: string;
  readonly organizationId: string;
  readonly userId: string;
  readonly name: string;
  /** First characters of the key, to tell keys apart. */
  readonly prefix: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly expiresAt: Date | null;
}

/** Whom a request speaks for. */
export interface Principal {
  readonly organizationId: string;
  readonly userId: string;
  readonly apiKeyId: string;
}

/** Organizations, users and API keys. */
export interface AccountStore {
  /** True while no organization exists: the first start. */
  isEmpty(): Promise<boolean>;
  createOrganization(input: { name: string; ownerEmail: string }): Promise<{ organization: Organization; owner: User }>;
  /**
   * Organization, owner and API key in one transaction, only where no organization exists: of any number of nodes that try at once, one
   * succeeds. Null for the others. `apiKey` as in {@link AccountStore.createApiKey}.
   */
  createFirstOrganization(input: {
    name: string;
    ownerEmail: string;
    apiKey: { name: string; key?: string | undefined };
  }): Promise<{ organization: Organization; owner: User; key: string } | null>;
  getOrganization(id: string): Promise<Organization | null>;
  updateOrganization(id: string, change: { concurrentCalls?: number | undefined; defaultModels?: unknown }): Promise<Organization | null>;
  /** Null where the organization has none of its own. */
  getPrices(organizationId: string): Promise<OrganizationPrices | null>;
  /** Replaces them; null forgets them. */
  putPrices(organizationId: string, prices: readonly unknown[] | null): Promise<void>;
  listUsers(organizationId: string): Promise<readonly User[]>;
  /** `key` given: stored as it is (bootstrap); else 256 random bits. The key is returned once and stored hashed. */
  createApiKey(input: {
    organizationId: string;
    userId: string;
    name: string;
    key?: string | undefined;
    expiresAt?: Date | undefined;
  }): Promise<{ apiKey: ApiKey; key: string }>;
  /** Null for an unknown, deleted or expired key. Stamps `lastUsedAt` at most once a minute. */
  authenticate(key: string): Promise<Principal | null>;
  listApiKeys(organizationId: string): Promise<readonly ApiKey[]>;
  deleteApiKey(organizationId: string, id: string): Promise<boolean>;
}
