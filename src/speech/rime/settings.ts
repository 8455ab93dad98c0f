import { z } from 'zod';
import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { socketUrl } from '../../base/socket-url.js';

/** Options of the text-to-speech leg. */
export const rimeSettingsSchema = z.strictObject({
  model: z.string().min(1).max(100).default('mistv2').describe('Model name: mistv2, mistv3, arcana or coda.'),
  voice: z.string().min(1).max(100).default('cove').describe('Speaker, one of those that the model has.'),
  language: z.string().min(2).max(20).optional().describe('BCP 47 tag; it must be the speaker’s. Default: the language of the agent.'),
  word_times: z
    .boolean()
    .default(true)
    .describe('Report when each word is spoken, so that the record of an interrupted reply is exact.'),
});

/** Parsed options of the text-to-speech leg. */
export type RimeSettings = z.infer<typeof rimeSettingsSchema>;

/** Rime names languages by three letters, its own for German (docs.rime.ai, Languages). */
const languageNames: ReadonlyMap<string, string> = new Map([
  ['en', 'eng'],
  ['es', 'spa'],
  ['fr', 'fra'],
  ['de', 'ger'],
  ['hi', 'hin'],
]);

/**
 * The URL of a call's connection (docs.rime.ai/docs/websockets). `segment=never`: text is spoken when it is flushed, and only then.
 * @throws AgentStreamError `configuration-invalid`
 */
export function rimeUrl(baseUrl: string, settings: RimeSettings, callLanguage: string): string {
  const url = socketUrl(baseUrl, '/ws3');
  const query = {
    speaker: settings.voice,
    modelId: settings.model,
    audioFormat: 'mulaw',
    samplingRate: String(SAMPLE_RATE_HZ),
    segment: 'never',
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const language = languageNames.get((settings.language ?? callLanguage).split('-')[0]?.toLowerCase() ?? '');
  if (language !== undefined) url.searchParams.set('lang', language);
  return url.href;
}

/** Equal for settings that give equal audio. */
export function rimeCacheKey(settings: RimeSettings): string {
  return JSON.stringify(['rime', settings.model, settings.voice, settings.language ?? null]);
}
