import { z } from 'zod';

/** Options of the text-to-speech leg. */
export const cartesiaSettingsSchema = z.strictObject({
  model: z.string().min(1).max(100).default('sonic-3').describe('Model name, for example sonic-3 or sonic-latest.'),
  voice: z
    .string()
    .min(1)
    .max(100)
    .default('f786b574-daa5-4673-aa0c-cbe3e8534c02')
    .describe('Voice id. Default: Katie, a public English voice that Cartesia recommends for agents.'),
  language: z.string().min(2).max(20).optional().describe('BCP 47 tag. Default: the language of the agent.'),
  speed: z.number().min(0.6).max(1.5).optional().describe('1 is the pace of the voice; sonic-3 and newer.'),
  word_times: z
    .boolean()
    .default(true)
    .describe('Ask when each word is spoken, so that the record of an interrupted reply is exact.'),
});

/** Parsed options of the text-to-speech leg. */
export type CartesiaSettings = z.infer<typeof cartesiaSettingsSchema>;

/** Cartesia names languages by their primary subtag; `multi` is the caller's side only. */
export function cartesiaLanguage(settings: CartesiaSettings, callLanguage: string): string {
  const subtag = (settings.language ?? callLanguage).split('-')[0]?.toLowerCase();
  return subtag === undefined || subtag === '' || subtag === 'multi' ? 'en' : subtag;
}

/** Equal for settings that give equal audio. */
export function cartesiaCacheKey(settings: CartesiaSettings): string {
  return JSON.stringify(['cartesia', settings.model, settings.voice, settings.language ?? null, settings.speed ?? null]);
}
