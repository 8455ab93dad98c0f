import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { setBounded } from '../base/bounded-map.js';
import type { Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { Principal } from '../store/store.js';
import { clientAddress } from './client-address.js';
import type { AppServices } from './services.js';

/** How long a key that was accepted counts without asking the database; a deleted key works at most this long on other nodes. */
const acceptedForMs = 5000;
const maxCachedKeys = 10_000;
/** Failed attempts per key, such as an address, before it must wait. */
const maxFailures = 20;
const failureWindowMs = 60_000;
const maxTrackedKeys = 10_000;
/** Longer ones are no keys of ours: they are not even hashed. */
const maxKeyLength = 512;

const principals = new WeakMap<FastifyRequest, Principal>();

/** Whom the request speaks for. Only behind {@link requireApiKey}. */
export function principalOf(request: FastifyRequest): Principal {
  const principal = principals.get(request);
  if (principal === undefined) throw new AgentStreamError('not-authenticated');
  return principal;
}

/** Counts failures per key in fixed windows, bounded in memory; the oldest entries are forgotten first. */
export interface FailureLimiter {
  isBlocked(key: string): boolean;
  noteFailure(key: string): void;
}

/** Creates a limiter: {@link maxFailures} per minute and key. */
export function createFailureLimiter(clock: Clock): FailureLimiter {
  const windows = new Map<string, { count: number; endsMs: number }>();
  const current = (key: string) => {
    const window = windows.get(key);
    return window !== undefined && window.endsMs > clock.nowMs() ? window : undefined;
  };
  return {
    isBlocked: (key) => (current(key)?.count ?? 0) >= maxFailures,
    noteFailure(key) {
      const window = current(key) ?? { count: 0, endsMs: clock.nowMs() + failureWindowMs };
      window.count += 1;
      setBounded(windows, key, window, maxTrackedKeys);
    },
  };
}

/** The key a request carries: `Authorization: Bearer KEY`, else `X-API-Key: KEY`. */
function keyOf(request: FastifyRequest): string | null {
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const header = request.headers['x-api-key'];
  const key = bearer ?? (typeof header === 'string' ? header.trim() : undefined);
  return key === undefined || key === '' || key.length > maxKeyLength ? null : key;
}

/** Authenticates keys, remembering accepted ones for a few seconds. */
export interface Authenticator {
  /** @throws AgentStreamError `not-authenticated`, `rate-limited` */
  authenticate(request: FastifyRequest): Promise<Principal>;
  /** Forgets a deleted key at once. */
  forget(apiKeyId: string): void;
}

/** Creates the authenticator of one application. */
export function createAuthenticator({ store, clock, config }: Pick<AppServices, 'store' | 'clock' | 'config'>): Authenticator {
  const accepted = new Map<string, { principal: Principal; untilMs: number }>();
  const failures = createFailureLimiter(clock);

  return {
    async authenticate(request) {
      const key = keyOf(request);
      if (key === null) throw new AgentStreamError('not-authenticated');
      const hash = createHash('sha256').update(key).digest('base64url');
      const known = accepted.get(hash);
      if (known !== undefined && known.untilMs > clock.nowMs()) return known.principal;
      const address = clientAddress(request.raw, config);
      if (failures.isBlocked(address)) throw new AgentStreamError('rate-limited', { message: 'Too many failed attempts from this address.' });
      const principal = await store.accounts.authenticate(key);
      if (principal === null) {
        failures.noteFailure(address);
        throw new AgentStreamError('not-authenticated');
      }
      setBounded(accepted, hash, { principal, untilMs: clock.nowMs() + acceptedForMs }, maxCachedKeys);
      return principal;
    },
    forget(apiKeyId) {
      for (const [hash, { principal }] of accepted) if (principal.apiKeyId === apiKeyId) accepted.delete(hash);
    },
  };
}

/** Every route of `scope` needs an API key from here on. */
export function requireApiKey(scope: FastifyInstance, authenticator: Authenticator): void {
  scope.addHook('onRequest', async (request) => {
    principals.set(request, await authenticator.authenticate(request));
  });
}
