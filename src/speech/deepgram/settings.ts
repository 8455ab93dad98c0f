import { z } from 'zod';
import { SAMPLE_RATE_HZ } from '../../audio/frame.js';

/** Keyterms that Deepgram takes in one request (developers.deepgram.com/docs/keyterm). */
const MAX_KEYTERMS = 100;

/** Options of the speech-to-text leg. */
export const deepgramSettingsSchema = z.strictObject({
  model: z.string().min(1).max(100).default('nova-3').describe('Model name, for example nova-3 or nova-2-phonecall.'),
  language: z.string().min(2).max(20).optional().describe('BCP 47 tag, or multi. Default: the language of the agent.'),
  keyterms: z
    .array(z.string().min(1).max(100))
    .max(MAX_KEYTERMS)
    .default([])
    .describe('Names and words to expect, besides those of the agent.'),
  endpointing_ms: z.int().min(10).max(5000).default(300).describe('Silence after which Deepgram settles a segment.'),
  smart_format: z.boolean().default(true).describe('Write numbers, dates and currencies as digits.'),
});

/** Parsed options of the speech-to-text leg. */
export type DeepgramSettings = z.infer<typeof deepgramSettingsSchema>;

/** The URL of a streaming request for 8 kHz mono mu-law; `endpoint` is that of `/v1/listen`. */
export function listenUrl(
  endpoint: URL,
  settings: DeepgramSettings,
  call: { readonly language: string; readonly keyterms: readonly string[] },
): string {
  const url = new URL(endpoint);
  const query: Record<string, string> = {
    model: settings.model,
    language: settings.language ?? call.language,
    encoding: 'mulaw',
    sample_rate: String(SAMPLE_RATE_HZ),
    channels: '1',
    interim_results: 'true',
    punctuate: 'true',
    smart_format: String(settings.smart_format),
    endpointing: String(settings.endpointing_ms),
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const terms = new Set([...settings.keyterms, ...call.keyterms]);
  // Keyterms came with nova-3; earlier models know keywords.
  const parameter = settings.model.startsWith('nova-3') ? 'keyterm' : 'keywords';
  for (const term of [...terms].slice(0, MAX_KEYTERMS)) url.searchParams.append(parameter, term);
  return url.href;
}
