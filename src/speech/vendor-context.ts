import type { Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { GuardedEgress } from '../base/guarded-fetch.js';
import type { VendorContext, VendorModule } from './vendor.js';

/** Variables of the process, as far as vendors are concerned. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A vendor's key as an organization stored it. */
export interface VendorCredential {
  readonly apiKey: string;
  /** Origin to use instead of the vendor's own. */
  readonly baseUrl?: string | undefined;
}

/** What vendors are reached with. */
export interface VendorReach {
  readonly env: Environment;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** Where base URLs of stored credentials may lead; absent: anywhere. Those of the environment are the operator's own. */
  readonly egress?: GuardedEgress | undefined;
}

/** A value of the environment; empty counts as unset. */
export function envValue(env: Environment, name: string | null): string | undefined {
  const value = name === null ? undefined : env[name];
  return value === '' ? undefined : value;
}

/**
 * What a vendor is created with: the stored credential's key and base URL, else those of the environment.
 * @throws AgentStreamError `vendor-unauthorized` where there is no key, `egress-refused` where a stored base URL is an internal address
 */
export function createVendorContext(vendor: VendorModule, credential: VendorCredential | undefined, reach: VendorReach): VendorContext {
  const { env, clock, fetch, egress } = reach;
  const apiKey = credential?.apiKey ?? envValue(env, vendor.apiKeyEnv);
  if (apiKey === undefined && vendor.apiKeyEnv !== null) {
    throw new AgentStreamError('vendor-unauthorized', {
      message: `${vendor.displayName} has no API key: set ${vendor.apiKeyEnv} or store a credential for ${vendor.name}.`,
      details: { vendor: vendor.name },
    });
  }
  const storedUrl = credential?.baseUrl;
  const baseUrl = storedUrl ?? envValue(env, vendor.baseUrl.env) ?? vendor.baseUrl.default;
  if (storedUrl === undefined || egress === undefined) return { clock, fetch, apiKey, baseUrl };
  egress.check(storedUrl);
  return { clock, fetch: egress.fetch, lookup: egress.lookup, apiKey, baseUrl };
}
