import { anthropic } from './anthropic/anthropic.js';
import { assemblyai } from './assemblyai/assemblyai.js';
import { azure } from './azure/azure.js';
import { builtin } from './builtin/builtin.js';
import { cartesia } from './cartesia/cartesia.js';
import { deepgram } from './deepgram/deepgram.js';
import { elevenlabs } from './elevenlabs/elevenlabs.js';
import { googleCloud } from './google/google-cloud.js';
import { google } from './google/google.js';
import { groq } from './groq/groq.js';
import { openaiCompatible } from './openai-compatible/openai-compatible.js';
import { rime } from './rime/rime.js';
import { soniox } from './soniox/soniox.js';
import { speechmatics } from './speechmatics/speechmatics.js';
import { ultravox } from './ultravox/ultravox.js';
import type { Leg, VendorModule } from './vendor.js';

export { builtinVoiceName } from './builtin/builtin.js';

/** Every speech and language vendor, in the order in which they are listed. `builtin`, which needs no key, is last. */
export const vendors: readonly VendorModule[] = [deepgram, openaiCompatible, anthropic, google, groq, cartesia, elevenlabs, rime, azure, googleCloud, assemblyai, soniox, speechmatics, ultravox, builtin];

/** Vendors that are known for their voice: whoever has a key of theirs wants to hear it, whatever other keys there are. */
const voicesFirst: readonly VendorModule[] = [cartesia, elevenlabs, rime, deepgram, azure, googleCloud, openaiCompatible];

/** Vendors that are known for something else than their ears: they hear where nobody else has a key. */
const earsLast: readonly VendorModule[] = [elevenlabs, openaiCompatible, builtin];

function orderOf(leg: Leg): readonly VendorModule[] {
  if (leg === 'tts') return [...new Set([...voicesFirst, ...vendors])];
  if (leg === 'stt') return [...vendors.filter((vendor) => !earsLast.includes(vendor)), ...earsLast];
  return vendors;
}

/** The vendors that have `leg`, in the order in which an agent that names no vendor gets the first that has a key. */
export function vendorsOf(leg: Leg): readonly VendorModule[] {
  return orderOf(leg).filter((vendor) => vendor[leg] !== undefined);
}

/** The vendor of that name. */
export function findVendor(name: string): VendorModule | undefined {
  return vendors.find((vendor) => vendor.name === name);
}
