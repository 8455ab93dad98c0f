import { isIP } from 'node:net';
import { z } from 'zod';
import { AgentStreamError } from './base/errors.js';

/** Everything the environment decides, parsed once at the start (docs/configuration.md). */
export interface Config {
  readonly host: string;
  /** 0: any free port. */
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
  /** What finds the callers' voices; `auto`: Silero where its optional packages load, else the energy detector. */
  readonly voiceActivity: 'auto' | 'energy' | 'silero';
  readonly allowPrivateNetworks: boolean;
  /** Addresses or CIDR ranges whose X-Forwarded-* count; empty: none. `true` in the environment means loopback and private ranges. */
  readonly trustProxy: readonly string[];
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null;
  readonly allowPlaintext: boolean;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  /** `*_API_BASE_URL` of telephony providers, `*_API_KEY` and `*_BASE_URL` of vendors: read by the registries by name. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Calls one process takes unless told otherwise: a process decides and paces on one core, and a core carries 100 calls. */
const defaultMaxCalls = 100;

/** What `AGENT_STREAM_TRUST_PROXY=true` trusts: loopback, private (RFC 1918, RFC 4193), link-local and shared (RFC 6598) ranges. */
export const privateRanges: readonly string[] = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
];

const minBootstrapKeyLength = 24;
const secretKeyBytes = 32;
const maxEchoedLength = 60;

const isAddressOrRange = (text: string): boolean => {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
};

const isUrl = (text: string, protocols: readonly string[]): boolean =>
  URL.canParse(text) && protocols.includes(new URL(text).protocol) && new URL(text).hostname !== '';

const isOrigin = (text: string): boolean => {
  if (!isUrl(text, ['http:', 'https:'])) return false;
  const url = new URL(text);
  return url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
};

const isPostgresUrl = (text: string): boolean => URL.canParse(text) && ['postgres:', 'postgresql:'].includes(new URL(text).protocol);

const isSecretKey = (text: string): boolean =>
  /^[0-9a-f]{64}$/i.test(text) || (/^[A-Za-z0-9+/_-]{43}=?$/.test(text) && Buffer.from(text, 'base64').length === secretKeyBytes);

const flag = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .default('false')
  .transform((value) => value === 'true');

const wholeNumber = (from: number, to: number) => {
  const message = `must be a whole number from ${from} to ${to}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, message)
    .transform(Number)
    .refine((value) => value >= from && value <= to, message);
};

const check = (isValid: (text: string) => boolean, message: string) => z.string().refine(isValid, message);

const trustProxy = z
  .string()
  .default('false')
  .transform((value, context): readonly string[] => {
    if (value === 'false') return [];
    if (value === 'true') return privateRanges;
    const ranges = value.split(',').map((part) => part.trim());
    if (ranges.every(isAddressOrRange)) return ranges;
    context.addIssue({ code: 'custom', message: 'must be false, true, or IP addresses and CIDR ranges separated by commas' });
    return z.NEVER;
  });

/** The variables and their rules; whatever is not named here and starts with `AGENT_STREAM_` is refused. */
const environmentSchema = z.object({
  HOST: check((text) => !/[\s/]/.test(text), 'must be an address or host name, without port or scheme').default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535).default(8080),
  AGENT_STREAM_PUBLIC_URL: check(isOrigin, 'must be an origin such as https://calls.example.com, without a path').optional(),
  AGENT_STREAM_DATA_DIR: z.string().default('./data'),
  DATABASE_URL: check(isPostgresUrl, 'must be a postgres:// or postgresql:// URL').optional(),
  AGENT_STREAM_SECRET_KEY: check(isSecretKey, 'must be 32 bytes as 64 hex digits or base64 (openssl rand -base64 32)').optional(),
  AGENT_STREAM_BOOTSTRAP_API_KEY: check(
    (text) => /^[\x21-\x7e]+$/.test(text) && text.length >= minBootstrapKeyLength,
    `must have at least ${minBootstrapKeyLength} printable characters and no spaces`,
  ).optional(),
  AGENT_STREAM_MAX_CALLS: wholeNumber(1, 10_000).default(defaultMaxCalls),
  AGENT_STREAM_DRAIN_TIMEOUT_SECONDS: wholeNumber(0, 86_400).default(3600),
  AGENT_STREAM_VOICE_ACTIVITY: z.enum(['auto', 'energy', 'silero'], { error: 'must be auto, energy or silero' }).default('auto'),
  AGENT_STREAM_ALLOW_PRIVATE_NETWORKS: flag,
  AGENT_STREAM_TRUST_PROXY: trustProxy,
  AGENT_STREAM_TLS_CERT_FILE: z.string().optional(),
  AGENT_STREAM_TLS_KEY_FILE: z.string().optional(),
  AGENT_STREAM_ALLOW_PLAINTEXT: flag,
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'must be trace, debug, info, warn, error, fatal or silent',
    })
    .default('info'),
});

type Environment = z.output<typeof environmentSchema>;

/** The names {@link parseConfig} knows, for docs and `doctor`. */
export const environmentNames: readonly string[] = Object.keys(environmentSchema.shape);

function invalid(problem: string): AgentStreamError {
  return new AgentStreamError('configuration-invalid', { message: `${problem} (docs/configuration.md)` });
}

/** Keys and URLs may hold credentials: their values are never shown. */
function echo(name: string, value: string | undefined): string {
  if (value === undefined || /KEY$|URL$|TOKEN|SECRET/.test(name)) return name;
  return `${name}=${JSON.stringify(value.slice(0, maxEchoedLength))}`;
}

/** Levenshtein distance, for "did you mean". */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}

/** Variables of the commands that talk to a server; they may stand in the same environment. */
const clientNames: readonly string[] = ['AGENT_STREAM_URL', 'AGENT_STREAM_API_KEY'];

function refuseUnknownNames(env: Readonly<Record<string, string | undefined>>): void {
  const known = environmentNames.filter((name) => name.startsWith('AGENT_STREAM_'));
  const unknown = Object.keys(env).find((name) => name.startsWith('AGENT_STREAM_') && !known.includes(name) && !clientNames.includes(name));
  if (unknown === undefined) return;
  const nearest = known.toSorted((left, right) => editDistance(left, unknown) - editDistance(right, unknown))[0];
  throw invalid(`${unknown} is not a known variable: did you mean ${nearest}? Correct or remove it`);
}

function refuseBadEndpoints(env: Readonly<Record<string, string | undefined>>, names: readonly string[]): void {
  for (const name of names) {
    const value = env[name];
    if (value !== undefined && !isUrl(value, ['http:', 'https:', 'ws:', 'wss:'])) {
      throw invalid(`${name} must be an http(s):// or ws(s):// URL`);
    }
  }
}

