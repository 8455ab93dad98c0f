import { z } from 'zod';
import { SAMPLE_RATE_HZ } from '../../audio/frame.js';

/** Terms of one request, and characters of one term (assemblyai.com/docs/streaming/keyterms-prompting). */
const MAX_KEYTERMS = 100;
const MAX_KEYTERM_CHARS = 50;

/** Options of the speech-to-text leg. */
export const assemblyaiSettingsSchema = z.strictObject({
  model: z
    .string()
    .min(1)
    .max(100)
    .default('universal-streaming-multilingual')
    .describe('Speech model, for example universal-streaming-english or u3-rt-pro. The multilingual one detects the language.'),
  keyterms: z
    .array(z.string().min(1).max(MAX_KEYTERM_CHARS))
    .max(MAX_KEYTERMS)
    .default([])
    .describe('Names and words to expect, besides those of the agent.'),
  format_turns: z.boolean().default(true).describe('Write punctuation, capitals, numbers and dates.'),
  min_turn_silence_ms: z.int().min(50).max(5000).optional().describe('Silence that ends a segment which sounds complete. Default: the model’s own.'),
  max_turn_silence_ms: z.int().min(100).max(10_000).optional().describe('Silence that ends a segment whatever its words. Default: the model’s own.'),
});

/** Parsed options of the speech-to-text leg. */
export type AssemblyaiSettings = z.infer<typeof assemblyaiSettingsSchema>;

/** The URL of a session of 8 kHz mono mu-law; `endpoint` is that of `/v3/ws` (assemblyai.com/docs/api-reference/streaming-api). */
export function sessionUrl(endpoint: URL, settings: AssemblyaiSettings, keyterms: readonly string[]): string {
  const url = new URL(endpoint);
  const terms = [...new Set([...settings.keyterms, ...keyterms])].filter((term) => term.length <= MAX_KEYTERM_CHARS).slice(0, MAX_KEYTERMS);
  const query = {
    speech_model: settings.model,
    sample_rate: String(SAMPLE_RATE_HZ),
    encoding: 'pcm_mulaw',
    format_turns: String(settings.format_turns),
    min_turn_silence: settings.min_turn_silence_ms?.toString(),
    max_turn_silence: settings.max_turn_silence_ms?.toString(),
    keyterms_prompt: terms.length === 0 ? undefined : JSON.stringify(terms),
  };
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
  return url.href;
}
