import type { z } from 'zod';
import type { Clock } from '../base/clock.js';
import type { Dialect, StreamStart } from './dialect.js';

/** A call as the provider's REST API knows it. */
export interface ProviderCall {
  /** Cloudonix: the session token. */
  readonly sessionId: string;
  /** The key of the matched telephony configuration. Cloudonix: the normalised domain. */
  readonly account: string;
}

/** What the provider says of a session when asked before the call is answered. */
export type SessionVerdict =
  | { readonly isLive: true; readonly status: string }
  /** `status` is the provider's word or HTTP status, for the run's events; it is never sent to the peer. */
  | { readonly isLive: false; readonly status: string };

/** How a warm transfer goes on after the destination was dialled. */
export type TransferProgress =
  | { readonly type: 'answered' }
  | { readonly type: 'failed'; readonly reason: string };

/** A warm transfer under way: the destination is being dialled into a conference. */
export interface WarmTransfer {
  /** Identifies the consult leg in provider callbacks. */
  readonly transferId: string;
  /** Moves the caller into the conference. Ends our media stream. */
  moveCaller(signal: AbortSignal): Promise<void>;
  /** Hangs up the destination leg: the caller left, or the transfer timed out. */
  cancel(): Promise<void>;
}

/** What to transfer to. */
export interface TransferRequest {
  /** E.164 number or SIP URI, already validated. */
  readonly destination: string;
  readonly callerId: string | undefined;
  readonly timeoutSeconds: number;
}

/**
 * REST control of calls at one provider with one stored credential. Every method is bounded in time, honours the provider's
 * rate limit and is safe to repeat.
 */
export interface ProviderControl {
  /**
   * Asks whether the session is live, within 3 s and at most one retry.
   * @throws AgentStreamError `provider-rejected`, `provider-unreachable`, `provider-rate-limited`
   */
  validateSession(call: ProviderCall, signal: AbortSignal): Promise<SessionVerdict>;
  /** Ends the call. A call that is already gone counts as done. Retried; takes precedence in the rate limiter. */
  hangUp(call: ProviderCall, signal: AbortSignal): Promise<void>;
  /** Replaces the call's flow by a dial to the destination. Ends our media stream. */
  transferCold(call: ProviderCall, request: TransferRequest, signal: AbortSignal): Promise<void>;
  /**
   * Dials the destination into a conference. `callbackUrl` receives the provider's status posts, which the
   * provider module's `parseTransferCallback` turns into progress.
   */
  transferWarm(
    call: ProviderCall,
    request: TransferRequest & { readonly callbackUrl: string; readonly transferId: string; readonly announcement: string },
    signal: AbortSignal,
  ): Promise<WarmTransfer>;
  /** Proves the credential, for the configuration's "Test". Resolves to a sentence of what was checked. */
  testCredential(signal: AbortSignal): Promise<string>;
}

/** What a provider's control needs from outside. */
export interface ProviderControlOptions<Credentials> {
  readonly credentials: Credentials;
  readonly baseUrl: string;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** Requests that the account's bucket takes per window; default: the provider's documented limit. Shared by the process. */
  readonly rateLimit?: { readonly requests: number; readonly windowMs: number };
}

/** A status or CDR post of a provider, understood. */
export interface ProviderCallback {
  readonly kind: 'session-status' | 'cdr';
  readonly sessionId: string | undefined;
  readonly account: string | undefined;
  /** The provider's own word, lower-cased. */
  readonly status: string | undefined;
  readonly isFinal: boolean;
  /** Facts for the run's record; no secrets. */
  readonly details: Readonly<Record<string, unknown>>;
}

/**
 * One telephony provider: its wire format, its REST control and its stored credentials. Adding a provider is one folder that
 * exports one of these, one line in registry.ts and one line in the contract tests.
 */
export interface ProviderModule<Credentials = unknown> {
  /** The name in URLs, runs and configurations. */
  readonly name: string;
  readonly displayName: string;
  readonly dialect: Dialect;
  /** Validates what is stored, renders forms and docs. Secret fields carry `.meta({ secret: true })`. */
  readonly credentialsSchema: z.ZodType<Credentials>;
  /** Environment variable that overrides the API's base URL, and its default. */
  readonly apiBaseUrl: { readonly env: string; readonly default: string };
  readonly canTransfer: { readonly cold: boolean; readonly warm: boolean };
  /** The key under which a configuration is found: normalised account, from stored credentials. */
  accountOf(credentials: Credentials): string;
  /**
   * The normalised account of an incoming stream: the URL's value first, else the start message's. Null where neither names one.
   */
  accountOfStream(query: Readonly<Record<string, string>>, start: StreamStart): string | null;
  /** True where the credentials suffice to control calls; false means `missing-bearer-token`. */
  hasControlCredential(credentials: Credentials): boolean;
  createControl(options: ProviderControlOptions<Credentials>): ProviderControl;
  /** Call-flow documents to paste at the provider, by name (`cxml`), each connecting to `streamUrl` and ending in a hang-up. */
  snippets(streamUrl: string): Readonly<Record<string, string>>;
  /**
   * True where the callback proves knowledge of the configuration's key (constant-time), and recently, where its time is proven too.
   * @param nowMs epoch ms
   */
  verifyCallback(headers: Readonly<Record<string, string | undefined>>, rawBody: Buffer, credentials: Credentials, nowMs: number): boolean;
  /** Understands a status or CDR post; null where it is neither. Never throws. */
  parseCallback(body: unknown): ProviderCallback | null;
  /** Understands a post to a warm transfer's callback URL; null where it says nothing about progress. Never throws. */
  parseTransferCallback(body: unknown): TransferProgress | null;
}
