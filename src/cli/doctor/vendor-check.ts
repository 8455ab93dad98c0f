import { z } from 'zod';
import type { CascadedLeg, VendorModule } from '../../speech/vendor.js';
import { hasKeyIn } from '../../speech/models.js';
import { vendorsOf } from '../../speech/registry.js';
import { createApiClient } from '../api-client.js';
import { pageOf, readAnswer } from '../api-shapes.js';
import { CliError } from '../cli-error.js';
import { note, ok, type Check, type DoctorContext, type Finding } from './finding.js';

const legNames: Readonly<Record<CascadedLeg, string>> = { stt: 'speech-to-text', llm: 'language model', tts: 'text-to-speech' };
const legs: readonly CascadedLeg[] = ['stt', 'llm', 'tts'];

/** Vendors whose keys the organization has stored; none where no server answers or it is not known who asks. */
async function storedVendors({ serverUrl, apiKey, fetch, clock, signal }: DoctorContext): Promise<readonly string[]> {
  if (apiKey === undefined) return [];
  const client = createApiClient({ serverUrl, apiKey, fetch, clock, signal });
  try {
    const answer = await client.request('GET', '/vendor-credentials');
    return readAnswer(pageOf(z.looseObject({ vendor: z.string() })), answer, 'list vendor credentials').items.map(({ vendor }) => vendor);
  } catch (error) {
    // The checks of server and telephony say what is wrong with it.
    if (error instanceof CliError) return [];
    throw error;
  }
}

/** What an agent that chooses no models gets for one leg, by the order of the registry. */
function describeLeg(leg: CascadedLeg, hasKey: (vendor: VendorModule) => boolean): Finding {
  const offering = vendorsOf(leg);
  const chosen = offering.find((vendor) => !vendor.isSimulated && hasKey(vendor));
  if (chosen !== undefined) return ok(`${legNames[leg]}: ${chosen.displayName}`);
  const keys = offering.flatMap((vendor) => (vendor.apiKeyEnv === null ? [] : [vendor.apiKeyEnv]));
  const cure = keys.length === 0 ? 'No vendor with a key serves this leg.' : `For real calls set ${keys.join(' or ')}, or store a credential.`;
  return note(`${legNames[leg]}: simulated (no key)`, cure);
}

/** The speech-to-speech vendors that an agent may name: none is used by itself. */
function describeRealtime(hasKey: (vendor: VendorModule) => boolean): Finding {
  const usable = vendorsOf('realtime').filter(hasKey).map(({ displayName }) => displayName);
  return ok(`speech-to-speech: ${usable.length === 0 ? 'none has a key' : `${usable.join(', ')}, for agents that name one`}`);
}

/** Which vendor serves each leg by default, and which may be named for speech-to-speech, by keys of the environment and of the organization. Says whether a key is there, never what it is. */
export const vendorCheck: Check = {
  title: 'Vendors',
  async run(context) {
    const stored = await storedVendors(context);
    const hasKey = (vendor: VendorModule) => hasKeyIn(vendor, context.env) || stored.includes(vendor.name);
    return [...legs.map((leg) => describeLeg(leg, hasKey)), describeRealtime(hasKey)];
  },
};
