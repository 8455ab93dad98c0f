import type { Leg, VendorModule } from '../../speech/vendor.js';
import { vendors } from '../../speech/registry.js';
import { note, ok, type Check, type Finding } from './finding.js';

const legNames: Readonly<Record<Leg, string>> = { stt: 'speech-to-text', llm: 'language model', tts: 'text-to-speech' };
const legs: readonly Leg[] = ['stt', 'llm', 'tts'];

/** True where the vendor needs no key, or the environment has one. Credentials stored at the server are not seen from here. */
function hasKey(vendor: VendorModule, env: Readonly<Record<string, string | undefined>>): boolean {
  return vendor.apiKeyEnv === null || (env[vendor.apiKeyEnv] ?? '') !== '';
}

/** What an agent that chooses no models gets for one leg, by the order of the registry. */
function describeLeg(leg: Leg, candidates: readonly VendorModule[], env: Readonly<Record<string, string | undefined>>): Finding {
  const offering = candidates.filter((vendor) => vendor[leg] !== undefined);
  const chosen = offering.find((vendor) => !vendor.isSimulated && hasKey(vendor, env));
  if (chosen !== undefined) return ok(`${legNames[leg]}: ${chosen.displayName}`);
  const keys = offering.flatMap((vendor) => (vendor.apiKeyEnv === null ? [] : [vendor.apiKeyEnv]));
  const cure = keys.length === 0 ? 'No vendor with a key serves this leg.' : `For real calls set ${keys.join(' or ')}, or store a credential.`;
  return note(`${legNames[leg]}: simulated (no key in the environment)`, cure);
}

/** Which vendor serves each leg by default. Says whether a key is there, never what it is. */
export const vendorCheck: Check = {
  title: 'Vendors',
  run: async ({ env }) => legs.map((leg) => describeLeg(leg, vendors, env)),
};
