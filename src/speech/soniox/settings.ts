import { z } from 'zod';
import { SAMPLE_RATE_HZ } from '../../audio/frame.js';

const MAX_KEYTERMS = 100;

/** Options of the speech-to-text leg. */
export const sonioxSettingsSchema = z.strictObject({
  model: z.string().min(1).max(100).default('stt-rt-v5').describe('Real-time model, for example stt-rt-v5.'),
  language: z.string().min(2).max(20).optional().describe('BCP 47 tag it is biased to, or multi for none. Default: the language of the agent.'),
  keyterms: z
    .array(z.string().min(1).max(100))
    .max(MAX_KEYTERMS)
    .default([])
    .describe('Names and words to expect, besides those of the agent.'),
  max_endpoint_delay_ms: z.int().min(500).max(3000).optional().describe('Longest silence before a segment is settled. Default: the model’s own.'),
});

/** Parsed options of the speech-to-text leg. */
export type SonioxSettings = z.infer<typeof sonioxSettingsSchema>;

/** The first message of a session of 8 kHz mono mu-law (soniox.com/docs/api-reference/stt/websocket-api). The key travels in a header. */
export function startMessage(settings: SonioxSettings, call: { readonly language: string; readonly keyterms: readonly string[] }): string {
  const language = settings.language ?? call.language;
  const terms = [...new Set([...settings.keyterms, ...call.keyterms])].slice(0, MAX_KEYTERMS);
  return JSON.stringify({
    model: settings.model,
    audio_format: 'mulaw',
    sample_rate: SAMPLE_RATE_HZ,
    num_channels: 1,
    enable_endpoint_detection: true,
    ...(settings.max_endpoint_delay_ms === undefined ? {} : { max_endpoint_delay_ms: settings.max_endpoint_delay_ms }),
    ...(language === 'multi' ? {} : { language_hints: [language.split('-')[0]] }),
    ...(terms.length === 0 ? {} : { context: { terms } }),
  });
}
