/** Everything the environment decides, parsed once at the start (docs/configuration.md). */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** Origin used in stream URLs, callbacks and signature checks; no trailing slash. */
  readonly publicUrl: string;
  readonly dataDir: string;
  /** Null: the embedded database in the data directory. */
  readonly databaseUrl: string | null;
  /** 32 bytes, base64 or hex; null: generated into the data directory. */
  readonly secretKey: string | null;
  readonly bootstrapApiKey: string | null;
  readonly maxCalls: number;
  readonly drainTimeoutMs: number;
  readonly allowPrivateNetworks: boolean;
  /** Addresses or CIDR ranges whose X-Forwarded-* count; empty: none. `true` in the environment means loopback and private ranges. */
  readonly trustProxy: readonly string[];
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null;
  readonly allowPlaintext: boolean;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  /** `*_API_BASE_URL` of telephony providers, `*_API_KEY` and `*_BASE_URL` of vendors: read by the registries by name. */
  readonly env: Readonly<Record<string, string | undefined>>;
}
