import { z } from 'zod';
import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { socketUrl } from '../../base/socket-url.js';

/** Options of the text-to-speech leg. */
export const deepgramTextToSpeechSchema = z.strictObject({
  model: z
    .string()
    .min(1)
    .max(100)
    .default('aura-2-thalia-en')
    .describe('Model and voice in one name, such as aura-2-thalia-en or aura-2-celeste-es. It fixes the language.'),
  speed: z.number().min(0.7).max(1.5).optional().describe('1 is the pace of the voice; English and Spanish Aura-2 voices.'),
});

/** Parsed options of the text-to-speech leg. */
export type DeepgramTextToSpeechSettings = z.infer<typeof deepgramTextToSpeechSchema>;

/**
 * The URL of a call's connection (developers.deepgram.com/reference/text-to-speech/speak-streaming).
 * @throws AgentStreamError `configuration-invalid`
 */
export function speakUrl(baseUrl: string, settings: DeepgramTextToSpeechSettings): string {
  const url = socketUrl(baseUrl, '/v1/speak');
  const query = { model: settings.model, encoding: 'mulaw', sample_rate: String(SAMPLE_RATE_HZ), container: 'none' };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  if (settings.speed !== undefined) url.searchParams.set('speed', String(settings.speed));
  return url.href;
}

/** Equal for settings that give equal audio. */
export function deepgramCacheKey(settings: DeepgramTextToSpeechSettings): string {
  return JSON.stringify(['deepgram', settings.model, settings.speed ?? null]);
}
