import { anthropic } from './anthropic/anthropic.js';
import { builtin } from './builtin/builtin.js';
import { cartesia } from './cartesia/cartesia.js';
import { deepgram } from './deepgram/deepgram.js';
import { google } from './google/google.js';
import { groq } from './groq/groq.js';
import { openaiCompatible } from './openai-compatible/openai-compatible.js';
import type { VendorModule } from './vendor.js';

export { builtinVoiceName } from './builtin/builtin.js';

/**
 * Every speech and language vendor. The order is the one in which an agent that names no vendor gets the first that has a key;
 * `builtin`, which needs none, is last.
 */
export const vendors: readonly VendorModule[] = [deepgram, openaiCompatible, anthropic, google, groq, cartesia, builtin];

/** The vendor of that name. */
export function findVendor(name: string): VendorModule | undefined {
  return vendors.find((vendor) => vendor.name === name);
}
