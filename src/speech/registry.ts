import { anthropic } from './anthropic/anthropic.js';
import { assemblyai } from './assemblyai/assemblyai.js';
import { builtin } from './builtin/builtin.js';
import { cartesia } from './cartesia/cartesia.js';
import { deepgram } from './deepgram/deepgram.js';
import { elevenlabs } from './elevenlabs/elevenlabs.js';
import { google } from './google/google.js';
import { groq } from './groq/groq.js';
import { openaiCompatible } from './openai-compatible/openai-compatible.js';
export const vendors: readonly VendorModule[] = [] = [] = [deepgram, openaiCompatible, anthropic, google, groq, cartesia, elevenlabs, rime, ] = [] = [deepgram, assemblyai, ] = [] = [] = [deepgram, ] = [deepgram, soniox, builtin];

/** The vendor of that name. */
export function findVendor(name: string): VendorModule | undefined {
  return vendors.find((vendor) => vendor.name === name);
}
