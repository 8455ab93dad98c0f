import { AgentStreamError } from '../base/errors.js';
import { cloudonix } from './cloudonix/index.js';
import type { ProviderModule } from './provider.js';

/** Every provider whose media streams are served, by its name in URLs. */
export const providers: Readonly<Record<string, ProviderModule>> = {
  [cloudonix.name]: cloudonix,
};

/** Providers that are known, but whose media streams are not served. */
export const knownProviderNames: readonly string[] = [
  'asterisk',
  'audiocodes',
  'azure',
  'bandwidth',
  'exotel',
  'freeswitch',
  'genesys',
  'jambonz',
  'plivo',
  'signalwire',
  'sinch',
  'telnyx',
  'twilio',
  'vobiz',
  'vonage',
  'webex',
];

/**
 * The provider of a name, matched regardless of case.
 * @throws AgentStreamError `provider-unsupported` for a known provider that is not served, `unknown-provider` for any other name.
 */
export function findProvider(name: string): ProviderModule {
  const key = name.trim().toLowerCase();
  const provider = Object.hasOwn(providers, key) ? providers[key] : undefined;
  if (provider !== undefined) return provider;
  throw new AgentStreamError(knownProviderNames.includes(key) ? 'provider-unsupported' : 'unknown-provider');
}