/** True for the addresses that only this machine reaches. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function parseTls(environment: Environment): Config['tls'] {
  const { AGENT_STREAM_TLS_CERT_FILE: certFile, AGENT_STREAM_TLS_KEY_FILE: keyFile } = environment;
  if (certFile === undefined && keyFile === undefined) return null;
  if (certFile === undefined) throw invalid('AGENT_STREAM_TLS_KEY_FILE is set without AGENT_STREAM_TLS_CERT_FILE: set both or neither');
  if (keyFile === undefined) throw invalid('AGENT_STREAM_TLS_CERT_FILE is set without AGENT_STREAM_TLS_KEY_FILE: set both or neither');
  return { certFile, keyFile };
}

/** What a client can connect to: a wildcard bind is reached by its loopback name. */
function defaultPublicUrl(host: string, port: number, isTls: boolean): string {
  const reachable = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  return `${isTls ? 'https' : 'http'}://${isIP(reachable) === 6 ? `[${reachable}]` : reachable}:${port}`;
}

function toConfig(environment: Environment, env: Config['env']): Config {
  const tls = parseTls(environment);
  const isProtected = tls !== null || environment.AGENT_STREAM_TRUST_PROXY.length > 0 || environment.AGENT_STREAM_ALLOW_PLAINTEXT;
  if (!isLoopbackHost(environment.HOST) && !isProtected) {
    throw invalid(
      `${echo('HOST', environment.HOST)} would serve calls and API keys in plain text to the network: set AGENT_STREAM_TLS_CERT_FILE and ` +
        'AGENT_STREAM_TLS_KEY_FILE, or AGENT_STREAM_TRUST_PROXY behind a TLS proxy, or AGENT_STREAM_ALLOW_PLAINTEXT=true',
    );
  }
  const publicUrl = environment.AGENT_STREAM_PUBLIC_URL ?? defaultPublicUrl(environment.HOST, environment.PORT, tls !== null);
  return {
    host: environment.HOST,
    port: environment.PORT,
    publicUrl: new URL(publicUrl).origin,
    dataDir: environment.AGENT_STREAM_DATA_DIR,
    databaseUrl: environment.DATABASE_URL ?? null,
    secretKey: environment.AGENT_STREAM_SECRET_KEY ?? null,
    bootstrapApiKey: environment.AGENT_STREAM_BOOTSTRAP_API_KEY ?? null,
    maxCalls: environment.AGENT_STREAM_MAX_CALLS,
    drainTimeoutMs: environment.AGENT_STREAM_DRAIN_TIMEOUT_SECONDS * 1000,
    voiceActivity: environment.AGENT_STREAM_VOICE_ACTIVITY,
    allowPrivateNetworks: environment.AGENT_STREAM_ALLOW_PRIVATE_NETWORKS,
    trustProxy: environment.AGENT_STREAM_TRUST_PROXY,
    tls,
    allowPlaintext: environment.AGENT_STREAM_ALLOW_PLAINTEXT,
    logLevel: environment.LOG_LEVEL,
    env,
  };
}

/**
 * Parses the environment. An empty value counts as unset.
 *
 * @param endpointNames Variables of providers and vendors that must hold a URL where set (`CLOUDONIX_API_BASE_URL`, …).
 * @throws AgentStreamError `configuration-invalid`, whose one-line message names the variable, the problem and the cure and shows no secret.
 */
export function parseConfig(env: Readonly<Record<string, string | undefined>>, endpointNames: readonly string[] = []): Config {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  refuseUnknownNames(present);
  const parsed = environmentSchema.safeParse(present);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const name = String(issue?.path[0] ?? 'environment');
    throw invalid(`${echo(name, present[name])} ${issue?.message ?? 'is not valid'}`);
  }
  refuseBadEndpoints(present, endpointNames);
  return toConfig(parsed.data, present);
}
