import { z } from 'zod';

/** Options of the speech-to-speech leg. */
export const ultravoxSettingsSchema = z.strictObject({
  model: z.string().min(1).max(200).default('ultravox-v0.7').describe('Speech-to-speech model.'),
  voice: z.string().min(1).max(100).default('Mark').describe('Name or ID of a voice of the account.'),
  temperature: z.number().min(0).max(1).optional().describe('0 is the most predictable.'),
  turn_end_delay_ms: z.int().min(64).max(3000).default(384).describe('Silence that ends the caller’s turn, as far as the vendor’s model of turns does not know better.'),
});

/** Parsed options of the speech-to-speech leg. */
export type UltravoxSettings = z.infer<typeof ultravoxSettingsSchema>;

/** Equal for settings that give equal audio for equal words, as far as a model that speaks does. */
export function ultravoxCacheKey(baseUrl: string, { model, voice }: UltravoxSettings): string {
  return JSON.stringify(['ultravox', baseUrl, model, voice]);
}
